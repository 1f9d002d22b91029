"""Whom a TLS connection trusts, and what is wrong with a certificate that it does not."""

import ssl
from collections.abc import Iterable, Iterator
from pathlib import Path

from monitor.network.policy import NotUsable

NOT_YET_VALID, EXPIRED, SELF_SIGNED, REVOKED = 9, 10, 18, 23
UNKNOWN_AUTHORITY = frozenset({2, 19, 20, 21, 27})
OTHER_NAME = frozenset({62, 63, 64})
"""OpenSSL's numbers (X509_V_ERR_...), which stay the same where its words do not."""


def make_context(ca_files: Iterable[Path] = ()) -> ssl.SSLContext:
    """Return verified TLS 1.2 or later that trusts the system's authorities and those of ``ca_files``.

    There is no way to leave certificates unverified. A file may hold an authority between the root and the service; it
    is in PEM form, or one certificate in DER.
    Raises ``NotUsable`` for a file without certificates.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The same on every Python: 3.13 would refuse the certificates that many a council's own authority makes.
    context.verify_flags = (context.verify_flags | ssl.VERIFY_X509_PARTIAL_CHAIN) & ~ssl.VERIFY_X509_STRICT
    for file in ca_files:
        try:
            content = file.read_bytes()
            # What Windows exports is binary (DER) unless somebody chooses otherwise.
            is_text = b"-----BEGIN CERTIFICATE-----" in content or b"-----BEGIN TRUSTED CERTIFICATE-----" in content
            context.load_verify_locations(cadata=None if is_text else content, cafile=file if is_text else None)
        except (OSError, ValueError):
            raise NotUsable(f"ca_file: {file} holds no certificate in PEM form; export it as Base64") from None
    return context


def explain_certificate(fault: BaseException, host: str, setting: str) -> str | None:
    """Return whose certificate is not trusted, why, and what to set; None where ``fault`` is no such thing.

    ``setting`` is the key of the config that names a private authority's file.
    """
    refusal = next((cause for cause in causes(fault) if isinstance(cause, ssl.SSLCertVerificationError)), None)
    if refusal is None:
        return None
    code = refusal.verify_code
    whose = f"the certificate of {host}"
    if code in UNKNOWN_AUTHORITY:
        return (
            f"{whose} is signed by an authority that this machine does not know, most often the council's own in a "
            f"proxy that opens TLS; name the authority's certificate in {setting}"
        )
    if code == SELF_SIGNED:
        return f"{whose} is signed by itself alone; name that certificate in {setting}, or have the service's replaced"
    if code == EXPIRED:
        return f"{whose} has expired; have the service's renewed, or put this machine's clock right"
    if code == NOT_YET_VALID:
        return f"{whose} is not valid yet; put this machine's clock right, or have the service's replaced"
    if code in OTHER_NAME:
        return f"{whose} is made out to another name; correct the address, or have the service's replaced"
    if code == REVOKED:
        return f"{whose} has been revoked; ask who runs the service"
    return f"{whose} does not verify ({refusal.verify_message}); have the service's replaced"


def causes(fault: BaseException | None) -> Iterator[BaseException]:
    """Yield a fault, then what it was raised from, to the first."""
    while fault is not None:
        yield fault
        fault = fault.__cause__ or fault.__context__
