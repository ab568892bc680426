"""What requests do to a film session and its film boxes, and what they print (PS3.4 H.4.1, H.4.2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.normalized_provider import NormalizedAnswer, NormalizedRequest
from dicomkit.dimse.print_classes import (
    ANNOTATION_BOX,
    COLOUR_BOX,
    COLOUR_PRINT,
    FILM_SESSION,
    GREY_BOX,
    PRINT_JOB,
    REFERENCED_JOB,
)
from dicomkit.dimse.provider import Refused
from dicomkit.errors import DicomError
from dicomkit.objects.film import Layout, film_size
from dicomkit.serve.film_hierarchy import (
    ANNOTATION_FORMATS,
    AnnotationBox,
    FilmBox,
    FilmSession,
    Hierarchy,
    ImageBox,
    PresentationLut,
    PrintJob,
)
from dicomkit.serve.printed_film import dots_per_mm, fit_of, rooms, size_of
from dicomkit.serve.printing_attributes import (
    FILM_ATTRIBUTES,
    SESSION_ATTRIBUTES,
    SETTABLE,
    check_action,
    checked,
    item_of,
    items_of,
    kept_of,
    reference_in,
)
from dicomkit.serve.printing_luts import referenced_lut
from dicomkit.serve.printing_rules import (
    ATTRIBUTE_LIST_ERROR,
    DUPLICATE,
    FILM_EMPTY,
    INVALID_VALUE,
    MEMORY_NOT_ALLOCATED,
    MISSING,
    NO_FILMS,
    NO_RESOURCES,
    NO_SUCH_INSTANCE,
    SESSION_EMPTY,
    Outcome,
    Rules,
)
from dicomkit.values.uid import new_uid


def create_session(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    """Make the film session of an association, which has one."""
    if hierarchy.session is not None:
        raise Refused("there is a film session already", status=DUPLICATE)
    data = request.data or DataSet()
    checked(data, rules)
    session = FilmSession(request.sop_instance_uid or new_uid(), kept_of(data, SESSION_ATTRIBUTES))
    status = MEMORY_NOT_ALLOCATED if data.get("MemoryAllocation") else 0
    answer = NormalizedAnswer(session.attributes or None, status, sop_instance_uid=session.uid)
    return Outcome(replace(hierarchy, session=session), answer)


def set_session(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    """Change what is said of a film session."""
    session, data = _session(hierarchy, request), request.data or DataSet()
    checked(data, rules)
    kept = kept_of(data, SESSION_ATTRIBUTES)
    changed = replace(session, attributes=session.attributes.merge(kept))
    status = MEMORY_NOT_ALLOCATED if data.get("MemoryAllocation") else 0
    return Outcome(replace(hierarchy, session=changed), NormalizedAnswer(kept or None, status))


def delete_session(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    """Forget a film session with its films."""
    _session(hierarchy, request)
    return Outcome(replace(hierarchy, session=None), NormalizedAnswer())


def print_session(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    """Print all films of a session."""
    session = _session(hierarchy, request)
    check_action(request)
    if not session.films:
        raise Refused("the film session has no film boxes", status=NO_FILMS)
    empty = all(film.is_empty for film in session.films)
    return _printed(hierarchy, session, SESSION_EMPTY if empty else 0, request, rules)


def _session(hierarchy: Hierarchy, request: NormalizedRequest) -> FilmSession:
    if hierarchy.session is None or hierarchy.session.uid != request.sop_instance_uid:
        raise Refused("there is no such film session", status=NO_SUCH_INSTANCE)
    return hierarchy.session


# ---- film box ------------------------------------------------------------------------------------------------------


def create_film(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    """Make a film box, with the image and annotation boxes of its layout."""
    data = request.data or DataSet()
    session = hierarchy.session
    if session is None:
        raise Refused("there is no film session", status=INVALID_VALUE)
    if reference_in(data, "ReferencedFilmSessionSequence", FILM_SESSION) != session.uid:
        raise Refused("the film box refers to another film session", status=INVALID_VALUE)
    uid = request.sop_instance_uid or new_uid()
    if any(film.uid == uid for film in session.films):
        raise Refused("there is such a film box already", status=DUPLICATE)
    if len(session.films) >= rules.limits.films:
        raise Refused(f"more than {rules.limits.films} films in a session", status=NO_RESOURCES)
    film, status = _new_film(uid, data, hierarchy, request, rules)
    box_class = COLOUR_BOX if film.is_colour else GREY_BOX
    answered: dict[str, Any] = {
        "ReferencedFilmSessionSequence": [item_of(FILM_SESSION, session.uid)],
        "ReferencedImageBoxSequence": items_of(box_class, film.images),
    }
    if "ReferencedPresentationLUTSequence" in data:
        answered["ReferencedPresentationLUTSequence"] = data.all("ReferencedPresentationLUTSequence")
    if film.annotations:
        answered["ReferencedBasicAnnotationBoxSequence"] = items_of(ANNOTATION_BOX, film.annotations)
    changed = replace(hierarchy, session=replace(session, films=(*session.films, film)))
    return Outcome(changed, NormalizedAnswer(film.attributes.assign(answered), status, sop_instance_uid=uid))


def _new_film(
    uid: str, data: DataSet, hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules
) -> tuple[FilmBox, int]:
    """Make a film box with its image and annotation boxes, and the status that tells of its densities."""
    status = checked(data, rules)
    said = data.get("ImageDisplayFormat")
    if not said:
        raise Refused("the film box has no ImageDisplayFormat", status=MISSING)
    wanted = data.get("AnnotationDisplayFormatID")
    texts = ANNOTATION_FORMATS.get(str(wanted)) if wanted and ANNOTATION_BOX in rules.negotiated else ()
    if texts is None:
        raise Refused(f"no annotation format {str(wanted)[:20]}", status=INVALID_VALUE)
    annotations = tuple(AnnotationBox(new_uid(), number, where) for number, where in enumerate(texts, 1))
    lut = referenced_lut(data, hierarchy) or PresentationLut()
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
    kept = kept_of(data, FILM_ATTRIBUTES)
    film = FilmBox(uid, layout, request.abstract_syntax == COLOUR_PRINT, kept, images, annotations, lut)
    scale = dots_per_mm(film, rules.printer)
    if size_of(film, rules.printer)[0] * size_of(film, rules.printer)[1] * scale * scale > rules.limits.pixels:
        raise Refused("the film has too many pixels in this resolution", status=NO_RESOURCES)
    return film, status


def set_film(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    """Change what is said of the film box that was made last."""
    film, data = _last_film(hierarchy, request.sop_instance_uid), request.data or DataSet()
    status = checked(data, rules)
    changed = kept_of(data, SETTABLE)
    lut = referenced_lut(data, hierarchy) or film.lut
    film = replace(film, attributes=film.attributes.merge(changed), lut=lut)
    if any(tag.keyword not in (*SETTABLE, "ReferencedPresentationLUTSequence") for tag in data):
        status = ATTRIBUTE_LIST_ERROR
    return Outcome(hierarchy.with_last_film(film), NormalizedAnswer(changed or None, status))


def delete_film(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    """Forget the film box that was made last."""
    _last_film(hierarchy, request.sop_instance_uid)
    assert hierarchy.session is not None
    session = replace(hierarchy.session, films=hierarchy.session.films[:-1])
    return Outcome(replace(hierarchy, session=session), NormalizedAnswer())


def print_film(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    """Print the film that was made last."""
    film = _last_film(hierarchy, request.sop_instance_uid)
    check_action(request)
    assert hierarchy.session is not None
    session = replace(hierarchy.session, films=(film,))
    return _printed(hierarchy, session, FILM_EMPTY if film.is_empty else 0, request, rules)


def _last_film(hierarchy: Hierarchy, uid: str) -> FilmBox:
    films = hierarchy.films
    if not films or films[-1].uid != uid:
        known = any(film.uid == uid for film in films)
        text = "only the film box that was created last can be used" if known else "there is no such film box"
        raise Refused(text, status=NO_SUCH_INSTANCE)
    return films[-1]


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
        answered = DataSet({REFERENCED_JOB: [item_of(PRINT_JOB, job.uid)]})
    kept = (*hierarchy.jobs, replace(job, session=replace(session, films=())))[-rules.limits.jobs :]
    return Outcome(
        replace(hierarchy, jobs=kept), NormalizedAnswer(answered, status or next(filter(None, fits), 0)), job
    )
