"""What can go wrong with a peer, in what category, and what to try.

::

    DicomError
    └── NetworkError                 .category: transient, permanent, configuration or security
        ├── ConnectionFailedError    no transport connection, or none that is secure        (also OSError)
        ├── PeerTimeoutError         the peer took too long                                  (also TimeoutError)
        │   └── PoolBusyError        others use all associations of a pool
        ├── CircuitOpenError         the peer failed too often; it is left alone for a while
        ├── PeersFailedError         none of several peers did what was asked
        ├── AssociationRejectedError the peer refused the association
        ├── AssociationAbortedError  the association ended at once
        ├── ContextNotAcceptedError  the peer doesn't take what is to be sent
        ├── ProtocolError            the peer, or the caller, breaks the protocol
        └── StatusError              a response tells of a failure
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from dicomkit.errors import DicomError
from dicomkit.net.printable import printable
from dicomkit.standard.upper_layer import reason_text

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet
    from dicomkit.net.retry import Attempt
    from dicomkit.standard.statuses import Status

Category: TypeAlias = Literal["transient", "permanent", "configuration", "security"]

_REJECTION_HINTS: Mapping[tuple[int, int], tuple[Category, str]] = {
    (1, 2): ("permanent", "the peer may not be a DICOM application; check host and port"),
    (1, 3): ("configuration", "register our AE title with the peer, or call it as it knows us"),
    (1, 7): ("configuration", "check the AE title of the peer; upper and lower case differ"),
    (2, 2): ("permanent", "the peer speaks another version of the upper layer protocol"),
    (3, 1): ("transient", "try again later"),
    (3, 2): ("transient", "the peer serves as many associations as it can; use fewer at a time, or try again later"),
}
"""By source and reason: the category, where it isn't what the result says, and what to try."""


class NetworkError(DicomError):
    """Something went wrong between us and a peer; ``category`` says whether it is worth to try again.

    ``transient``: the same may work later. ``permanent``: it will not. ``configuration``: not before someone changes an
    address, an AE title or a setting. ``security``: certificates, identity or permission.

    Attributes
    ----------
    history
        The attempts that failed before this one, where a policy said to try again.
    retry_after
        How many seconds to wait at least before trying again.

    Examples
    --------
    >>> NetworkError("no answer", category="transient").category
    'transient'
    """

    category: Category = "permanent"
    history: Sequence[Attempt] = ()
    retry_after: float = 0.0

    def __init__(self, message: str, *, category: Category | None = None, **where: Any) -> None:
        super().__init__(message, **where)
        if category is not None:
            self.category = category


class ConnectionFailedError(NetworkError, OSError):
    """A transport connection that can't be made, can't be made secure, or broke; see `connection_failed`."""

    category: Category = "transient"


class PeerTimeoutError(NetworkError, TimeoutError):
    """A peer that took longer than allowed; ``waited`` is the time-out that ran out, in seconds."""

    category: Category = "transient"

    def __init__(self, message: str, *, waited: float | None = None, **where: Any) -> None:
        super().__init__(message, **where)
        self.waited = waited


class PoolBusyError(PeerTimeoutError):
    """A pool all of whose associations are in use for longer than the time-out."""


class CircuitOpenError(NetworkError):
    """A peer that failed too often and is left alone for ``retry_after`` seconds; see `dicomkit.net.breaker`.

    Parameters
    ----------
    peer
        Who failed.
    retry_after
        Seconds until it is tried again.

    Examples
    --------
    >>> print(CircuitOpenError("PACS@pacs:104", 12.3))
    PACS@pacs:104 failed too often: it is left alone for another 12.3 s; try again then, or reset its breaker
    """

    category: Category = "transient"

    def __init__(self, peer: str = "", retry_after: float = 0.0, **where: Any) -> None:
        self.peer, self.retry_after = peer, retry_after
        until = f"it is left alone for another {retry_after:.1f} s" if retry_after else "somebody else is trying it"
        hint = "try again then, or reset its breaker"
        super().__init__(f"{peer or 'the peer'} failed too often: {until}", **{"hint": hint, **where})


