"""Who may look into a folder on Windows, where a file mode means nothing; elsewhere modes say it.

A folder is closed by the rights that Python itself gives one made with mode 0700 from 3.12.4 on: for its owner, the
system and administrators, and nothing from the folder above. What is made inside it has the same. Rights are read
in Windows' own notation (SDDL), which is the same in every language, as ``icacls FOLDER /save FILE`` writes it.
"""

import os
import re
import sys
from pathlib import Path

CLOSED = "D:P(A;OICI;FA;;;OW)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
"""The rights of a closed folder; ``OW`` is its owner, ``SY`` the system, ``BA`` are administrators."""
OURS = frozenset({"OW", "CO", "SY", "BA", "LA", "DA", "EA", "S-1-5-18", "S-1-5-32-544", "S-1-3-0", "S-1-3-4"})
NAMES = {
    "WD": "Everyone", "AU": "Authenticated Users", "BU": "Users", "BG": "Guests", "IU": "INTERACTIVE", "NU": "NETWORK",
    "DU": "Domain Users", "DG": "Domain Guests", "AN": "ANONYMOUS LOGON",
}  # fmt: skip
EVERYBODY = "Everyone"

OWNER_PART, RIGHTS_PART, WITHOUT_THOSE_ABOVE = 1, 4, 0x80000000
"""Windows' names end in SECURITY_INFORMATION: OWNER, DACL and PROTECTED_DACL."""
A_FILE, REVISION = 1, 1
OWNER = re.compile(r"O:(S-[\d-]+|[A-Z]{2})")
RIGHTS = re.compile(r"D:([A-Z_]*)((?:\([^()]*(?:\([^()]*\)[^()]*)*\))*)")
ENTRY = re.compile(r"\((\w+);[^;]*;[^;]*;[^;]*;[^;]*;([^;)]+)")


def find_others(sddl: str) -> tuple[str, ...]:
    """Return who may do anything in a folder beside its owner, the system and administrators, by name or number."""
    owner, rights = OWNER.search(sddl), RIGHTS.search(sddl)
    if rights is None or rights[1] == "NO_ACCESS_CONTROL":
        return (EVERYBODY,)
    allowed = {who for kind, who in ENTRY.findall(rights[2]) if kind in ("A", "OA", "XA")}
    others = allowed - OURS - ({owner[1]} if owner else set())
    return tuple(sorted(NAMES.get(who, who) for who in others))


def close_command(folder: Path) -> str:
    """Return the command that closes a folder and all that is in it, for the account that is to own it."""
    given = " ".join(f'"{who}:(OI)(CI)F"' for who in ("%USERDOMAIN%\\%USERNAME%", "*S-1-5-18", "*S-1-5-32-544"))
    return f'icacls "{folder}" /inheritance:r /grant:r {given}'


def describe_open(folder: Path) -> str | None:
    """Say who else may look into a folder, and what closes it; None where nobody may, and on any other system."""
    sddl = read_rights(folder)
    others = find_others(sddl) if sddl else ()
    if not others:
        return None
    return (
        f"{folder}: open to {', '.join(others)}, and it holds young people's records; as the account that runs the "
        f"monitor, in a Command Prompt: {close_command(folder)}"
    )


def is_closed(path: Path) -> bool:
    """Return whether nobody but its owner, the system and administrators has a right; False where nobody can say."""
    sddl = read_rights(path)
    return sddl is not None and not find_others(sddl)


def close_folder(folder: Path) -> None:
    """Close a folder that was just made; where its disk keeps no rights, ``monitor check`` says that it is open."""
    if sys.platform == "win32" and sys.version_info < (3, 12, 4):
        import ctypes  # only there

        descriptor = ctypes.c_void_p()
        security = ctypes.WinDLL("advapi32")
        if security.ConvertStringSecurityDescriptorToSecurityDescriptorW(
            CLOSED, REVISION, ctypes.byref(descriptor), None
        ):
            security.SetFileSecurityW(str(folder), RIGHTS_PART | WITHOUT_THOSE_ABOVE, descriptor)
            _free(descriptor)


def read_rights(path: Path) -> str | None:
    """Return the owner and the rights of a file or folder in SDDL; None if Windows does not say, or is not there."""
    if sys.platform != "win32":
        return None
    import ctypes  # only there

    security = ctypes.WinDLL("advapi32")
    descriptor, text = ctypes.c_void_p(), ctypes.c_wchar_p()
    wanted = OWNER_PART | RIGHTS_PART
    place = os.path.abspath(path)
    if security.GetNamedSecurityInfoW(place, A_FILE, wanted, None, None, None, None, ctypes.byref(descriptor)):
        return None
    try:
        made = security.ConvertSecurityDescriptorToStringSecurityDescriptorW(
            descriptor, REVISION, wanted, ctypes.byref(text), None
        )
        return text.value if made else None
    finally:
        _free(descriptor)
        _free(text)


def _free(pointer: object) -> None:
    if sys.platform == "win32":
        import ctypes

        ctypes.WinDLL("kernel32").LocalFree(pointer)
