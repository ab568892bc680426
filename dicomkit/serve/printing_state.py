"""What each request of print management does to the hierarchy of an association, as pure functions (PS3.4 H.4)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

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
)
from dicomkit.dimse.provider import Refused
from dicomkit.serve.film_hierarchy import Hierarchy
from dicomkit.serve.printing_boxes import set_annotation, set_image
from dicomkit.serve.printing_films import (
    create_film,
    create_session,
    delete_film,
    delete_session,
    print_film,
    print_session,
    set_film,
    set_session,
)
from dicomkit.serve.printing_luts import create_lut, delete_lut
from dicomkit.serve.printing_rules import (
    ATTRIBUTE_LIST_ERROR,
    CLASS_NOT_SUPPORTED,
    NO_SUCH_INSTANCE,
    UNRECOGNIZED,
    Outcome,
    Rules,
    Transition,
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


TRANSITIONS: Mapping[tuple[str, str], Transition] = MappingProxyType(
    {
        (FILM_SESSION, "N-CREATE"): create_session,
        (FILM_SESSION, "N-SET"): set_session,
        (FILM_SESSION, "N-DELETE"): delete_session,
        (FILM_SESSION, "N-ACTION"): print_session,
        (FILM_BOX, "N-CREATE"): create_film,
        (FILM_BOX, "N-SET"): set_film,
        (FILM_BOX, "N-DELETE"): delete_film,
        (FILM_BOX, "N-ACTION"): print_film,
        (GREY_BOX, "N-SET"): set_image,
        (COLOUR_BOX, "N-SET"): set_image,
        (ANNOTATION_BOX, "N-SET"): set_annotation,
        (PRESENTATION_LUT, "N-CREATE"): create_lut,
        (PRESENTATION_LUT, "N-DELETE"): delete_lut,
        (PRINTER, "N-GET"): _get_printer,
        (PRINT_JOB, "N-GET"): _get_job,
    }
)
"""What is done for each SOP class and operation."""
