"""What is asked and told when an instance comes, around the receipt that an archive makes of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dicomkit.archive.protocol import Archive, StoredInstance
from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.steps import Buffer
from dicomkit.dimse.store_provider import Incoming, Receipt
from dicomkit.net.errors import NetworkError


@dataclass(frozen=True, slots=True)
class Hooks:
    """What is asked and told when an instance comes.

    Parameters
    ----------
    before
        Called before it is read; raises `Refused` where it isn't wanted.
    check
        Called with its data set before it is stored; raises an error where it isn't good enough.
    on_stored, on_failure
        Called with what was stored, and with why something was not. They are told, and change no answer: an error of
        theirs is logged.

    Examples
    --------
    >>> import dicomkit as dk
    >>> from dicomkit.archive import MemoryArchive
    >>> from dicomkit.dimse.provider import Refused
    >>> def only_magnetic_resonance(ds):
    ...     if ds.Modality != "MR":
    ...         raise Refused("no MR")
    >>> refused = []
    >>> hooks = Hooks(check=only_magnetic_resonance, on_failure=lambda error, incoming: refused.append(error.message))
    >>> with dk.serve_dimse(MemoryArchive(), port=0, hooks=hooks) as server:
    ...     report = dk.store(server.peer(), dk.samples.ct_series(1, 8))
    >>> len(report.failed), refused
    (1, ['no MR'])
    """

    before: Callable[[Incoming], object] | None = None
    check: Callable[[DataSet], object] | None = None
    on_stored: Callable[[StoredInstance, Incoming], object] | None = None
    on_failure: Callable[[Exception, Incoming], object] | None = None


class _Watched:
    """A receipt whose end is told to the hooks."""

    def __init__(self, receipt: Receipt, incoming: Incoming, hooks: Hooks) -> None:
        self._receipt, self._incoming, self._hooks = receipt, incoming, hooks
        self._told = False

    def write(self, buffers: Sequence[Buffer]) -> None:
        with self._telling():
            self._receipt.write(buffers)

    def commit(self) -> Any:
        with self._telling():
            stored = self._receipt.commit()
        self._told = True
        _tell(self._hooks.on_stored, stored, self._incoming)
        return stored

    def discard(self) -> None:
        self._receipt.discard()
        if not self._told:
            _tell(self._hooks.on_failure, NetworkError("the instance did not come to its end"), self._incoming)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._told = True
            _tell(self._hooks.on_failure, error, self._incoming)
            raise


def _tell(hook: Callable[..., object] | None, *told: object) -> None:
    """Tell a hook; what is wrong with it doesn't change what is answered."""
    if hook is not None:
        try:
            hook(*told)
        except Exception:
            logging.getLogger("dicomkit.serve").exception("a hook failed")


def receiving(archive: Archive, hooks: Hooks) -> Callable[[Incoming], Receipt]:
    """Make what begins the receipt of an instance."""

    def receive(incoming: Incoming) -> Receipt:
        try:
            if hooks.before is not None:
                hooks.before(incoming)
            receipt = archive.receive(
                incoming.sop_class_uid,
                incoming.sop_instance_uid,
                incoming.transfer_syntax_uid,
                calling_ae=incoming.caller.calling_aet,
                check=hooks.check,
            )
        except Exception as error:
            _tell(hooks.on_failure, error, incoming)
            raise
        return _Watched(receipt, incoming, hooks) if hooks.on_stored or hooks.on_failure else receipt

    return receive
