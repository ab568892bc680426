"""What each request of print management does to the hierarchy of an association, as pure functions (PS3.4 H.4)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.normalized_provider import NormalizedAnswer, NormalizedRequest, selected
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
from dicomkit.dimse.provider import Refused
from dicomkit.errors import DicomError, MissingElementError
from dicomkit.objects.film import Layout, film_size
from dicomkit.objects.film_pixels import COLOUR_SEQUENCE, GREY_SEQUENCE, image_size
from dicomkit.pixels.lookup import parse_table
from dicomkit.serve.film_hierarchy import (
    ANNOTATION_FORMATS,
    AnnotationBox,
    FilmBox,
    FilmSession,
    Hierarchy,
    ImageBox,
    PresentationLut,
    Printer,
    PrintJob,
    PrintLimits,
)
from dicomkit.serve.printed_film import dots_per_mm, fit_of, rooms, size_of
from dicomkit.values.uid import new_uid

MEMORY_NOT_ALLOCATED, FILM_EMPTY, SESSION_EMPTY, OTHER_DENSITY = 0xB600, 0xB603, 0xB602, 0xB605
NO_FILMS, NO_MEMORY = 0xC600, 0xC605
INVALID_VALUE, ATTRIBUTE_LIST_ERROR, DUPLICATE, NO_SUCH_INSTANCE = 0x0106, 0x0107, 0x0111, 0x0112
CONFLICT, MISSING, NO_VALUE, CLASS_NOT_SUPPORTED, NO_SUCH_ACTION, NO_RESOURCES, UNRECOGNIZED = (
    0x0119,
    0x0120,
    0x0121,
    0x0122,
    0x0123,
    0x0213,
    0x0211,
)

CLASSES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        GREY_PRINT: (FILM_SESSION, FILM_BOX, GREY_BOX, PRINTER),
        COLOUR_PRINT: (FILM_SESSION, FILM_BOX, COLOUR_BOX, PRINTER),
        PRESENTATION_LUT: (PRESENTATION_LUT,),
        ANNOTATION_BOX: (ANNOTATION_BOX,),
        PRINT_JOB: (PRINT_JOB,),
        PRINTER: (PRINTER,),
    }
)
"""The SOP classes of each abstract syntax."""

_TERMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "PrintPriority": ("HIGH", "MED", "LOW"),
        "Trim": ("YES", "NO"),
        "Polarity": ("NORMAL", "REVERSE"),
        "MagnificationType": ("REPLICATE", "BILINEAR", "CUBIC", "NONE"),
        "RequestedDecimateCropBehavior": ("DECIMATE", "CROP", "FAIL"),
        "RequestedResolutionID": ("STANDARD", "HIGH"),
    }
)
_DENSITIES = ("BorderDensity", "EmptyImageDensity")
_SESSION_ATTRIBUTES = """SpecificCharacterSet NumberOfCopies PrintPriority MediumType FilmDestination
    FilmSessionLabel MemoryAllocation OwnerID""".split()
_SETTABLE = """SpecificCharacterSet MagnificationType MaxDensity ConfigurationInformation SmoothingType BorderDensity
    EmptyImageDensity MinDensity Trim Illumination ReflectedAmbientLight ICCProfile""".split()
_FILM_ATTRIBUTES = [
    *_SETTABLE,
    *"""ImageDisplayFormat FilmOrientation FilmSizeID AnnotationDisplayFormatID
    RequestedResolutionID""".split(),
]
_BOX_ATTRIBUTES = """SpecificCharacterSet Polarity MagnificationType SmoothingType MinDensity MaxDensity
    ConfigurationInformation RequestedImageSize RequestedDecimateCropBehavior""".split()
_PIXEL_ATTRIBUTES = """SamplesPerPixel PhotometricInterpretation PlanarConfiguration Rows Columns PixelAspectRatio
    BitsAllocated BitsStored HighBit PixelRepresentation""".split()
"""What is kept of what is created or set (PS3.4 Tables H.4-2, H.4-6, H.4-7, H.4-10 and H.4-11)."""
_LONGEST_TEXT, _LARGEST_PROFILE = 4096, 4 << 20


@dataclass(frozen=True, slots=True)
class Rules:
    """What requests are judged by.

    Parameters
    ----------
    printer, limits
        What there is to print on, and how much of it.
    negotiated
        The abstract syntaxes of the association.
    elsewhere
        Bytes of the images that other associations hold.
    """

    printer: Printer
    limits: PrintLimits
    negotiated: Collection[str]
    elsewhere: int = 0


class Outcome(NamedTuple):
    """The hierarchy after a request, what is answered, and what is to be printed first."""

    hierarchy: Hierarchy
    answer: NormalizedAnswer
    job: PrintJob | None = None


Transition: TypeAlias = "Callable[[Hierarchy, NormalizedRequest, Rules], Outcome]"


def perform(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    """Do what is asked.

    Raises
    ------
    Refused
        With the status that is to be answered.
    """
    if request.sop_class_uid not in CLASSES.get(request.abstract_syntax, ()):
        raise Refused("another context than that of the SOP class", status=CLASS_NOT_SUPPORTED)
    transition = TRANSITIONS.get((request.sop_class_uid, request.operation))
    if transition is None:
        raise Refused(f"{request.operation} is not for this SOP class", status=UNRECOGNIZED)
    return transition(hierarchy, request, rules)


# ---- film session --------------------------------------------------------------------------------------------------


def _create_session(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    if hierarchy.session is not None:
        raise Refused("there is a film session already", status=DUPLICATE)
    data = request.data or DataSet()
    _check(data, rules)
    session = FilmSession(request.sop_instance_uid or new_uid(), _kept(data, _SESSION_ATTRIBUTES))
    status = MEMORY_NOT_ALLOCATED if data.get("MemoryAllocation") else 0
    answer = NormalizedAnswer(session.attributes or None, status, sop_instance_uid=session.uid)
    return Outcome(replace(hierarchy, session=session), answer)


def _set_session(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    session, data = _session(hierarchy, request), request.data or DataSet()
    _check(data, rules)
    kept = _kept(data, _SESSION_ATTRIBUTES)
    changed = replace(session, attributes=session.attributes.merge(kept))
    status = MEMORY_NOT_ALLOCATED if data.get("MemoryAllocation") else 0
    return Outcome(replace(hierarchy, session=changed), NormalizedAnswer(kept or None, status))


def _delete_session(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    _session(hierarchy, request)
    return Outcome(replace(hierarchy, session=None), NormalizedAnswer())


def _print_session(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    session = _session(hierarchy, request)
    _check_action(request)
    if not session.films:
        raise Refused("the film session has no film boxes", status=NO_FILMS)
    empty = all(film.is_empty for film in session.films)
    return _printed(hierarchy, session, SESSION_EMPTY if empty else 0, request, rules)


def _session(hierarchy: Hierarchy, request: NormalizedRequest) -> FilmSession:
    if hierarchy.session is None or hierarchy.session.uid != request.sop_instance_uid:
        raise Refused("there is no such film session", status=NO_SUCH_INSTANCE)
    return hierarchy.session


# ---- film box ------------------------------------------------------------------------------------------------------


def _create_film(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    data = request.data or DataSet()
    session = hierarchy.session
    if session is None:
        raise Refused("there is no film session", status=INVALID_VALUE)
    if _reference(data, "ReferencedFilmSessionSequence", FILM_SESSION) != session.uid:
        raise Refused("the film box refers to another film session", status=INVALID_VALUE)
    uid = request.sop_instance_uid or new_uid()
    if any(film.uid == uid for film in session.films):
        raise Refused("there is such a film box already", status=DUPLICATE)
    if len(session.films) >= rules.limits.films:
        raise Refused(f"more than {rules.limits.films} films in a session", status=NO_RESOURCES)
    film, status = _new_film(uid, data, hierarchy, request, rules)
    box_class = COLOUR_BOX if film.is_colour else GREY_BOX
    answered: dict[str, Any] = {
        "ReferencedFilmSessionSequence": [_item(FILM_SESSION, session.uid)],
        "ReferencedImageBoxSequence": _references(box_class, film.images),
    }
    if "ReferencedPresentationLUTSequence" in data:
        answered["ReferencedPresentationLUTSequence"] = data.all("ReferencedPresentationLUTSequence")
    if film.annotations:
        answered["ReferencedBasicAnnotationBoxSequence"] = _references(ANNOTATION_BOX, film.annotations)
    changed = replace(hierarchy, session=replace(session, films=(*session.films, film)))
    return Outcome(changed, NormalizedAnswer(film.attributes.assign(answered), status, sop_instance_uid=uid))


def _new_film(
    uid: str, data: DataSet, hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules
) -> tuple[FilmBox, int]:
    """Make a film box with its image and annotation boxes, and the status that tells of its densities."""
    status = _check(data, rules)
    said = data.get("ImageDisplayFormat")
    if not said:
        raise Refused("the film box has no ImageDisplayFormat", status=MISSING)
    wanted = data.get("AnnotationDisplayFormatID")
    texts = ANNOTATION_FORMATS.get(str(wanted)) if wanted and ANNOTATION_BOX in rules.negotiated else ()
    if texts is None:
        raise Refused(f"no annotation format {str(wanted)[:20]}", status=INVALID_VALUE)
    annotations = tuple(AnnotationBox(new_uid(), number, where) for number, where in enumerate(texts, 1))
    lut = _referenced_lut(data, hierarchy) or PresentationLut()
    try:
        size = film_size(
            str(data.get("FilmSizeID") or rules.printer.film_size), str(data.get("FilmOrientation") or "PORTRAIT")
        )
        layout = Layout.of(str(said))
        count = layout.boxes(*size)
    except DicomError as error:
        raise Refused(error.message, status=INVALID_VALUE) from error
    if "\\" not in str(said) and layout.counts:
        raise Refused("the display format is not one of the standard's", status=INVALID_VALUE)
    if count > rules.limits.boxes:
        raise Refused(f"more than {rules.limits.boxes} image boxes on a film", status=NO_RESOURCES)
    images = tuple(ImageBox(new_uid(), number) for number in range(1, count + 1))
    kept = _kept(data, _FILM_ATTRIBUTES)
    film = FilmBox(uid, layout, request.abstract_syntax == COLOUR_PRINT, kept, images, annotations, lut)
    scale = dots_per_mm(film, rules.printer)
    if size_of(film, rules.printer)[0] * size_of(film, rules.printer)[1] * scale * scale > rules.limits.pixels:
        raise Refused("the film has too many pixels in this resolution", status=NO_RESOURCES)
    return film, status


def _set_film(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    film, data = _last_film(hierarchy, request.sop_instance_uid), request.data or DataSet()
    status = _check(data, rules)
    changed = _kept(data, _SETTABLE)
    lut = _referenced_lut(data, hierarchy) or film.lut
    film = replace(film, attributes=film.attributes.merge(changed), lut=lut)
    if any(tag.keyword not in (*_SETTABLE, "ReferencedPresentationLUTSequence") for tag in data):
        status = ATTRIBUTE_LIST_ERROR
    return Outcome(_with_film(hierarchy, film), NormalizedAnswer(changed or None, status))


def _delete_film(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    _last_film(hierarchy, request.sop_instance_uid)
    assert hierarchy.session is not None
    session = replace(hierarchy.session, films=hierarchy.session.films[:-1])
    return Outcome(replace(hierarchy, session=session), NormalizedAnswer())


def _print_film(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    film = _last_film(hierarchy, request.sop_instance_uid)
    _check_action(request)
    assert hierarchy.session is not None
    session = replace(hierarchy.session, films=(film,))
    return _printed(hierarchy, session, FILM_EMPTY if film.is_empty else 0, request, rules)


def _last_film(hierarchy: Hierarchy, uid: str) -> FilmBox:
    films = hierarchy.session.films if hierarchy.session is not None else ()
    if not films or films[-1].uid != uid:
        known = any(film.uid == uid for film in films)
        text = "only the film box that was created last can be used" if known else "there is no such film box"
        raise Refused(text, status=NO_SUCH_INSTANCE)
    return films[-1]


def _with_film(hierarchy: Hierarchy, film: FilmBox) -> Hierarchy:
    """Put a changed film in place of the last one."""
    assert hierarchy.session is not None
    return replace(hierarchy, session=replace(hierarchy.session, films=(*hierarchy.session.films[:-1], film)))


def _printed(
    hierarchy: Hierarchy, session: FilmSession, status: int, request: NormalizedRequest, rules: Rules
) -> Outcome:
    """Make the job that prints films; the status of an image that was made smaller is that of the job, too."""
    fits = (
        fit_of(film, box, rules.printer, room).status
        for film in session.films
        for box, room in zip(film.images, rooms(film, rules.printer), strict=False)
    )
    job = PrintJob(new_uid(), session, datetime.now(), request.caller)
    answered = None
    if PRINT_JOB in rules.negotiated:
        answered = DataSet({REFERENCED_JOB: [_item(PRINT_JOB, job.uid)]})
    kept = (*hierarchy.jobs, replace(job, session=replace(session, films=())))[-rules.limits.jobs :]
    return Outcome(
        replace(hierarchy, jobs=kept), NormalizedAnswer(answered, status or next(filter(None, fits), 0)), job
    )


def _check_action(request: NormalizedRequest) -> None:
    if request.number != 1:
        raise Refused(f"there is no action {request.number}", status=NO_SUCH_ACTION)


# ---- image and annotation boxes, presentation LUTs -------------------------------------------------------------------


def _set_image(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    film, box = _image_box(hierarchy, request.sop_instance_uid)
    if film.is_colour != (request.sop_class_uid == COLOUR_BOX):
        raise Refused("the image box is of another SOP class", status=CONFLICT)
    data = request.data or DataSet()
    status = _check(data, rules)
    position = data.get("ImageBoxPosition")
    if position is None:
        raise Refused("the image box has no ImageBoxPosition", status=MISSING)
    if position != box.position:
        raise Refused(f"image box {box.position} can't be at position {position}", status=INVALID_VALUE)
    sequence = COLOUR_SEQUENCE if film.is_colour else GREY_SEQUENCE
    if sequence not in data:
        raise Refused(f"the image box has no {sequence}", status=MISSING)
    image, size = _image(data.all(sequence), film, hierarchy, rules, box.size)
    lut = _referenced_lut(data, hierarchy)
    changed = replace(box, attributes=_kept(data, _BOX_ATTRIBUTES), image=image, lut=lut, size=size)
    room = rooms(film, rules.printer)[box.position - 1]
    status = fit_of(film, changed, rules.printer, room).status or status
    images = tuple(changed if one.uid == box.uid else one for one in film.images)
    return Outcome(_with_film(hierarchy, replace(film, images=images)), NormalizedAnswer(status=status))


def _image(
    items: tuple[Any, ...], film: FilmBox, hierarchy: Hierarchy, rules: Rules, before: int
) -> tuple[DataSet | None, int]:
    """Return the image that is set, and how many bytes it has; none where it is erased."""
    if not items:
        return None, 0
    if len(items) > 1:
        raise Refused("an image box has one image", status=INVALID_VALUE)
    try:
        image_size(items[0], colour=film.is_colour)
    except MissingElementError as error:
        raise Refused(error.message, status=MISSING) from error
    except DicomError as error:
        raise Refused(error.message, status=INVALID_VALUE) from error
    size = len(items[0].PixelData)
    if rules.elsewhere + hierarchy.size - before + size > rules.limits.memory:
        raise Refused("there is no memory for the image", status=NO_MEMORY)
    return _kept(items[0], _PIXEL_ATTRIBUTES).assign(PixelData=bytes(items[0].PixelData)), size


def _image_box(hierarchy: Hierarchy, uid: str) -> tuple[FilmBox, ImageBox]:
    """Find an image box of the film that was created last."""
    films = hierarchy.session.films if hierarchy.session is not None else ()
    for box in films[-1].images if films else ():
        if box.uid == uid:
            return films[-1], box
    raise Refused("there is no such image box on the last film", status=NO_SUCH_INSTANCE)


def _set_annotation(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    films = hierarchy.session.films if hierarchy.session is not None else ()
    boxes = films[-1].annotations if films else ()
    box = next((box for box in boxes if box.uid == request.sop_instance_uid), None)
    if box is None:
        raise Refused("there is no such annotation box on the last film", status=NO_SUCH_INSTANCE)
    data = request.data or DataSet()
    position = data.get("AnnotationPosition")
    if position is None:
        raise Refused("the annotation box has no AnnotationPosition", status=MISSING)
    if position != box.position:
        raise Refused(f"annotation box {box.position} can't be at position {position}", status=INVALID_VALUE)
    changed = replace(box, text=str(data.get("TextString") or "")) if "TextString" in data else box
    annotations = tuple(changed if one.uid == box.uid else one for one in boxes)
    return Outcome(_with_film(hierarchy, replace(films[-1], annotations=annotations)), NormalizedAnswer())


def _create_lut(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    uid = request.sop_instance_uid or new_uid()
    if uid in hierarchy.luts:
        raise Refused("there is such a presentation LUT already", status=DUPLICATE)
    if len(hierarchy.luts) >= rules.limits.tables:
        raise Refused(f"more than {rules.limits.tables} presentation LUTs", status=NO_RESOURCES)
    lut = _presentation_lut(request.data or DataSet())
    luts = MappingProxyType({**hierarchy.luts, uid: lut})
    return Outcome(replace(hierarchy, luts=luts), NormalizedAnswer(sop_instance_uid=uid))


def _presentation_lut(data: DataSet) -> PresentationLut:
    shape, items = data.get("PresentationLUTShape"), data.all("PresentationLUTSequence")
    if bool(shape) == bool(items):
        raise Refused("a presentation LUT has either a shape or a table", status=INVALID_VALUE if shape else MISSING)
    if shape:
        if shape not in ("IDENTITY", "LIN OD"):
            raise Refused(f"no presentation LUT shape {str(shape)[:20]}", status=INVALID_VALUE)
        return PresentationLut(str(shape))
    try:
        table = parse_table(data, items[0], signed_input=False)
    except DicomError as error:
        raise Refused(error.message, status=INVALID_VALUE) from error
    if len(table.entries) not in (256, 4096) or table.first != 0 or not 10 <= table.bits <= 16:
        text = f"a table of {len(table.entries)} entries of {table.bits} bits from {table.first} on"
        raise Refused(text, status=INVALID_VALUE)
    return PresentationLut("", table)


def _delete_lut(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    if request.sop_instance_uid not in hierarchy.luts:
        raise Refused("there is no such presentation LUT", status=NO_SUCH_INSTANCE)
    luts = {uid: lut for uid, lut in hierarchy.luts.items() if uid != request.sop_instance_uid}
    return Outcome(replace(hierarchy, luts=MappingProxyType(luts)), NormalizedAnswer())


def _referenced_lut(data: DataSet, hierarchy: Hierarchy) -> PresentationLut | None:
    if not data.all("ReferencedPresentationLUTSequence"):
        return None
    uid = _reference(data, "ReferencedPresentationLUTSequence", PRESENTATION_LUT)
    if uid not in hierarchy.luts:
        raise Refused("there is no such presentation LUT", status=INVALID_VALUE)
    return hierarchy.luts[uid]


# ---- printer and print job -----------------------------------------------------------------------------------------


def _get_printer(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    if request.sop_instance_uid != PRINTER_INSTANCE:
        raise Refused("there is no such printer", status=NO_SUCH_INSTANCE)
    return _got(hierarchy, request, rules.printer.attributes())


def _get_job(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    for job in hierarchy.jobs:
        if job.uid == request.sop_instance_uid:
            return _got(hierarchy, request, job.attributes(rules.printer))
    raise Refused("there is no such print job", status=NO_SUCH_INSTANCE)


def _got(hierarchy: Hierarchy, request: NormalizedRequest, data: DataSet) -> Outcome:
    unknown = [tag for tag in request.attributes if tag not in data]
    return Outcome(
        hierarchy,
        NormalizedAnswer(selected(data, request.attributes), ATTRIBUTE_LIST_ERROR if unknown else 0),
    )


# ---- attributes ----------------------------------------------------------------------------------------------------


def _check(data: DataSet, rules: Rules) -> int:
    """Look at the values of what is created or set; return the status that tells of densities out of range."""
    for keyword, allowed in _TERMS.items():
        value = data.get(keyword)
        if value is not None and value not in allowed:
            raise Refused(f"{keyword} is {str(value)[:20]}", status=INVALID_VALUE)
    for keyword in _DENSITIES:
        value = str(data.get(keyword) or "BLACK")
        if value not in ("BLACK", "WHITE") and not (value.isdecimal() and value.isascii()):
            raise Refused(f"{keyword} is {value[:20]}", status=INVALID_VALUE)
    for keyword, most in (
        ("NumberOfCopies", rules.limits.copies),
        ("RequestedImageSize", 2000),
        ("Illumination", 0xFFFF),
    ):
        value = data.get(keyword)
        if value is not None and not (isinstance(value, (int, float)) and 0 < value <= most):
            raise Refused(f"{keyword} is {str(value)[:20]}", status=INVALID_VALUE)
    low, high = data.get("MinDensity"), data.get("MaxDensity")
    printer = rules.printer
    low_outside = isinstance(low, int) and not printer.min_density <= low <= printer.max_density
    high_outside = isinstance(high, int) and not printer.min_density <= high <= printer.max_density
    return OTHER_DENSITY if low_outside or high_outside else 0


def _kept(data: DataSet, keywords: Sequence[str]) -> DataSet:
    """Return a data set that has some attributes, and nothing else of the message that they came with."""
    values = {keyword: data[keyword] for keyword in keywords if data.get(keyword) is not None}
    profile = values.get("ICCProfile")
    if profile is not None and len(profile) > _LARGEST_PROFILE:
        raise Refused("the ICC profile is too large", status=INVALID_VALUE)
    for keyword, value in values.items():
        if keyword != "ICCProfile" and len(str(value)) > _LONGEST_TEXT:
            raise Refused(f"{keyword} is too long", status=INVALID_VALUE)
    try:
        return DataSet(values if profile is None else values | {"ICCProfile": bytes(profile)})
    except DicomError as error:
        raise Refused(error.message, status=INVALID_VALUE) from error


def _reference(data: DataSet, sequence: str, sop_class: str) -> str:
    """Return the instance that a sequence of one item refers to."""
    items = data.all(sequence)
    if not items:
        raise Refused(f"there is no {sequence}", status=MISSING if sequence not in data else NO_VALUE)
    if len(items) != 1 or items[0].get("ReferencedSOPClassUID") != sop_class:
        raise Refused(f"{sequence} refers to something else", status=INVALID_VALUE)
    return str(items[0].get("ReferencedSOPInstanceUID") or "")


def _references(sop_class: str, boxes: tuple[Any, ...]) -> list[DataSet]:
    return [_item(sop_class, box.uid) for box in boxes]


def _item(sop_class: str, uid: str) -> DataSet:
    return DataSet(ReferencedSOPClassUID=sop_class, ReferencedSOPInstanceUID=uid)


TRANSITIONS: Mapping[tuple[str, str], Transition] = MappingProxyType(
    {
        (FILM_SESSION, "N-CREATE"): _create_session,
        (FILM_SESSION, "N-SET"): _set_session,
        (FILM_SESSION, "N-DELETE"): _delete_session,
        (FILM_SESSION, "N-ACTION"): _print_session,
        (FILM_BOX, "N-CREATE"): _create_film,
        (FILM_BOX, "N-SET"): _set_film,
        (FILM_BOX, "N-DELETE"): _delete_film,
        (FILM_BOX, "N-ACTION"): _print_film,
        (GREY_BOX, "N-SET"): _set_image,
        (COLOUR_BOX, "N-SET"): _set_image,
        (ANNOTATION_BOX, "N-SET"): _set_annotation,
        (PRESENTATION_LUT, "N-CREATE"): _create_lut,
        (PRESENTATION_LUT, "N-DELETE"): _delete_lut,
        (PRINTER, "N-GET"): _get_printer,
        (PRINT_JOB, "N-GET"): _get_job,
    }
)
"""What is done for each SOP class and operation."""
