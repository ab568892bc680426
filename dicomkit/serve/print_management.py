"""A printer behind DIMSE: films are drawn to PNG and PDF files, or given to a function (PS3.4 Annex H)."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.association import Association, Message
from dicomkit.dimse.commands import command
from dicomkit.dimse.negotiation import NATIVE
from dicomkit.dimse.normalized_provider import NormalizedAnswer, NormalizedRequest, Service, performing
from dicomkit.dimse.print_classes import COLOUR_PRINT, GREY_PRINT, PRINT_JOB, PRINTER, PRINTER_INSTANCE
from dicomkit.dimse.provider import Performer, Refused
from dicomkit.dimse.steps import Operation
from dicomkit.encoding.writer import to_bytes
from dicomkit.errors import DicomError, SourceError, ValueFormatError
from dicomkit.serve.film_hierarchy import Hierarchy, Printer, PrintJob, PrintLimits
from dicomkit.serve.printed_files import FilmFormat, PrintedFilm, write_films
from dicomkit.serve.printed_film import compose, size_of
from dicomkit.serve.printing_rules import NO_RESOURCES, Outcome, Rules
from dicomkit.serve.printing_state import CLASSES, TRANSITIONS, perform

Into: TypeAlias = "str | os.PathLike[str] | Callable[[PrintedFilm], object]"

PROCESSING_FAILURE = 0x0110
_JOB_DONE = 3
_PRINTER_EVENTS = {"NORMAL": 1, "WARNING": 2, "FAILURE": 3}
_MOST_ASSOCIATIONS = 1024
_SLACK = 30.0
"""Seconds beyond the idle time-out after which an association that did nothing is sure to have ended."""


def printing(
    into: Into,
    *,
    formats: Sequence[FilmFormat] = ("png",),
    printer: Printer | Callable[[], Printer] | None = None,
    colour: bool = True,
    limits: PrintLimits | None = None,
) -> Service:
    """Make the service of print management: grey and colour films, presentation LUTs, annotations and print jobs.

    What a peer asks to be printed is printed before it is answered, so that it learns of failures.

    Parameters
    ----------
    into
        A folder, which is made; or a function that gets each `PrintedFilm`.
    formats
        Of the files: ``"png"``, a picture of each film, and ``"pdf"``, a document of all films of a job.
    printer
        What the printer says of itself; or a function that tells it, which is asked at each request: those who are
        using the printer get an event once its status has changed.
    colour
        Whether films in colour are taken.
    limits
        How much is taken from peers.

    Returns
    -------
    Service
        For `serve_dimse`.

    Examples
    --------
    >>> import numpy as np, dicomkit as dk
    >>> films = []
    >>> with dk.serve_dimse(services=[printing(films.append)], port=0) as server:
    ...     images = [np.zeros((8, 8), np.uint8)] * 3
    ...     report = dk.dimse.sync.print_films(server.peer(), images, layout=(1, 2), film_size="A4")
    >>> len(films), films[0].size, films[0].picture.shape
    (2, (210.0, 297.0), (1754, 1240))
    """
    unknown = set(formats) - {"png", "pdf"}
    if unknown or not formats:
        raise ValueFormatError(f"formats={tuple(formats)}", hint='choose "png", "pdf", or both')
    if not callable(into):
        folder = os.fspath(into)
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise SourceError(f"can't make the folder: {error.strerror}", path=folder) from error
    known = printer if callable(printer) else partial(_same, printer or Printer())
    room = _PrintRoom(into, tuple(formats), known, limits or PrintLimits())
    syntaxes = [syntax for syntax in CLASSES if colour or syntax != COLOUR_PRINT]
    performers: dict[tuple[str, str], Performer] = {}
    for sop_class, operation in TRANSITIONS:
        performers[sop_class, f"{operation}-RQ"] = room.perform
        performers |= {(syntax, f"{operation}-RQ"): room.perform for syntax in syntaxes if sop_class in CLASSES[syntax]}
    return Service(performers, dict.fromkeys(syntaxes, NATIVE))


def _same(printer: Printer) -> Printer:
    return printer


@dataclass(slots=True)
class _Visit:
    """An association that prints, what it has made, and which status of the printer it was told."""

    association: Association
    hierarchy: Hierarchy = field(default_factory=Hierarchy)
    told: str = "NORMAL"
    busy: bool = False
    last: float = field(default_factory=time.monotonic)

    def has_ended(self) -> bool:
        """Whether nothing can come any more."""
        idle = self.association.timeouts.idle
        late = idle is not None and not self.busy and time.monotonic() - self.last > idle + _SLACK
        return late or not (self.association.is_open or self.association.release_requested)


@dataclass(slots=True, eq=False)
class _PrintRoom:
    """The films of all associations; those of one that has ended are forgotten."""

    into: Into
    formats: tuple[FilmFormat, ...]
    printer: Callable[[], Printer]
    limits: PrintLimits
    _visits: OrderedDict[int, _Visit] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _printing: threading.Lock = field(default_factory=threading.Lock)

    def perform(self, association: Association, message: Message) -> Operation:
        """Perform a request for an association."""
        visit = self._visit(association)
        visit.busy = True
        try:
            yield from performing(partial(self._answer, visit))(association, message)
        finally:
            visit.busy, visit.last = False, time.monotonic()

    def _visit(self, association: Association) -> _Visit:
        with self._lock:
            for key in [key for key, visit in self._visits.items() if visit.has_ended()]:
                del self._visits[key]
            visit = self._visits.setdefault(id(association), _Visit(association))
            self._visits.move_to_end(id(association))
            while len(self._visits) > _MOST_ASSOCIATIONS:
                self._visits.popitem(last=False)
            return visit

    def _answer(self, visit: _Visit, request: NormalizedRequest) -> NormalizedAnswer:
        with self._lock:
            elsewhere = sum(other.hierarchy.size for other in self._visits.values() if other is not visit)
        printer = self.printer()
        contexts = visit.association.contexts.values()
        rules = Rules(printer, self.limits, {context.abstract_syntax for context in contexts}, elsewhere)
        outcome = perform(visit.hierarchy, request, rules)
        if outcome.job is not None:
            self._print(outcome.job, printer)
        visit.hierarchy = outcome.hierarchy
        return replace(outcome.answer, then=partial(self._events, visit, outcome, printer))

    def _print(self, job: PrintJob, printer: Printer) -> None:
        """Draw the films of a job, one at a time, whoever else is printing."""
        films = _films(job, printer)
        try:
            with self._printing:
                if callable(self.into):
                    for film in films:
                        self.into(film)
                else:
                    write_films(os.fspath(self.into), films, self.formats)
        except SourceError as error:
            raise Refused("the films can't be written", status=NO_RESOURCES) from error
        except Refused:
            raise
        except DicomError as error:
            raise Refused(error.message, status=PROCESSING_FAILURE) from error

    def _events(self, visit: _Visit, outcome: Outcome, printer: Printer, association: Association) -> Operation:
        """Report a job that is done, or else that the printer's status has changed.

        The answers are not waited for: a user that wants nothing more may release the association in their place.
        """
        job = outcome.job
        if job is not None and PRINT_JOB in {context.abstract_syntax for context in association.contexts.values()}:
            done = {"ExecutionStatusInfo": "NORMAL", "PrinterName": printer.name, "FilmSessionLabel": job.session.label}
            yield from _report(association, PRINT_JOB, PRINT_JOB, job.uid, _JOB_DONE, done)
        elif printer.status != visit.told:
            visit.told = printer.status
            changed = {"PrinterStatusInfo": printer.info, "PrinterName": printer.name}
            for syntax in (GREY_PRINT, COLOUR_PRINT, PRINTER):
                if any(context.abstract_syntax == syntax for context in association.contexts.values()):
                    number = _PRINTER_EVENTS[printer.status]
                    yield from _report(association, syntax, PRINTER, PRINTER_INSTANCE, number, changed)
                    return


def _films(job: PrintJob, printer: Printer) -> Iterator[PrintedFilm]:
    session = job.session
    for number, film in enumerate(session.films, 1):
        yield PrintedFilm(
            compose(film, printer),
            size_of(film, printer),
            number,
            len(session.films),
            session.copies,
            session.label,
            job.uid,
            job.caller,
            job.created,
        )


def _report(
    association: Association, syntax: str, sop_class: str, uid: str, number: int, said: dict[str, Any]
) -> Operation:
    """Write the report of an event."""
    context = association.context_for(syntax, provider=True)
    request = command(
        "N-EVENT-REPORT-RQ",
        has_data_set=True,
        AffectedSOPClassUID=sop_class,
        AffectedSOPInstanceUID=uid,
        MessageID=association.next_message_id(),
        EventTypeID=number,
    )
    data = DataSet({keyword: value for keyword, value in said.items() if value})
    yield from association.write(context, request, to_bytes(data, context.transfer_syntax))
