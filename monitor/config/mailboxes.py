"""The one check of a mailbox: can a mail server take it? Asked by the config, and again as each message leaves.

What passes is a plain ASCII mailbox at a domain name (RFC 5321 without quotation marks, comments or addresses in
brackets), which every server takes without SMTPUTF8.
"""

import re
import unicodedata

from monitor.words import MARKS

NOT_ONE = "not an e-mail address; write one mailbox, like name@example.gov.uk"
LONGEST = 254
LONGEST_LOCAL = 64
LONGEST_DOMAIN = 253
LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+")
LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
LAST_LABEL = re.compile(r"[A-Za-z]{2,63}|[Xx][Nn]--[A-Za-z0-9-]{0,58}[A-Za-z0-9]")
UNSEEN = ("Cc", "Cf", "Zs", "Zl", "Zp", "Co", "Cn", "Cs")
"""Unicode's categories of what nobody sees: controls, formats, spaces."""


def find_mailbox_fault(address: str) -> str | None:
    """Return what is wrong with an address and what to write; None for one that can be mailed to.

    No more of the address is repeated than the characters at fault.
    """
    if unseen := next((letter for letter in address if unicodedata.category(letter) in UNSEEN), None):
        named = unicodedata.name(unseen, "").lower() or f"character U+{ord(unseen):04X}"
        return f"{NOT_ONE} (this one holds a {named})"
    local, _, domain = address.partition("@")
    if set(address) & set('<>,;:"()[]\\') or "@" in domain:
        return NOT_ONE
    if not local or not domain:
        return f"{NOT_ONE} (nothing stands {'before' if domain else 'after'} the @)"
    return _find_local_fault(local) or find_domain_fault(domain) or _find_length_fault(address)


def find_domain_fault(domain: str) -> str | None:
    """Return what is wrong with a domain name and what to write; None for one that can be looked up."""
    if not domain.isascii():
        written = _write_ascii(domain)
        remedy = f'write "{written}"' if written else "write its ASCII form, which begins with xn--"
        return f"its domain has letters that mail cannot carry; {remedy}"
    *labels, last = domain.split(".")
    if not labels or len(domain) > LONGEST_DOMAIN or not all(map(LABEL.fullmatch, labels)):
        return 'what follows its @ is not a domain; write one like "example.gov.uk"'
    if not LAST_LABEL.fullmatch(last):
        return f'its domain ends in "{last[:20]}", which no domain does; write one like "example.gov.uk"'
    return None


def _find_local_fault(local: str) -> str | None:
    strange = "".join(dict.fromkeys(letter for letter in local if not letter.isascii()))
    if set(strange) & set(MARKS):
        return f"""holds "{strange}", a letter that cannot be mailed to; write a plain apostrophe (')"""
    if strange:
        return f'holds "{strange}", a letter that cannot be mailed to; write it without accents, as mail servers do'
    if not LOCAL.fullmatch(local):
        return NOT_ONE
    if local.startswith(".") or local.endswith(".") or ".." in local:
        return f"{NOT_ONE} (before the @, a dot stands first, last or beside another)"
    return None


def _find_length_fault(address: str) -> str | None:
    if len(address.partition("@")[0]) > LONGEST_LOCAL or len(address) > LONGEST:
        return f"too long: at most {LONGEST_LOCAL} characters before the @, and {LONGEST} in all; give a shorter alias"
    return None


def _write_ascii(domain: str) -> str | None:
    """Return a domain of any language as DNS has it; None where that is not certain."""
    try:
        written = domain.encode("idna")
        return written.decode("ascii") if written.decode("idna") == domain.lower() else None
    except UnicodeError:
        return None
