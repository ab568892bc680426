"""Audit messages over syslog (RFC 5424), by UDP (RFC 5426) or TLS (RFC 5425), as PS3.15 A.6 and A.7 want them."""

from __future__ import annotations

import logging
import os
import re
import socket
import ssl
from dataclasses import replace
from datetime import UTC
from typing import Any

from dicomkit.net.audit_contents import this_host
from dicomkit.net.audit_messages import SUCCESS, AuditMessage
from dicomkit.net.audit_xml import audit_to_xml
from dicomkit.net.errors import NetworkError, connection_failed
from dicomkit.net.tls import Secure, secured

FACILITY, NOTICE, WARNING = 10, 5, 4
"""Security and authorization messages; normal but significant; warning."""
MSGID = "DICOM+RFC3881"
UDP_PORT, TLS_PORT = 514, 6514
MOST_DATAGRAM = 65_507
"""How long a datagram of IPv4 may be."""
_BOM = b"\xef\xbb\xbf"
_NOT_PRINTABLE = re.compile(r"[^!-~]")


def syslog_message(
    message: AuditMessage, *, host: str = "", app_name: str = "dicomkit", process_id: str = "", msgid: str = MSGID
) -> bytes:
    r"""Write an audit message as a syslog message (RFC 5424 6), with its XML as MSG.

    Parameters
    ----------
    host, app_name, process_id
        Who sends it; this machine and process by default. What the header can't hold is replaced by underscores.
    msgid
        ``"DICOM+RFC3881"``, or ``"IHE+RFC-3881"`` where the receiver wants that.

    Examples
    --------
    >>> from datetime import datetime
    >>> from dicomkit.net.audit import ActiveParticipant, AuditSource, audit_message
    >>> message = audit_message("NetworkEntry", [ActiveParticipant("a")], AuditSource("sonic"), type="110124",
    ...                         time=datetime(2026, 1, 2, tzinfo=UTC))
    >>> syslog_message(message, host="sonic", process_id="7").partition(b"<?xml")[0]
    b'<85>1 2026-01-02T00:00:00.000000Z sonic dicomkit 7 DICOM+RFC3881 - \xef\xbb\xbf'
    """
    severity = NOTICE if message.event.outcome == SUCCESS else WARNING
    time = message.event.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
    fields = ((host or this_host(), 255), (app_name, 48), (process_id or str(os.getpid()), 128), (msgid, 32))
    header = " ".join(_NOT_PRINTABLE.sub("_", text)[:most] or "-" for text, most in fields)
    return f"<{FACILITY * 8 + severity}>1 {time} {header} - ".encode() + _BOM + audit_to_xml(message)


def without_instances(message: AuditMessage) -> AuditMessage:
    """Leave out the lists of instances, and keep their numbers."""
    objects = tuple(
        replace(given, sop_classes=tuple(replace(entry, instances=()) for entry in given.sop_classes))
        for given in message.objects
    )
    return replace(message, objects=objects)


class _Syslog(logging.Handler):
    """Sends the message of each record; what goes wrong is raised."""

    def __init__(self, host: str, port: int, timeout: float, app_name: str, msgid: str) -> None:
        super().__init__()
        self.host, self.port, self.timeout, self.app_name, self.msgid = host, port, timeout, app_name, msgid
        self._socket: socket.socket | None = None
        self._address: Any = None

    def close(self) -> None:
        """Let go of the socket."""
        self.acquire()
        try:
            self._forget()
        finally:
            self.release()
        super().close()

    def _forget(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _message(self, record: logging.LogRecord, most: int | None = None) -> bytes:
        message: AuditMessage = record.__dict__["audit_message"]
        data = syslog_message(message, app_name=self.app_name, msgid=self.msgid)
        if most is not None and len(data) > most:
            data = syslog_message(without_instances(message), app_name=self.app_name, msgid=self.msgid)
        return data

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.host}:{self.port}>"


class SyslogUdp(_Syslog):
    """A datagram for each message; one that is too long loses its lists of instances."""

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record.

        Raises
        ------
        NetworkError
            When it can't be sent; nobody knows whether what was sent arrives.
        """
        data = self._message(record, MOST_DATAGRAM)
        try:
            if self._socket is None:
                family, kind, proto, _, self._address = socket.getaddrinfo(
                    self.host, self.port, type=socket.SOCK_DGRAM
                )[0]
                self._socket = socket.socket(family, kind, proto)
            self._socket.sendto(data, self._address)
        except OSError as error:
            self._forget()
            raise connection_failed(error, self.host, self.port, doing="can't send the audit message to") from error


class SyslogTls(_Syslog):
    """A connection that stays open, and is made anew where it broke; each message after its length (RFC 5425)."""

    def __init__(self, host: str, port: int, secure: Secure, timeout: float, app_name: str, msgid: str) -> None:
        super().__init__(host, port, timeout, app_name, msgid)
        self.secure = secure

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record, over a new connection where the old one broke.

        Raises
        ------
        NetworkError
            When it can't be sent.
        """
        data = self._message(record)
        framed = b"%d %s" % (len(data), data)
        if self._socket is not None and _is_broken(self._socket, self.timeout):
            self._forget()
        is_fresh = self._socket is None
        try:
            self._send(framed)
        except NetworkError:
            self._forget()
            if is_fresh:
                raise
            try:
                self._send(framed)
            except NetworkError:
                self._forget()
                raise

    def _send(self, framed: bytes) -> None:
        try:
            if self._socket is None:
                plain = socket.create_connection((self.host, self.port), self.timeout)
                self._socket = secured(plain, self.secure, self.host)
            self._socket.sendall(framed)
        except OSError as error:
            raise connection_failed(error, self.host, self.port, doing="can't send the audit message to") from error


def audit_syslog(
    host: str,
    port: int | None = None,
    *,
    tls: Secure | ssl.SSLContext | None = None,
    timeout: float = 10.0,
    app_name: str = "dicomkit",
    msgid: str = MSGID,
) -> logging.Handler:
    """Make a handler that sends audit messages to a syslog server, in XML.

    Parameters
    ----------
    host, port
        Of the server (the audit record repository); by default port 6514 for TLS and 514 for UDP.
    tls
        How to secure the connection (`dicomkit.net.tls.client`); None sends datagrams, unsecured.
    timeout
        Seconds to wait for the server.
    app_name
        What the header calls this program.
    msgid
        ``"DICOM+RFC3881"``, or ``"IHE+RFC-3881"``.

    Returns
    -------
    logging.Handler
        For `audit_trail`; connects when there is something to send. Where transfers shall not wait for the server, wrap
        it in `in_background`.

    Examples
    --------
    >>> audit_syslog("audit.example")
    <SyslogUdp audit.example:514>
    """
    if tls is None:
        return SyslogUdp(host, port or UDP_PORT, timeout, app_name, msgid)
    secure = Secure(tls) if isinstance(tls, ssl.SSLContext) else tls
    return SyslogTls(host, port or TLS_PORT, secure, timeout, app_name, msgid)


def _is_broken(sock: socket.socket, timeout: float) -> bool:
    """Tell whether the server has closed the connection; a write would not notice that."""
    try:
        sock.settimeout(0)
        return not sock.recv(1024)
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    finally:
        sock.settimeout(timeout)
