"""Who is on the other side, as the arguments of a command say it."""

from __future__ import annotations

from argparse import Namespace
from getpass import getpass
from typing import TYPE_CHECKING, Any

import dicomkit as dk
from dicomkit.errors import ValueFormatError

if TYPE_CHECKING:
    from dicomkit.dimse.peer import Peer
    from dicomkit.net.tls import Secure


def peer_of(arguments: Namespace, address: str | None = None) -> Peer:
    """Make the peer of the arguments, or of another address: [AET@]HOST:PORT, and how to speak with it."""
    title, host, port = address_of(address or arguments.peer)
    seconds = arguments.timeout
    options: dict[str, Any] = {}
    if seconds is not None:
        options["timeouts"] = dk.net.Timeouts(connect=seconds, read=seconds, write=seconds)
    if arguments.retry is not None:
        options["retry"] = dk.net.Retry(attempts=arguments.retry + 1)
    if arguments.user is not None:
        secret = getpass() if arguments.password == "-" else arguments.password
        options["identity"] = dk.dimse.UserIdentity.username(arguments.user, passcode=secret)
    elif arguments.password is not None:
        raise ValueFormatError("a password needs a name", hint="give --user too")
    called = arguments.called or title or "ANY-SCP"
    return dk.Peer(host, port, called, arguments.calling, tls=client_tls(arguments), **options)


def address_of(text: str) -> tuple[str, str, int]:
    """Read [AET@]HOST:PORT: the AE title, which may be empty, the host and the port."""
    title, _, rest = text.rpartition("@")
    host, colon, port = rest.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (host and colon and port.isascii() and port.isdigit()):
        raise ValueFormatError(f"{text!r} is no peer", hint="write HOST:PORT or AET@HOST:PORT, such as PACS@pacs:104")
    return title, host, int(port)


def destination_of(text: str) -> tuple[str, Peer]:
    """Read AET@HOST:PORT: the AE title and the peer."""
    title, host, port = address_of(text)
    if not title:
        raise ValueFormatError(f"{text!r} has no AE title", hint="write AET@HOST:PORT")
    return title, dk.Peer(host, port, title)


def client_tls(arguments: Namespace) -> Secure | None:
    """Return how a connection to the peer of the arguments is secured; None where it isn't."""
    given = {name: getattr(arguments, f"tls_{name}") for name in ("authorities", "certificate", "key", "server_name")}
    if not (arguments.tls or arguments.tls_pin or arguments.tls_any_name or any(given.values())):
        return None
    return dk.net.tls.client(**given, pins=arguments.tls_pin, check_name=not arguments.tls_any_name)


def server_tls(arguments: Namespace) -> Secure | None:
    """Return how the connections that come are secured; None where they aren't."""
    if arguments.tls_certificate is None:
        if arguments.tls_key or arguments.tls_authorities:
            raise ValueFormatError("a server with TLS needs a certificate", hint="give --tls-certificate")
        return None
    return dk.net.tls.server(arguments.tls_certificate, arguments.tls_key, client_authorities=arguments.tls_authorities)
