"""How long to wait for what, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, fields

from dicomkit.errors import ValueFormatError


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds to wait; None waits for ever.

    Parameters
    ----------
    connect
        For the transport connection and the TLS handshake.
    read
        For the next bytes while an answer is due.
    write
        For the peer to take bytes.
    operation
        For an operation as a whole, from its request to its last response.
    artim
        The ARTIM timer of PS3.8 9.1.5: for the request of an association, and for the peer to close the connection.
    idle
        For the next request on an association that a provider serves.

    Raises
    ------
    ValueFormatError
        When one of them isn't a positive number.

    Examples
    --------
    >>> Timeouts(read=5).read, Timeouts().operation is None
    (5, True)
    """

    connect: float | None = 10.0
    read: float | None = 30.0
    write: float | None = 30.0
    operation: float | None = None
    artim: float | None = 30.0
    idle: float | None = 60.0

    def __post_init__(self) -> None:
        for field in fields(self):
            seconds = getattr(self, field.name)
            if seconds is not None and not 0 < seconds < float("inf"):
                raise ValueFormatError(f"the time-out {field.name} is {seconds!r}", hint="give seconds, or None")
