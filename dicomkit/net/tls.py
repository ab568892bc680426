"""What TLS needs on either side, as frozen values and functions that make them (PS3.15 annex B).

`client` and `server` make a `Secure` from the files that one has; drivers use it. Nothing here listens or connects.
"""

from __future__ import annotations

import hashlib
import re
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from os import PathLike, fspath
from types import MappingProxyType
from typing import TypeAlias

from dicomkit.errors import SourceError, UnsupportedError, ValueFormatError
from dicomkit.net.certificates import read_pkcs12, temporary_pem
from dicomkit.net.errors import ConnectionFailedError, connection_failed

Path: TypeAlias = "str | PathLike[str]"

PROFILES: Mapping[str, str] = MappingProxyType(
    {
        "BCP 195 RFC 8996, 9325": "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AESCCM:!AESCCM8",
        "Modified BCP 195 RFC 8996, 9325": (
            "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-CCM:"
            "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256:"
            "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-CCM"
        ),
        "Extended BCP 195": (
            "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
            "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
        ),
        "Non-Downgrading BCP 195": (
            "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES256-GCM-SHA384:"
            "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256"
        ),
    }
)
"""The secure transport profiles of PS3.15 B.12, B.13 and (retired) B.11 and B.10: their cipher suites for TLS 1.2, as
OpenSSL names them. All of them have TLS 1.2 and 1.3 and nothing older, with the three suites of TLS 1.3 that OpenSSL
turns on, which every profile permits. CCM_8 suites are left out: OpenSSL rates them at 64 bits."""
DEFAULT_PROFILE = "BCP 195 RFC 8996, 9325"

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Secure:
    """How to secure a connection.

    Parameters
    ----------
    context
        Versions, cipher suites, own certificate, trusted authorities; one of your own will do.
    server_name
        What the certificate of the server must be issued for, where that isn't the host that was connected to.
    pins
        SHA-256 fingerprints (64 hexadecimal digits) of certificates of which the peer must have one; empty for any.

    Examples
    --------
    >>> Secure(ssl.create_default_context(), pins=frozenset({"AB:" * 31 + "AB"})).pins == {"ab" * 32}
    True
    """

    context: ssl.SSLContext = field(repr=False)
    server_name: str | None = None
    pins: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        pins = frozenset(pin.replace(":", "").replace(" ", "").lower() for pin in self.pins)
        for pin in pins:
            if not _FINGERPRINT.fullmatch(pin):
                raise ValueFormatError(
                    "a pin is the SHA-256 fingerprint of a certificate, which has 64 hexadecimal digits",
                    hint="openssl x509 -noout -fingerprint -sha256 -in FILE",
                )
        object.__setattr__(self, "pins", pins)


def client(
    *,
    authorities: Path | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    password: str | None = None,
    server_name: str | None = None,
    check_name: bool = True,
    pins: Iterable[str] = (),
    profile: str = DEFAULT_PROFILE,
) -> Secure:
    """Make what a requestor of associations needs.

    Parameters
    ----------
    authorities
        A PEM file of the certificates that are trusted to sign that of the peer. None trusts those of the system; with
        pins, it trusts the pinned certificates and nothing else.
    certificate, key
        Who we are, for peers that ask: PEM files, of which the first may hold both; or one PKCS#12 file.
    password
        Of the key or the PKCS#12 file.
    server_name, check_name
        The name that the peer's certificate must have been issued for, where it isn't that of the host; False checks no
        name, for certificates that were issued to an AE title.
    pins
        SHA-256 fingerprints of certificates of which the peer must have one.
    profile
        A key of `PROFILES`.

    Returns
    -------
    Secure
        For ``Peer(..., tls=...)``.

    Raises
    ------
    SourceError
        When a file can't be read, or isn't what it should be.
    MissingFeatureError
        For a PKCS#12 file without `cryptography`.

    Examples
    --------
    >>> secure = client()
    >>> secure.context.minimum_version.name, secure.context.verify_mode.name
    ('TLSv1_2', 'CERT_REQUIRED')
    """
    context = _context(ssl.PROTOCOL_TLS_CLIENT, profile)
    pins = frozenset(pins)
    if authorities is None and pins:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the pins decide
    else:
        context.check_hostname = check_name
        _trust(context, authorities)
    if certificate is not None:
        _identify(context, certificate, key, password)
    return Secure(context, server_name, pins)


