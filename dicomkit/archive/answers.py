"""From cards to the answers of a search: which groups of instances match, and what is told of each (PS3.4 C.4.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.query import Query, matcher, returned

COMPUTED = frozenset(
    (
        *("ModalitiesInStudy", "SOPClassesInStudy", "NumberOfPatientRelatedStudies", "NumberOfPatientRelatedSeries"),
        *("NumberOfPatientRelatedInstances", "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"),
        *("NumberOfSeriesRelatedInstances", "InstanceAvailability"),
    )
)
"""What is told of a group of instances, and in none of them."""


def wanted_keywords(query: Query) -> tuple[str, ...]:
    """List the keywords of what an answer holds."""
    return tuple(dict.fromkeys((*(keyword for keyword, _ in query.keys), *returned(query))))


def asks_about_group(query: Query) -> bool:
    """Whether a query matches what is told of groups, and not only asks for it."""
    return any(keyword in COMPUTED and key for keyword, key in query.keys)


def answering(query: Query) -> Callable[[DataSet, Mapping[str, Any]], DataSet | None]:
    """Make what turns a card, and what was computed of its group, into an answer; None where it doesn't match.

    Examples
    --------
    >>> from dicomkit.query import query
    >>> answer = answering(query("study", PatientID="A*", return_keys=["NumberOfStudyRelatedSeries"]))
    >>> facts = {"NumberOfStudyRelatedSeries": 2}
    >>> answer(DataSet(PatientID="A1", StudyInstanceUID="1.2"), facts).NumberOfStudyRelatedSeries
    2
    >>> answer(DataSet(PatientID="B1", StudyInstanceUID="1.2"), {}) is None
    True
    """
    keywords = wanted_keywords(query)
    plain = [keyword for keyword in keywords if keyword not in COMPUTED]
    computed = [keyword for keyword in keywords if keyword in COMPUTED]
    test = matcher(query)
    about_group = asks_about_group(query)
    level = [] if query.level is None else [Element.of("QueryRetrieveLevel", query.level)]

    def answer(card: DataSet, facts: Mapping[str, Any]) -> DataSet | None:
        if not test(card.assign({keyword: facts.get(keyword) for keyword in computed}) if about_group else card):
            return None
        elements = list(level)
        if "SpecificCharacterSet" in card:
            elements.append(card.element("SpecificCharacterSet"))
        for keyword in plain:
            elements.append(card.element(keyword) if keyword in card else Element.of(keyword, None))
        elements += [Element.of(keyword, facts.get(keyword)) for keyword in computed]
        return DataSet(elements)

    return answer
