"""Where a peer is, how to reach it, and as whom."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

from dicomkit.dimse.pdu_bytes import ae_title
from dicomkit.dimse.user_information import DEFAULT_MAXIMUM_LENGTH, UserIdentity
from dicomkit.errors import ValueFormatError
from dicomkit.net.breaker import Breaker
from dicomkit.net.retry import Retry
from dicomkit.net.timeouts import Timeouts
from dicomkit.net.tls import Secure


@dataclass(frozen=True, slots=True)
class Peer:
    """An application entity elsewhere.

    Parameters
    ----------
    host, port
        Where it listens; 104 and 11112 are the registered ports, 2762 the one for TLS.
    aet
        Its AE title.
    calling_aet
        Ours.
    tls
        How the connection is secured: what `dicomkit.net.tls.client` makes, or an SSLContext of one's own; None for a
        plain one.
    identity
        Who the user is (PS3.7 D.3.3.7).
    timeouts
        How long to wait for what, in seconds.
    maximum_length
        How large the PDUs may be that we are ready to receive, 0 for any size up to a bound of ours.
    window
        How many operations to propose to have under way at once, 0 for any number; the peer may grant fewer.
    retry
        When to try again what failed; None: never.
    breaker
        What leaves the peer alone for a while when it fails too often; all who hold the same one share what it knows.

    Raises
    ------
    ValueFormatError
        When an AE title or the port can't be one.

    Examples
    --------
    >>> Peer("pacs.local", 104, "PACS")
    Peer('pacs.local', 104, 'PACS')
    """

    host: str
    port: int
    aet: str = "ANY-SCP"
    calling_aet: str = "DICOMKIT"
    tls: Secure | ssl.SSLContext | None = field(default=None, repr=False)
    identity: UserIdentity | None = field(default=None, repr=False)
    timeouts: Timeouts = field(default_factory=Timeouts, repr=False)
    maximum_length: int = DEFAULT_MAXIMUM_LENGTH
    window: int = 1
    retry: Retry | None = field(default=None, repr=False, kw_only=True)
    breaker: Breaker | None = field(default=None, repr=False, compare=False, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "aet", ae_title(self.aet))
        object.__setattr__(self, "calling_aet", ae_title(self.calling_aet))
        if isinstance(self.tls, ssl.SSLContext):
            object.__setattr__(self, "tls", Secure(self.tls))
        if not 0 < self.port < 65536:
            raise ValueFormatError(f"{self.port} is no port, which is 1 to 65535")

    @property
    def secure(self) -> Secure | None:
        """How the connection is secured."""
        return self.tls if isinstance(self.tls, Secure) else None

    def __repr__(self) -> str:
        secured = ", tls" if self.tls else ""
        return f"Peer({self.host!r}, {self.port}, {self.aet!r}{secured})"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.aet}@{host}:{self.port}"
