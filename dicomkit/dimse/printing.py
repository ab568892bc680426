"""Print management as its user: images are put on films, and a printer says how it is (PS3.4 Annex H)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.association import Association
from dicomkit.dimse.negotiation import NATIVE, Proposal
from dicomkit.dimse.normalized import accepted_context
from dicomkit.dimse.pool import Target, using
from dicomkit.dimse.print_classes import (
    ANNOTATION_BOX,
    COLOUR_PRINT,
    GREY_PRINT,
    PRESENTATION_LUT,
    PRINT_JOB,
    PRINTER,
)
from dicomkit.dimse.print_course import PrintNotes, PrintPlan, ask_printer, print_planned
from dicomkit.dimse.print_report import PrinterStatus
from dicomkit.dimse.steps import Offload, Operation
from dicomkit.errors import ValueFormatError
from dicomkit.net.errors import NetworkError
from dicomkit.net.events import OnEvent

if TYPE_CHECKING:
    from dicomkit.dimse.print_images import PrintImage
    from dicomkit.objects.film import Layout
    from dicomkit.pixels.pipeline import WindowLike

LayoutLike: TypeAlias = "Layout | str | Sequence[int]"


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
        return (yield from ask_printer(association, syntax, PrintNotes()))

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
    plan = PrintPlan(
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
    notes = PrintNotes()
    try:
        yield from using(peer, Proposal.of(*syntaxes), partial(print_planned, plan, notes), on_event, repeatable=False)
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