class PeersFailedError(NetworkError):
    """Several peers, none of which did what was asked; ``failures`` has each one's name and error.

    Parameters
    ----------
    failures
        In the order in which they were tried.

    Examples
    --------
    >>> print(PeersFailedError([("A@a:104", PeerTimeoutError("no answer")), ("B@b:104", NetworkError("refused"))]))
    none of 2 peers did it: A@a:104: no answer; B@b:104: refused
    """

    category: Category = "transient"

    def __init__(self, failures: Sequence[tuple[str, NetworkError]] = (), **where: Any) -> None:
        self.failures = tuple(failures)
        told = "; ".join(f"{peer}: {error}" for peer, error in self.failures)
        super().__init__(f"none of {len(self.failures)} peers did it: {told}", **where)


class AssociationRejectedError(NetworkError):
    """An A-ASSOCIATE-RJ: the peer refused the association (PS3.8 9.3.4).

    Parameters
    ----------
    result, source, reason
        The numbers of PS3.8 Table 9-21; what they mean is in `result_text`, `source_text` and `reason_text`.
    peer
        Who refused.

    Examples
    --------
    >>> error = AssociationRejectedError(1, 1, 7, "PACS@pacs:104")
    >>> error.category, error.message
    ('configuration', 'PACS@pacs:104 rejected the association: called-AE-title-not-recognized (rejected-permanent)')
    """

    def __init__(self, result: int, source: int, reason: int, peer: str = "", **where: Any) -> None:
        category, hint = _REJECTION_HINTS.get((source, reason), (None, None))
        default: Category = "transient" if result == 2 else "permanent"
        self.result, self.source, self.reason, self.peer = result, source, reason, peer
        self.result_text = reason_text("reject result", 0, result)
        self.source_text = reason_text("reject source", 0, source)
        self.reason_text = reason_text("reject reason", source, reason)
        message = f"{peer or 'the peer'} rejected the association: {self.reason_text} ({self.result_text})"
        super().__init__(message, **{"category": category or default, "hint": hint, **where})


class AssociationAbortedError(NetworkError):
    """An association that ended before its time: by an A-ABORT, or with its connection (PS3.8 9.3.8).

    Parameters
    ----------
    source, reason
        The numbers of PS3.8 Table 9-26; None where there was no A-ABORT.
    peer
        Who ended it.
    message
        What happened, where there was no A-ABORT.

    Examples
    --------
    >>> print(AssociationAbortedError(2, 6))
    the peer aborted the association: invalid-PDU-parameter value (by DICOM UL service-provider)
    """

    category: Category = "transient"

    def __init__(
        self, source: int | None, reason: int | None, peer: str = "", message: str | None = None, **where: Any
    ) -> None:
        self.source, self.reason, self.peer = source, reason, peer
        self.source_text = "" if source is None else reason_text("abort source", 0, source).partition(" (")[0]
        self.reason_text = reason_text("abort reason", 2, reason or 0) if source == 2 else "no reason given"
        told = f"{peer or 'the peer'} aborted the association: {self.reason_text} (by {self.source_text})"
        super().__init__(message or told, **where)


class ContextNotAcceptedError(NetworkError):
    """No presentation context was accepted for what is to be sent (PS3.8 9.3.3.2).

    Parameters
    ----------
    abstract_syntax
        The UID of the SOP class.
    transfer_syntax
        The UID of the one that it would have to be; None where any would do.
    peer
        Who didn't accept it.
    result
        Result/Reason of the presentation context (PS3.8 Table 9-18), where it was proposed and that is known.

    Examples
    --------
    >>> print(ContextNotAcceptedError("1.2.840.10008.1.1", result=3))
    the peer accepted no presentation context for 1.2.840.10008.1.1: abstract-syntax-not-supported (provider rejection)
    """

    category: Category = "configuration"

    def __init__(
        self,
        abstract_syntax: str,
        transfer_syntax: str | None = None,
        peer: str = "",
        result: int | None = None,
        **where: Any,
    ) -> None:
        self.abstract_syntax, self.transfer_syntax, self.peer, self.result = (
            abstract_syntax,
            transfer_syntax,
            peer,
            result,
        )
        what = printable(abstract_syntax) + (f" in {printable(transfer_syntax)}" if transfer_syntax else "")
        why = f": {reason_text('context result', 0, result)}" if result else ""
        super().__init__(f"{peer or 'the peer'} accepted no presentation context for {what}{why}", **where)