def server(
    certificate: Path,
    key: Path | None = None,
    *,
    password: str | None = None,
    client_authorities: Path | None = None,
    pins: Iterable[str] = (),
    profile: str = DEFAULT_PROFILE,
) -> Secure:
    """Make what an acceptor of associations needs.

    Parameters
    ----------
    certificate, key, password
        Who we are, as in `client`.
    client_authorities
        A PEM file of the certificates that are trusted to sign those of requestors, who must then have one (mutual
        TLS). None asks for none: anyone who can connect is let in as far as TLS goes.
    pins
        SHA-256 fingerprints of certificates of which the requestor must have one, beside being signed as above.
    profile
        A key of `PROFILES`.

    Raises
    ------
    SourceError
        When a file can't be read, or isn't what it should be.
    ValueFormatError
        For pins without client_authorities.
    MissingFeatureError
        For a PKCS#12 file without `cryptography`.

    Examples
    --------
    >>> server("no such file")
    Traceback (most recent call last):
    dicomkit.errors.SourceError: can't open the file: No such file or directory [path no such file]
    """
    pins = frozenset(pins)
    if pins and client_authorities is None:
        raise ValueFormatError("pins need client_authorities: without them no requestor shows its certificate")
    context = _context(ssl.PROTOCOL_TLS_SERVER, profile)
    if client_authorities is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        _trust(context, client_authorities)
    _identify(context, certificate, key, password)
    return Secure(context, None, pins)


def fingerprint(certificate: bytes) -> str:
    """Give the SHA-256 fingerprint of a certificate in DER form.

    Examples
    --------
    >>> fingerprint(b"")[:16]
    'e3b0c44298fc1c14'
    """
    return hashlib.sha256(certificate).hexdigest()


def secured(
    sock: socket.socket, secure: Secure, server_hostname: str | None = None, *, server_side: bool = False
) -> ssl.SSLSocket:
    """Make TLS of a connected socket, whose time-out goes for the handshake, and check the pins; closes it on failure.

    Raises
    ------
    ConnectionFailedError, PeerTimeoutError
        When the handshake fails, or the certificate isn't one of those pinned.
    """
    name = None if server_side else secure.server_name or server_hostname
    where = name or "the requestor"
    port = _port(sock)
    try:
        wrapped = secure.context.wrap_socket(sock, server_side=server_side, server_hostname=name)
    except OSError as error:
        sock.close()
        raise connection_failed(error, where, port, doing="can't secure the connection to") from error
    try:
        check_pins(wrapped, secure)
    except ConnectionFailedError:
        wrapped.close()
        raise
    return wrapped


def check_pins(connection: ssl.SSLSocket | ssl.SSLObject, secure: Secure) -> None:
    """Check the certificate of a peer against the pins, after the handshake.

    Raises
    ------
    ConnectionFailedError
        When it isn't one of those pinned; ``category`` is "security".
    """
    if not secure.pins:
        return
    certificate = connection.getpeercert(binary_form=True)
    shown = fingerprint(certificate) if certificate else "none"
    if shown not in secure.pins:
        raise ConnectionFailedError(
            f"the certificate of the peer is none of those pinned; its SHA-256 fingerprint is {shown}",
            category="security",
            hint="ask who runs the peer whether its certificate was renewed, before you pin the new one",
        )


def _port(sock: socket.socket) -> int | None:
    """Give the port of the peer, where there is one."""
    try:
        address = sock.getpeername()
    except OSError:
        return None
    return int(address[1]) if isinstance(address, tuple) else None


def _context(protocol: int, profile: str) -> ssl.SSLContext:
    if profile not in PROFILES:
        raise UnsupportedError(f"no TLS profile {profile!r}", hint=f"there are {', '.join(map(repr, PROFILES))}")
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(PROFILES[profile])
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    return context


def _trust(context: ssl.SSLContext, authorities: Path | None) -> None:
    """Load the certificates of trusted authorities."""
    if authorities is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        return
    try:
        context.load_verify_locations(fspath(authorities))
    except (OSError, ValueError) as error:
        raise _unusable("certificates of the authorities", authorities, error) from error


def _identify(context: ssl.SSLContext, certificate: Path, key: Path | None, password: str | None) -> None:
    """Load our own certificate and its key."""
    try:
        pkcs12 = read_pkcs12(certificate, password) if key is None else None
        if pkcs12 is None:
            # Without the empty password OpenSSL would ask for one at the terminal.
            context.load_cert_chain(fspath(certificate), None if key is None else fspath(key), password or "")
            return
        with temporary_pem(pkcs12) as (path, secret):
            context.load_cert_chain(path, None, secret)
    except (OSError, ValueError) as error:
        if isinstance(error, SourceError):
            raise
        raise _unusable("certificate", certificate, error) from error


def _unusable(what: str, path: Path, error: Exception) -> SourceError:
    reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
    hint = "give PEM files, of the certificate and of its key" if isinstance(error, ssl.SSLError) else None
    return SourceError(f"can't use the {what}: {reason}", path=fspath(path), hint=hint)
