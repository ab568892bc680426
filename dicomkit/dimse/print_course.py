"""The course of printing over an association: what is asked of the printer, step by step, and what came of it.

A refused image, film or text costs nothing but itself, and is noted (PS3.4 H.4).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.association import Association, Message
from dicomkit.dimse.normalized import Reply, accepted_context, request
from dicomkit.dimse.normalized_provider import NormalizedRequest, performing
from dicomkit.dimse.print_classes import (
    ANNOTATION_BOX,
    COLOUR_BOX,
    COLOUR_PRINT,
    FILM_BOX,
    FILM_SESSION,
    GREY_BOX,
    GREY_PRINT,
    PRESENTATION_LUT,
    PRINT_JOB,
    PRINTER,
    PRINTER_INSTANCE,
    REFERENCED_JOB,
)
from dicomkit.dimse.print_report import PrinterEvent, PrinterStatus, PrintReport, PrintStep, StepName
from dicomkit.dimse.provider import Refused
from dicomkit.dimse.steps import Offload, Operation, Sleep
from dicomkit.errors import DicomError, ValueFormatError
from dicomkit.net.errors import StatusError
from dicomkit.values.uid import new_uid

if TYPE_CHECKING:
    from dicomkit.dimse.print_images import PrintImage

_LOOK_AGAIN = 0.05
"""Seconds between two looks for an event."""
_UNRECOGNIZED, _NO_SUCH_EVENT = 0x0211, 0x0113
_EVENTS: Mapping[str, tuple[str, ...]] = {
    PRINTER: ("NORMAL", "WARNING", "FAILURE"),
    PRINT_JOB: ("PENDING", "PRINTING", "DONE", "FAILURE"),
}


@dataclass(frozen=True, slots=True)
class PrintPlan:
    """What is to be printed, and how."""

    images: tuple[PrintImage, ...]
    session: DataSet
    film: DataSet
    box: DataSet
    rendering: dict[str, Any]
    boxes: int
    lut: DataSet | None
    texts: tuple[str, ...]
    collate: bool
    wait: float


@dataclass(slots=True)
class PrintNotes:
    """What has happened so far."""

    steps: list[PrintStep] = field(default_factory=list)
    events: list[PrinterEvent] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    printer: PrinterStatus | None = None
    is_colour: bool = False
    ended_by: DicomError | None = None

    def report(self) -> PrintReport:
        """Return all of it."""
        return PrintReport(
            tuple(self.steps), self.is_colour, self.printer, tuple(self.events), tuple(self.jobs), self.ended_by
        )

    def take(self, report: NormalizedRequest) -> None:
        """Note an event of the printer."""
        if report.operation != "N-EVENT-REPORT":
            raise Refused("only events are taken", status=_UNRECOGNIZED)
        names = _EVENTS.get(report.sop_class_uid, ())
        if not 0 < report.number <= len(names):
            raise Refused(f"there is no event of type {report.number}", status=_NO_SUCH_EVENT)
        data = report.data or DataSet()
        is_job = report.sop_class_uid == PRINT_JOB
        info = str(data.get("ExecutionStatusInfo" if is_job else "PrinterStatusInfo") or "")
        self.events.append(
            PrinterEvent("print job" if is_job else "printer", names[report.number - 1], info, report.sop_instance_uid)
        )

    def waits_for(self) -> bool:
        """Whether a job was neither done nor failed yet."""
        ended = {event.sop_instance_uid for event in self.events if event.name in ("DONE", "FAILURE")}
        return not ended.issuperset(self.jobs)

    def listen(self, association: Association, message: Message) -> Operation:
        """Perform a request of the printer."""
        return performing(self.take)(association, message)


@dataclass(frozen=True, slots=True)
class _Printing:
    """An association that prints: what it is asked goes out in the context of the films."""

    association: Association
    plan: PrintPlan
    notes: PrintNotes
    colour: bool

    def ask(
        self,
        operation: str,
        sop_class: str,
        uid: str,
        data: DataSet | None = None,
        *,
        under: str = "",
        service: str = "",
    ) -> Operation:
        """Ask the printer for something, and take its events meanwhile."""
        return request(
            self.association,
            operation,
            sop_class,
            uid,
            data,
            number=1 if operation == "N-ACTION" else None,
            under=under or (COLOUR_PRINT if self.colour else GREY_PRINT),
            service=service,
            meanwhile=self.notes.listen,
        )

    def step(self, asked: Operation, film: int, step: StepName, position: int = 0, **where: Any) -> Operation:
        """Ask the printer, and note what came of it; return its reply, or None where it failed."""
        try:
            reply: Reply = yield from asked
        except StatusError as error:
            self.notes.steps.append(PrintStep(film, step, position, **where, status=error.status, error=error))
            return None
        if step != "deletion":
            self.notes.steps.append(PrintStep(film, step, position, **where, status=reply.status))
        return reply


def print_planned(plan: PrintPlan, notes: PrintNotes, association: Association) -> Operation:
    """Print what is planned, and note what came of it.

    Raises
    ------
    ContextNotAcceptedError
        When the peer is no printer, or doesn't take what is wanted.
    StatusError
        When it makes no film session, or no presentation LUT.
    """
    notes.steps.clear()
    found = [accepted_context(association, syntax) is not None for syntax in (GREY_PRINT, COLOUR_PRINT)]
    colour = found[1] and (not found[0] or any(image.is_colour for image in plan.images))
    needed = (
        [COLOUR_PRINT if colour else GREY_PRINT] if any(found) else [association.request.contexts[0].abstract_syntax]
    )
    needed += [PRESENTATION_LUT] * (plan.lut is not None) + [ANNOTATION_BOX] * bool(plan.texts)
    for syntax in needed:
        association.context_for(syntax)  # says why it isn't accepted
    if colour and plan.lut is not None:
        raise ValueFormatError("a presentation LUT is for films in grey", hint="say colour=False, or leave it out")
    printing = _Printing(association, plan, notes, colour)
    notes.is_colour = colour
    try:
        notes.printer = yield from ask_printer(association, COLOUR_PRINT if colour else GREY_PRINT, notes)
    except StatusError:
        notes.printer = None  # it prints nevertheless, or says why not
    made = yield from printing.ask("N-CREATE", FILM_SESSION, new_uid(), plan.session, service="Basic Film Session")
    session_uid = made.sop_instance_uid
    film_data = plan.film.assign(ReferencedFilmSessionSequence=[_reference(FILM_SESSION, session_uid)])
    if plan.lut is not None:
        lut = yield from printing.ask(
            "N-CREATE", PRESENTATION_LUT, new_uid(), plan.lut, under=PRESENTATION_LUT, service="Presentation LUT"
        )
        notes.steps.append(PrintStep(0, "presentation LUT", status=lut.status))
        referenced = [_reference(PRESENTATION_LUT, lut.sop_instance_uid)]
        film_data = film_data.assign(ReferencedPresentationLUTSequence=referenced)
    done = film = filled = 0
    while done < len(plan.images):
        film += 1
        taken, any_set = yield from _film(printing, film, film_data, plan.images[done:])
        done += taken
        filled += any_set
    if plan.collate and filled:
        asked = printing.ask("N-ACTION", FILM_SESSION, session_uid, service="Basic Film Session")
        _note_job(notes, (yield from printing.step(asked, 0, "print")))
    yield from _wait(printing)
    yield from printing.step(printing.ask("N-DELETE", FILM_SESSION, session_uid), 0, "deletion")


def _film(printing: _Printing, film: int, data: DataSet, images: tuple[PrintImage, ...]) -> Operation:
    """Fill a film with the images that have room on it and print it; return how many, and whether any is on it."""
    plan, notes = printing.plan, printing.notes
    asked = printing.ask("N-CREATE", FILM_BOX, new_uid(), data, service="Basic Film Box")
    made: Reply | None = yield from printing.step(asked, film, "film box")
    references = () if made is None or made.data is None else made.data.all("ReferencedImageBoxSequence")
    if made is None or not references:
        error = notes.steps[-1].error or DicomError("the printer made a film without image boxes")
        for image in images:
            notes.steps.append(PrintStep(film, "image", 0, image.name, image.frame, error=error))
        return len(images), False
    any_set = False
    boxes = [str(reference.ReferencedSOPInstanceUID) for reference in references]
    for position, (uid, image) in enumerate(zip(boxes, images, strict=False), 1):
        set_now = yield from _image(printing, film, position, uid, image)
        any_set = any_set or set_now
    yield from _annotations(printing, film, made)
    if any_set and not plan.collate:
        asked = printing.ask("N-ACTION", FILM_BOX, made.sop_instance_uid, service="Basic Film Box")
        _note_job(notes, (yield from printing.step(asked, film, "print")))
    if not any_set or not plan.collate:
        yield from printing.step(printing.ask("N-DELETE", FILM_BOX, made.sop_instance_uid), film, "deletion")
    return min(len(boxes), len(images)), any_set


def _image(printing: _Printing, film: int, position: int, uid: str, image: PrintImage) -> Operation:
    """Put an image into its box; return whether it is there."""
    from dicomkit.dimse.print_images import image_box

    attributes = {tag.keyword: printing.plan.box[tag] for tag in printing.plan.box}
    render = partial(image_box, image, position, attributes, colour=printing.colour, **printing.plan.rendering)
    try:
        data: DataSet = yield Offload(render)
    except DicomError as error:
        printing.notes.steps.append(PrintStep(film, "image", position, image.name, image.frame, error=error))
        return False
    kind, service = (
        (COLOUR_BOX, "Basic Color Image Box") if printing.colour else (GREY_BOX, "Basic Grayscale Image Box")
    )
    asked = printing.ask("N-SET", kind, uid, data, service=service)
    reply = yield from printing.step(asked, film, "image", position, source=image.name, frame=image.frame)
    return reply is not None


def _annotations(printing: _Printing, film: int, made: Reply) -> Operation:
    """Write texts into the annotation boxes of a film; those that find none have failed."""
    references = () if made.data is None else made.data.all("ReferencedBasicAnnotationBoxSequence")
    for position, text in enumerate(printing.plan.texts, 1):
        if position > len(references):
            error = DicomError(f"the printer made {len(references)} annotation boxes")
            printing.notes.steps.append(PrintStep(film, "annotation", position, error=error))
            continue
        data = DataSet(AnnotationPosition=position, TextString=text)
        uid = str(references[position - 1].ReferencedSOPInstanceUID)
        asked = printing.ask("N-SET", ANNOTATION_BOX, uid, data, under=ANNOTATION_BOX)
        yield from printing.step(asked, film, "annotation", position)


def _note_job(notes: PrintNotes, reply: Reply | None) -> None:
    items = () if reply is None or reply.data is None else reply.data.all(REFERENCED_JOB)
    notes.jobs += [str(item.get("ReferencedSOPInstanceUID") or "") for item in items]


def _wait(printing: _Printing) -> Operation:
    """Take the events that there are, and wait for the end of print jobs."""
    association, notes = printing.association, printing.notes
    deadline = time.monotonic() + printing.plan.wait
    while association.is_open:
        message = yield from association.read_arrived()
        if message is not None:
            if message.command.name != "N-EVENT-REPORT-RQ":
                raise (yield from association.unexpected(message))
            yield from notes.listen(association, message)
        elif association.release_requested or not notes.waits_for() or time.monotonic() >= deadline:
            return
        else:
            yield Sleep(_LOOK_AGAIN)


def ask_printer(association: Association, syntax: str, notes: PrintNotes) -> Operation:
    """Ask the printer how it is; its events meanwhile are noted."""
    asked = request(association, "N-GET", PRINTER, PRINTER_INSTANCE, under=syntax, meanwhile=notes.listen)
    reply: Reply = yield from asked  # of all that it says: some refuse to say anything where they lack an attribute
    return PrinterStatus.of(reply.data or DataSet())


def _reference(sop_class: str, uid: str) -> DataSet:
    return DataSet(ReferencedSOPClassUID=sop_class, ReferencedSOPInstanceUID=uid)
