"""Print management as its user: images are put on films, and a printer says how it is (PS3.4 Annex H)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.association import Association, Message
from dicomkit.dimse.negotiation import NATIVE, Proposal
from dicomkit.dimse.normalized import Reply, accepted_context, request
from dicomkit.dimse.normalized_provider import NormalizedRequest, performing
from dicomkit.dimse.pool import Target, using
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
from dicomkit.net.errors import NetworkError, StatusError
from dicomkit.net.events import OnEvent
from dicomkit.values.uid import new_uid

if TYPE_CHECKING:
    from dicomkit.dimse.print_images import PrintImage
    from dicomkit.objects.film import Layout
    from dicomkit.pixels.pipeline import WindowLike

LayoutLike: TypeAlias = "Layout | str | Sequence[int]"

_LOOK_AGAIN = 0.05
"""Seconds between two looks for an event."""
_UNRECOGNIZED, _NO_SUCH_EVENT = 0x0211, 0x0113
_EVENTS: Mapping[str, tuple[str, ...]] = {
    PRINTER: ("NORMAL", "WARNING", "FAILURE"),
    PRINT_JOB: ("PENDING", "PRINTING", "DONE", "FAILURE"),
}


def printer_status(peer: Target, *, on_event: OnEvent | None = None) -> Operation:
    """Ask a printer how it is.

    Parameters
    ----------
    peer
        A Peer, or a pool of associations with one (`connect`).
    on_event
        What is told of every event.

    Returns
    -------
    PrinterStatus
        Its status, why it is so, its name, and all that it says of itself.

    Raises
    ------
    ContextNotAcceptedError
        When the peer is no printer.
    StatusError
        When it answers with a failure.
    NetworkError
        When there is no association, or it ended early.
    """

    def body(association: Association) -> Operation:
        found = accepted_context(association, GREY_PRINT, COLOUR_PRINT, PRINTER)
        syntax = GREY_PRINT if found is None else found.abstract_syntax
        return (yield from _printer(association, syntax, _Notes()))

    proposal = Proposal.of(GREY_PRINT, COLOUR_PRINT, PRINTER, transfer_syntaxes=NATIVE)
    status: PrinterStatus = yield from using(peer, proposal, body, on_event)
    return status


def print_films(
    peer: Target,
    images: Any,
    *,
    layout: LayoutLike = (1, 1),
    film_size: str | None = "14INX17IN",
    orientation: str | None = None,
    colour: bool | None = None,
    bits: int = 8,
    window: WindowLike = None,
    overlays: bool = False,
    polarity: str | None = None,
    presentation_lut: Any = None,
    annotations: Sequence[str] | str = (),
    annotation_format: str | None = None,
    copies: int = 1,
    priority: str | None = None,
    medium: str | None = None,
    destination: str | None = None,
    label: str | None = None,
    session: Mapping[str, Any] | None = None,
    film: Mapping[str, Any] | None = None,
    image: Mapping[str, Any] | None = None,
    collate: bool = False,
    wait: float = 0.0,
    on_event: OnEvent | None = None,
) -> Operation:
    r"""Print images: they are put on as many films as they need.

    Parameters
    ----------
    peer
        A Peer, or a pool of associations with one (`connect`).
    images
        A path, folder, DataSet, table of files, or many of them, of which each frame is an image; or arrays, which are
        printed as they are where they are uint8, and over the range of their values where not.
    layout
        How a film is divided: ``(rows, columns)``, ``"2x3"``, or a display format such as ``"ROW\\1,2"``.
    film_size, orientation
        As ``"14INX17IN"`` or ``"A4"``; ``"PORTRAIT"`` or ``"LANDSCAPE"``. None leaves them to the printer.
    colour
        Whether to print in colour; None: where an image has colours and the printer takes them, or it takes no grey
        ones. Images of the other kind are converted.
    bits
        8, or 12 for grey films of printers that can tell more than 256 greys apart.
    window, overlays
        How images are rendered, see `dicomkit.render`.
    polarity
        ``"REVERSE"`` exchanges black and white.
    presentation_lut
        ``"IDENTITY"`` where the values are P-values, ``"LIN OD"``, a `LookupTable`, or P-values of 16 bits, one for
        each of 256 or 4096 values.
    annotations, annotation_format
        Texts for the annotation boxes of each film, and the Annotation Display Format ID that makes these; which there
        are is for the printer to say.
    copies, priority, medium, destination, label
        Of the film session: ``"HIGH"``, ``"MED"`` or ``"LOW"``; ``"PAPER"``, ``"BLUE FILM"``...; ``"MAGAZINE"``,
        ``"PROCESSOR"``...; how people call it.
    session, film, image
        More attributes of the film session, of each film box and each image box, by keyword:
        ``film={"BorderDensity": "WHITE", "Trim": "YES"}``, ``image={"RequestedImageSize": 120}``.
    collate
        Whether to print all films at once, so that copies come in the order of the films; by default each film is
        printed as it is ready. Some printers can't.
    wait
        Seconds in which the printer may report that its print jobs are done.
    on_event
        What is told of every event.

    Returns
    -------
    PrintReport
        What became of each film and image, and what the printer reported.

    Raises
    ------
    ValueFormatError
        When there is nothing to print, or an argument makes no sense.
    ContextNotAcceptedError
        When the peer is no printer, or doesn't take what is wanted.
    StatusError
        When it makes no film session, or no presentation LUT.
    NetworkError
        When there is no association.
    """
    from dicomkit.objects.film import Layout

    wanted = Layout.of(layout)
    if bits not in (8, 12) or copies < 1 or (overlays and bits == 12):
        hint = "8 or 12 bits; overlays only with 8 bits; at least one copy"
        raise ValueFormatError(f"bits={bits}, overlays={overlays}, copies={copies}", hint=hint)
    texts = (annotations,) if isinstance(annotations, str) else tuple(annotations)
    if texts and annotation_format is None:
        raise ValueFormatError("annotations need an annotation_format", hint="the printer's manual lists which it has")
    listed: tuple[PrintImage, ...] = yield Offload(partial(_listed, images))
    if not listed:
        raise ValueFormatError("there is nothing to print", hint="give at least one image")
    lut = None if presentation_lut is None else (yield Offload(partial(_lut, presentation_lut, bits)))
    given_session = {
        "NumberOfCopies": copies,
        "PrintPriority": priority,
        "MediumType": medium,
        "FilmDestination": destination,
        "FilmSessionLabel": label,
    }
    given_film = {
        "ImageDisplayFormat": wanted.display_format,
        "FilmSizeID": film_size,
        "FilmOrientation": orientation,
        "AnnotationDisplayFormatID": annotation_format if texts else None,
    }
    plan = _Plan(
        listed,
        DataSet(_said(given_session) | dict(session or {})),
        DataSet(_said(given_film) | dict(film or {})),
        DataSet(_said({"Polarity": polarity}) | dict(image or {})),
        {"bits": bits, "window": window, "overlays": overlays},
        wanted.boxes(),
        lut,
        texts,
        collate,
        wait,
    )
    syntaxes = [GREY_PRINT, COLOUR_PRINT] if colour is None else [COLOUR_PRINT if colour else GREY_PRINT]
    if lut is not None:
        syntaxes.append(PRESENTATION_LUT)
    if texts:
        syntaxes.append(ANNOTATION_BOX)
    if wait:
        syntaxes.append(PRINT_JOB)
    notes = _Notes()
    try:
        yield from using(peer, Proposal.of(*syntaxes), partial(_print, plan, notes), on_event, repeatable=False)
    except NetworkError as error:
        if not notes.steps:
            raise
        notes.ended_by = error
    return notes.report()


def _said(values: Mapping[str, Any]) -> dict[str, Any]:
    return {keyword: value for keyword, value in values.items() if value is not None}


def _listed(images: Any) -> tuple[PrintImage, ...]:
    from dicomkit.dimse.print_images import print_images

    return print_images(images)


def _lut(wanted: Any, bits: int) -> DataSet:
    from dicomkit.dimse.print_images import presentation_lut

    return presentation_lut(wanted, bits)


@dataclass(frozen=True, slots=True)
class _Plan:
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
class _Notes:
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
    plan: _Plan
    notes: _Notes
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


def _print(plan: _Plan, notes: _Notes, association: Association) -> Operation:
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
        notes.printer = yield from _printer(association, COLOUR_PRINT if colour else GREY_PRINT, notes)
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


def _note_job(notes: _Notes, reply: Reply | None) -> None:
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


def _printer(association: Association, syntax: str, notes: _Notes) -> Operation:
    asked = request(association, "N-GET", PRINTER, PRINTER_INSTANCE, under=syntax, meanwhile=notes.listen)
    reply: Reply = yield from asked  # of all that it says: some refuse to say anything where they lack an attribute
    return PrinterStatus.of(reply.data or DataSet())


def _reference(sop_class: str, uid: str) -> DataSet:
    return DataSet(ReferencedSOPClassUID=sop_class, ReferencedSOPInstanceUID=uid)
