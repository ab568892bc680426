"""Certificates and keys as files: PKCS#12 to what OpenSSL loads, and certificates for development (extra ``tls``)."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dicomkit.errors import MissingFeatureError, SourceError
from dicomkit.opening import open_source
from dicomkit.replacement import replace_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12KeyAndCertificates

MAX_PKCS12 = 1 << 20
_PEM, _DER_SEQUENCE = b"-----BEGIN", b"\x30"


class CertificateFiles(NamedTuple):
    """Where a certificate and its key are, both in PEM form."""

    certificate: str
    key: str


def read_pkcs12(path: str | PathLike[str], password: str | None) -> PKCS12KeyAndCertificates | None:
    """Read a PKCS#12 file; None where the file is something else.

    Raises
    ------
    SourceError
        When it can't be read, the password is wrong, or it has no key.
    MissingFeatureError
        Without `cryptography`.
    """
    with open_source(path) as opened:
        data = opened.read_at(0, MAX_PKCS12)
    if not data.startswith(_DER_SEQUENCE):
        return None
    try:
        from cryptography.hazmat.primitives.serialization import pkcs12
    except ImportError:
        raise MissingFeatureError("a PKCS#12 file", "tls") from None
    try:
        loaded = pkcs12.load_pkcs12(data, password.encode() if password else None)
    except (ValueError, TypeError) as error:
        raise SourceError(
            f"can't read the PKCS#12 file: {error}", path=fspath(path), hint="check the password"
        ) from None
    if loaded.key is None or loaded.cert is None:
        raise SourceError("the PKCS#12 file has no certificate with its key", path=fspath(path))
    return loaded


@contextmanager
def temporary_pem(loaded: PKCS12KeyAndCertificates) -> Iterator[tuple[str, str]]:
    """Write a PEM file for OpenSSL to load, with the key encrypted by a random password; gives path and password."""
    from cryptography.hazmat.primitives import serialization

    secret = secrets.token_urlsafe(32)
    key: Any = loaded.key
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(secret.encode()),
    )
    for entry in (loaded.cert, *loaded.additional_certs):
        if entry is not None:
            pem += entry.certificate.public_bytes(serialization.Encoding.PEM)
    with tempfile.TemporaryDirectory(prefix="dicomkit-") as folder:
        path = os.path.join(folder, "chain.pem")
        replace_file(path, [pem])
        yield path, secret


def self_signed(
    folder: str | PathLike[str], *, names: Sequence[str] = ("localhost", "127.0.0.1"), days: int = 30
) -> CertificateFiles:
    """Make a certificate that nobody vouches for, with its key: for development and tests, not for patients' data.

    Parameters
    ----------
    folder
        Where ``development.crt`` and ``development.key`` are written; the key for its owner's eyes only.
    names
        Host names and addresses that it is issued for; the first is its common name.
    days
        How long it is valid.

    Returns
    -------
    CertificateFiles
        For `dicomkit.net.tls.server`; the certificate is also what a client names as ``authorities``.

    Raises
    ------
    MissingFeatureError
        Without `cryptography`.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = self_signed(folder)
    ...     print(os.path.basename(files.certificate), os.path.basename(files.key))
    development.crt development.key
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        raise MissingFeatureError("making a certificate", "tls") from None
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    start = datetime.now(UTC) - timedelta(minutes=5)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = CertificateFiles(*(fspath(Path(folder) / f"development.{kind}") for kind in ("crt", "key")))
    replace_file(files.certificate, [certificate.public_bytes(serialization.Encoding.PEM)])
    _write_secret(
        files.key,
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    return files


def _general_name(name: str) -> Any:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write_secret(path: str, data: bytes) -> None:
    """Write a file that only its owner can read, from its first byte on."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        os.chmod(path, 0o600)
        file.write(data)
