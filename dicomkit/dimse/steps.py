"""The steps that an operation yields: all that it wants from the world.

An operation is a generator. It yields one of these values, is sent what came of it, and returns its result. What runs
it (`blocking_driver`, `asyncio_driver`) owns sockets, threads, tasks and clocks; what fails there is thrown into the
generator, a NetworkError where it is about a wire. An operation that is abandoned is closed, and its wires are aborted.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from dicomkit.net.errors import NetworkError
from dicomkit.net.tls import Secure

Buffer: TypeAlias = "bytes | bytearray | memoryview"
Wire: TypeAlias = Any
"""A transport connection, as the driver has it; an operation only hands it back."""


@dataclass(frozen=True, slots=True)
class Open:
    """Connect, and secure the connection; gives a wire."""

    host: str
    port: int
    secure: Secure | None = None
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """Wait for bytes; gives those that there are, which stay valid until the next Read, and none at the end.

    With a timeout of 0 it gives None where there are none yet.
    """

    wire: Wire
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """Write all of some buffers."""

    wire: Wire
    buffers: Sequence[Buffer] = field(repr=False)
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """Close a wire; ``linger`` seconds at most are spent to let what was written arrive."""

    wire: Wire
    linger: float = 0.0


@dataclass(frozen=True, slots=True)
class Sleep:
    """Let time pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Offload:
    """Call a function that may take a while; gives what it returns.

    It runs to its end. Where the operation is abandoned meanwhile that is waited for; or else, where there is ``undo``,
    that is called with what it returned.
    """

    function: Callable[[], Any]
    undo: Callable[[Any], object] | None = None


@dataclass(frozen=True, slots=True)
class Emit:
    """Hand a result to whoever waits for the results of the operation."""

    result: Any


@dataclass(frozen=True, slots=True)
class Together:
    """Run operations at the same time; gives a list of what they return, and what they emit goes on."""

    operations: Sequence[Operation]


@dataclass(frozen=True, slots=True)
class Beside:
    """Run an operation beside the one that serves a wire, for as long as the server lasts; nobody waits for it."""

    wire: Wire
    operation: Operation


@dataclass(frozen=True, slots=True)
class Serve:
    """Listen, and run an operation for each connection that comes; gives a server, whose ``port`` is known then.

    A connection has ``handshake`` seconds for what TLS needs; those beyond ``most`` at once are closed again.
    ``refused`` is told of one that can't be secured.
    """

    provider: Callable[[Wire, tuple[str, int]], Operation]
    host: str
    port: int
    secure: Secure | None = None
    handshake: float = 30.0
    most: int = 256
    refused: Callable[[str, NetworkError], object] = lambda remote, error: None


@dataclass(frozen=True, slots=True)
class Stop:
    """End a server, and the associations that it has."""

    server: Any


Step: TypeAlias = "Open | Read | Write | Close | Sleep | Offload | Emit | Together | Beside | Serve | Stop"
Operation: TypeAlias = "Generator[Step, Any, Any]"