class ProtocolError(NetworkError):
    """Bytes that break the protocol, or a primitive that the state doesn't allow; ``offset`` counts within the PDU."""


class StatusError(NetworkError):
    """A response whose status is a failure (PS3.7 annex C).

    Parameters
    ----------
    status
        What the peer answered.
    data_set
        What came with it: a data set, or None.
    comment
        ErrorComment (0000,0902) of the peer.

    Examples
    --------
    >>> from dicomkit.standard.statuses import status
    >>> error = StatusError(status(0xA700, "C-STORE"), comment="disk full\\n")
    >>> error.message, error.category
    ('status 0xA700: Refused: Out of Resources (the peer says: disk full\\\\n)', 'transient')
    """

    def __init__(self, status: Status, data_set: DataSet | None = None, *, comment: str = "", **where: Any) -> None:
        self.status, self.data_set, self.comment = status, data_set, comment
        said = f" (the peer says: {printable(comment)})" if comment else ""
        where.setdefault("category", status.nature or "permanent")
        super().__init__(f"status 0x{status.code:04X}: {status.meaning}{said}", **where)


def connection_failed(
    error: OSError, host: str, port: int | None = None, *, doing: str = "can't connect to", fresh: bool = False
) -> ConnectionFailedError | PeerTimeoutError:
    """Say what an error of a socket, or of TLS, means and what to try.

    Parameters
    ----------
    error
        What was caught; one of our own comes back as it is.
    host, port
        The other side.
    doing
        What failed, before host and port.
    fresh
        Whether the handshake of TLS is done and nothing came since: with TLS 1.3 this is when a peer refuses our
        certificate.

    Examples
    --------
    >>> error = connection_failed(ConnectionRefusedError(111, "Connection refused"), "pacs.local", 104)
    >>> print(error)
    can't connect to pacs.local:104: Connection refused; check host and port, and that the peer is running
    >>> error.category
    'transient'
    """
    if isinstance(error, ConnectionFailedError | PeerTimeoutError):
        return error
    where = printable(host, 255) if port is None else f"{printable(host, 255)}:{port}"
    if isinstance(error, TimeoutError):
        return PeerTimeoutError(f"{doing} {where}: no answer in time", hint="check host, port and firewalls")
    what = printable(error.strerror or error, 200)
    category, hint = ("security", _FRESH) if fresh else _cause(error)
    if isinstance(error, ssl.SSLError):  # made by OpenSSL it knows more than made by Python
        reason = str(getattr(error, "reason", None) or "").replace("_", " ").lower()
        what = printable(getattr(error, "verify_message", None) or reason or what, 200)
    return ConnectionFailedError(f"{doing} {where}: {what}", category=category, hint=hint)


def _cause(error: OSError) -> tuple[Category, str | None]:
    """Give the category of an error of a socket, and what to try."""
    for kind, category, hint in _CAUSES:
        if isinstance(error, kind):
            return category, hint
    return "transient", None


_FRESH = "the peer may want a certificate of ours, from an authority that it trusts"
_CAUSES: tuple[tuple[type[OSError], Category, str], ...] = (
    (
        ssl.SSLCertVerificationError,
        "security",
        "the certificate of the peer isn't one that is trusted here; check its authority, its name and its dates",
    ),
    (ssl.SSLEOFError, "transient", "the peer broke off without a word"),
    (ssl.SSLError, "security", "check that both sides use TLS, a version and cipher in common, and certificates"),
    (socket.gaierror, "configuration", "check the name of the host"),
    (ConnectionRefusedError, "transient", "check host and port, and that the peer is running"),
    (PermissionError, "configuration", "choose a port above 1023, or ask for the permission"),
)
"""From the narrow to the wide."""
