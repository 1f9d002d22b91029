"""Who may look into a folder on Windows: read from what icacls and Windows write, and there closed for real."""

from pathlib import Path

import pytest
from support.posix import WINDOWS

from monitor.files import make_private_folder
from monitor.rights import CLOSED, close_command, describe_open, find_others, is_closed, read_rights

SERVICE, OTHER = "S-1-5-21-3623811015-3361044348-30300820-1013", "S-1-5-21-3623811015-3361044348-30300820-1104"


@pytest.mark.parametrize(
    ("sddl", "others"),
    [
        (CLOSED, ()),
        ("D:P", ()),
        (f"O:{SERVICE}D:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;{SERVICE})", ()),
        (f"O:BAG:SYD:PAI(A;OICI;FA;;;{SERVICE})(A;OICI;FA;;;BA)", (SERVICE,)),
        (
            f"O:{SERVICE}G:DUD:AI(A;ID;FA;;;{OTHER})(A;OICIID;0x1200a9;;;BU)(A;ID;FA;;;SY)(A;OICIIOID;GA;;;CO)",
            (OTHER, "Users"),
        ),
        ("O:BAD:AI(A;OICIID;FA;;;BA)(A;ID;0x1301bf;;;AU)(D;;FA;;;WD)", ("Authenticated Users",)),
        ('O:BAD:(XA;;FX;;;WD;(@User.Title=="PM"))(A;;FA;;;SY)', ("Everyone",)),
        ("O:BAD:NO_ACCESS_CONTROL", ("Everyone",)),
        ("O:BAG:SY", ("Everyone",)),
    ],
)
def test_whoever_has_a_right_beside_the_owner_the_system_and_administrators_is_named(
    sddl: str, others: tuple[str, ...]
) -> None:
    assert find_others(sddl) == others


def test_the_command_that_closes_a_folder_needs_no_words_of_one_language_and_takes_spaces_and_accents() -> None:
    folder = Path("C:/Leaving care/Café")

    assert close_command(folder) == (
        f'icacls "{folder}" /inheritance:r /grant:r "%USERDOMAIN%\\%USERNAME%:(OI)(CI)F" '
        '"*S-1-5-18:(OI)(CI)F" "*S-1-5-32-544:(OI)(CI)F"'
    )


@pytest.mark.skipif(not WINDOWS, reason="only Windows keeps such rights")
def test_a_folder_that_is_made_is_closed_and_one_that_is_open_is_said(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    make_private_folder(tmp_path / "new" / "data")

    assert (is_closed(tmp_path / "new"), is_closed(tmp_path / "new" / "data")) == (True, True)
    assert describe_open(tmp_path / "new") is None
    assert is_closed(tmp_path / "open") or "open to" in (describe_open(tmp_path / "open") or "")


@pytest.mark.skipif(WINDOWS, reason="Windows keeps such rights")
def test_elsewhere_the_mode_says_it(tmp_path: Path) -> None:
    assert (read_rights(tmp_path), describe_open(tmp_path), is_closed(tmp_path)) == (None, None, False)
