"""The information models of query and retrieve: their SOP classes, and which levels they have (PS3.4 C.6)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dicomkit.errors import QueryError
from dicomkit.query.query import Query

PATIENT, STUDY, PATIENT_STUDY_ONLY = "PATIENT", "STUDY", "PATIENT/STUDY ONLY"
_ROOT = "1.2.840.10008.5.1.4.1.2"
_ROOTS = (PATIENT, STUDY, PATIENT_STUDY_ONLY)
_OPERATIONS = ("FIND", "MOVE", "GET")
MODELS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        (root, operation): f"{_ROOT}.{number}.{service}"
        for number, root in enumerate(_ROOTS, 1)
        for service, operation in enumerate(_OPERATIONS, 1)
    }
)
"""The SOP class of each root and operation."""
_MODELS_BY_UID = MappingProxyType({uid: pair for pair, uid in MODELS.items()})


def model_for(query: Query, operation: str, root: str = STUDY) -> str:
    """Return the SOP class in which a query can be asked.

    Parameters
    ----------
    operation
        ``"FIND"``, ``"MOVE"`` or ``"GET"``.
    root
        ``"STUDY"``, ``"PATIENT"`` or ``"PATIENT/STUDY ONLY"`` (retired). The Study Root has no patient level: a query
        on that level is asked in the Patient Root.

    Raises
    ------
    QueryError
        When there is no such model, or it doesn't have the level.

    Examples
    --------
    >>> from dicomkit.query.query import query
    >>> model_for(query("study"), "FIND"), model_for(query("patient"), "FIND")
    ('1.2.840.10008.5.1.4.1.2.2.1', '1.2.840.10008.5.1.4.1.2.1.1')
    """
    name, verb = root.strip().upper(), operation.strip().upper()
    if name not in _ROOTS:
        raise QueryError(f"there is no model with the root {root!r}", hint=f"it is one of {', '.join(_ROOTS)}")
    if verb not in _OPERATIONS:
        raise QueryError(f"{operation!r} is no operation", hint=f"it is one of {', '.join(_OPERATIONS)}")
    if query.level is None:
        raise QueryError("a query without a level is in none of the models", hint="make it with a level, like 'study'")
    if name == STUDY and query.level == PATIENT:
        name = PATIENT
    if name == PATIENT_STUDY_ONLY and query.level not in (PATIENT, STUDY):
        raise QueryError(f"the model {name} has no level {query.level}", hint=f"choose the root {PATIENT} or {STUDY}")
    return MODELS[name, verb]


def model_of(uid: str) -> tuple[str, str] | None:
    """Return the root and operation of a SOP class; None where it is no model of query and retrieve.

    Examples
    --------
    >>> model_of("1.2.840.10008.5.1.4.1.2.1.3")
    ('PATIENT', 'GET')
    """
    return _MODELS_BY_UID.get(uid)
