"""What requests do to the image and annotation boxes of a film (PS3.4 H.4.3, H.4.4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.normalized_provider import NormalizedAnswer, NormalizedRequest
from dicomkit.dimse.print_classes import COLOUR_BOX
from dicomkit.dimse.provider import Refused
from dicomkit.errors import DicomError, MissingElementError
from dicomkit.objects.film_pixels import COLOUR_SEQUENCE, GREY_SEQUENCE, image_size
from dicomkit.serve.film_hierarchy import FilmBox, Hierarchy, ImageBox
from dicomkit.serve.printed_film import fit_of, rooms
from dicomkit.serve.printing_attributes import BOX_ATTRIBUTES, PIXEL_ATTRIBUTES, checked, kept_of
from dicomkit.serve.printing_luts import referenced_lut
from dicomkit.serve.printing_rules import CONFLICT, INVALID_VALUE, MISSING, NO_MEMORY, NO_SUCH_INSTANCE, Outcome, Rules


def set_image(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    """Put an image into its box, or take it out."""
    film, box = _image_box(hierarchy, request.sop_instance_uid)
    if film.is_colour != (request.sop_class_uid == COLOUR_BOX):
        raise Refused("the image box is of another SOP class", status=CONFLICT)
    data = request.data or DataSet()
    status = checked(data, rules)
    position = data.get("ImageBoxPosition")
    if position is None:
        raise Refused("the image box has no ImageBoxPosition", status=MISSING)
    if position != box.position:
        raise Refused(f"image box {box.position} can't be at position {position}", status=INVALID_VALUE)
    sequence = COLOUR_SEQUENCE if film.is_colour else GREY_SEQUENCE
    if sequence not in data:
        raise Refused(f"the image box has no {sequence}", status=MISSING)
    image, size = _image(data.all(sequence), film, hierarchy, rules, box.size)
    lut = referenced_lut(data, hierarchy)
    changed = replace(box, attributes=kept_of(data, BOX_ATTRIBUTES), image=image, lut=lut, size=size)
    room = rooms(film, rules.printer)[box.position - 1]
    status = fit_of(film, changed, rules.printer, room).status or status
    images = tuple(changed if one.uid == box.uid else one for one in film.images)
    return Outcome(hierarchy.with_last_film(replace(film, images=images)), NormalizedAnswer(status=status))


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
    return kept_of(items[0], PIXEL_ATTRIBUTES).assign(PixelData=bytes(items[0].PixelData)), size


def _image_box(hierarchy: Hierarchy, uid: str) -> tuple[FilmBox, ImageBox]:
    """Find an image box of the film that was created last."""
    films = hierarchy.films
    for box in films[-1].images if films else ():
        if box.uid == uid:
            return films[-1], box
    raise Refused("there is no such image box on the last film", status=NO_SUCH_INSTANCE)


def set_annotation(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    """Write a text into its box."""
    films = hierarchy.films
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
    return Outcome(hierarchy.with_last_film(replace(films[-1], annotations=annotations)), NormalizedAnswer())
