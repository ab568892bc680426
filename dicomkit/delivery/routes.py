"""A route: which peers a destination stands for, and how instances go to them, as a frozen value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from dicomkit.dataset.dataset import DataSet
from dicomkit.delivery.failover import Candidate, Selection, order
from dicomkit.delivery.schedule import Schedule
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.pool import Pool, Target
from dicomkit.errors import ValueFormatError
from dicomkit.net.bandwidth import Bandwidth
from dicomkit.net.retry import Retry
from dicomkit.values.uid import UID

Level: TypeAlias = Literal["minimal", "standard", "strict"]
Compression: TypeAlias = Literal["fast", "balanced", "small"]

COMPRESSIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "fast": ("RLELossless", "JPEGLSLossless", "JPEGLosslessSV1"),
        "balanced": ("JPEGLSLossless", "HTJ2KLossless", "JPEG2000Lossless", "JPEGLosslessSV1", "RLELossless"),
        "small": ("JPEG2000Lossless", "HTJ2KLossless", "JPEGLSLossless", "JPEGLosslessSV1", "RLELossless"),
    }
)
"""What instances are compressed to, without loss, the best first: by the time that it takes, or by what is saved."""
INSTANCE_RETRY = Retry(attempts=10, first=2.0, longest=600.0)
PATIENCE = Retry(attempts=6, first=1.0, longest=30.0)


@dataclass(frozen=True, slots=True)
class Commitment:
    """That a peer has to commit to keep what it was sent, and how long to wait for its word; see `dicomkit.commit`.

    Attributes
    ----------
    wait
        Seconds from the request on. Where reports can come over new associations more is sent meanwhile.
    host, port
        Where to listen for these; None: nowhere.
    """

    wait: float = 30.0
    host: str = "127.0.0.1"
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """How a destination is reached, and how instances go there.

    Parameters
    ----------
    candidates
        The peers any of which may have an instance.
    strategy
        In which order they are tried: ``"failover"``, ``"priority"``, ``"round robin"``, ``"weighted"``, ``"random"``.
    retry
        How often and when an instance is tried again that a peer didn't take; then it is a dead letter. Its time-out
        runs from when the instance was put into the queue.
    patience
        How often and when to try again where no peer can be reached. This is no attempt of an instance.
    validation
        Errors that `dicomkit.validate` finds on this level make an instance a dead letter, unsent; None: no look.
    check
        Called with each data set before it is sent; a DicomError that it raises makes it a dead letter, unsent.
    transfer_syntaxes
        To which instances are converted, without loss, where a peer takes it, the best first.
    convert
        Whether an instance may be converted where no peer takes it as it is.
    bandwidth
        A limit that all associations of the route share.
    schedule
        When to send, and how fast.
    associations
        How many to use at once.
    batch
        How many instances go over one association.
    commitment
        Whether the peer has to commit to keep what it was sent, before it counts as delivered.
    """

    candidates: tuple[Candidate, ...]
    strategy: Selection = "failover"
    retry: Retry = INSTANCE_RETRY
    patience: Retry = PATIENCE
    validation: Level | None = None
    transfer_syntaxes: tuple[str, ...] = ()
    convert: bool = True
    bandwidth: Bandwidth | None = field(default=None, compare=False)
    schedule: Schedule | None = None
    associations: int = 1
    batch: int = 100
    commitment: Commitment | None = None
    check: Callable[[DataSet], object] | None = None

    def __post_init__(self) -> None:
        order(self.candidates, self.strategy)  # says what is wrong with them
        if self.associations < 1 or self.batch < 1:
            raise ValueFormatError(f"{self.associations} associations of {self.batch} instances", hint="1 or more")
        if self.validation not in (None, *get_args(Level)):
            raise ValueFormatError(
                f"there is no level {self.validation!r}", hint=f"one of {', '.join(get_args(Level))}"
            )
        if self.schedule is not None and not self.schedule.windows:
            raise ValueFormatError("a schedule that never opens", hint='name hours: "22:00-06:00", or leave it out')

    @property
    def name(self) -> str:
        """The peers, as a name for the destination."""
        return ", ".join(str(getattr(candidate.peer, "peer", candidate.peer)) for candidate in self.candidates)


def route(
    to: Target | Candidate | Iterable[Target | Candidate],
    *,
    strategy: Selection = "failover",
    retry: Retry = INSTANCE_RETRY,
    patience: Retry = PATIENCE,
    validation: Level | None = None,
    compress: Compression | None = None,
    transfer_syntaxes: Sequence[str] = (),
    convert: bool = True,
    bandwidth: Bandwidth | float | None = None,
    schedule: Schedule | str | Iterable[str] | None = None,
    associations: int = 1,
    batch: int = 100,
    commitment: Commitment | bool = False,
    check: Callable[[DataSet], object] | None = None,
) -> Route:
    """Make a route.

    Parameters
    ----------
    to
        A peer, or several any of which may have an instance; `Candidate` gives them priorities and weights.
    compress
        ``"fast"``, ``"balanced"`` or ``"small"``: instances that aren't compressed are, without loss, into what
        `COMPRESSIONS` lists, where the peer takes it.
    transfer_syntaxes
        By UID or keyword: what to convert to, before what ``compress`` says.
    bandwidth
        Bytes a second, or a `Bandwidth` that others share.
    schedule
        A `Schedule`, or its windows: ``"22:00-06:00"``, ``["mon-fri 08:00-18:00 at 1 MB/s", "sat,sun"]``.
    commitment
        Whether the peer has to commit to keep what it was sent; or how it is asked.

    The other parameters are those of `Route`.

    Raises
    ------
    ValueFormatError
        When one of them makes no sense.

    Examples
    --------
    >>> to_archive = route([Peer("a.local", 104, "A"), Peer("b.local", 104, "B")], compress="fast")
    >>> to_archive.name, len(to_archive.transfer_syntaxes)
    ('A@a.local:104, B@b.local:104', 3)
    """
    if compress is not None and compress not in COMPRESSIONS:
        raise ValueFormatError(f"there is no compression {compress!r}", hint=f"one of {', '.join(COMPRESSIONS)}")
    peers = [to] if isinstance(to, (Peer, Pool, Candidate)) else to
    wanted = [*transfer_syntaxes, *COMPRESSIONS.get(compress or "", ())]
    if schedule is not None and not isinstance(schedule, Schedule):
        schedule = Schedule.of(*([schedule] if isinstance(schedule, str) else schedule))
    if bandwidth is None and schedule is not None:
        bandwidth = Bandwidth(schedule.rate_now)
    return Route(
        order(peers, "failover"),
        strategy,
        retry,
        patience,
        validation,
        tuple(dict.fromkeys(str(UID.of(name)) for name in wanted)),
        convert,
        bandwidth if bandwidth is None or isinstance(bandwidth, Bandwidth) else Bandwidth(bandwidth),
        schedule,
        associations,
        batch,
        commitment if isinstance(commitment, Commitment) else Commitment() if commitment else None,
        check,
    )
