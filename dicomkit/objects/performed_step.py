"""A modality performed procedure step: how it begins, what may change it, and what its end needs (PS3.4 F.7.2).

Everything here is a pure function from a data set to a data set. A step that is not what PS3.4 Table F.7.2-1 asks for
is an error with the status that a provider answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.recode import with_charset
from dicomkit.errors import DicomError
from dicomkit.standard.modules import iod_of
from dicomkit.validation.findings import Finding
from dicomkit.validation.requirements import Requirements
from dicomkit.values.tag import Tag

PERFORMED_STEP = "1.2.840.10008.3.1.2.3.3"
IN_PROGRESS, COMPLETED, DISCONTINUED = "IN PROGRESS", "COMPLETED", "DISCONTINUED"
STATES = (IN_PROGRESS, COMPLETED, DISCONTINUED)
INVALID_VALUE, NO_SUCH_ATTRIBUTE, MISSING, MISSING_VALUE, MAY_NO_LONGER_BE_UPDATED = (
    0x0106,
    0x0105,
    0x0120,
    0x0121,
    0x0110,
)
NO_LONGER = "Performed Procedure Step Object may no longer be updated"
"""The Error Comment that Table F.7.2-2 gives the status 0110, with the Error ID A710."""
_NO_LONGER_ID = 0xA710
_STATUS_OF_RULE = {
    "missing": MISSING,
    "empty": MISSING_VALUE,
    "enumerated": INVALID_VALUE,
    "not allowed": INVALID_VALUE,
}
_ONLY_AT_CREATION = frozenset(
    (
        *("ScheduledStepAttributesSequence", "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate"),
        *("IssuerOfPatientIDQualifiersSequence", "PatientSex", "ReferencedPatientSequence", "AdmissionID"),
        *("IssuerOfAdmissionIDSequence", "ServiceEpisodeID", "IssuerOfServiceEpisodeIDSequence", "StudyID"),
        *("ServiceEpisodeDescription", "PerformedProcedureStepID", "PerformedStationAETitle", "Modality"),
        *("PerformedStationName", "PerformedLocation", "PerformedProcedureStepStartDate"),
        "PerformedProcedureStepStartTime",
    )
)
"""What N-SET may not change (Table F.7.2-1)."""


class PerformedStepError(DicomError):
    """What can't be done to a performed procedure step.

    Attributes
    ----------
    status, error_id
        What a provider answers: the status, and the Error ID that goes with it where there is one.
    attributes
        Keywords of what is wrong.
    """

    def __init__(
        self, message: str, *, status: int, attributes: Iterable[str] = (), error_id: int | None = None, **where: Any
    ) -> None:
        super().__init__(message, **where)
        self.status, self.attributes, self.error_id = status, tuple(attributes), error_id


def state_of(step: DataSet) -> str:
    """Return the Performed Procedure Step Status; empty where there is none.

    Examples
    --------
    >>> state_of(DataSet(PerformedProcedureStepStatus="IN PROGRESS"))
    'IN PROGRESS'
    """
    return str(step.get("PerformedProcedureStepStatus") or "")


def created_step(attributes: DataSet, *, strict: bool = True) -> DataSet:
    """Begin a step with the attribute list of an N-CREATE.

    Parameters
    ----------
    strict
        Whether all that Table F.7.2-1 asks for has to be there; otherwise only the status counts.

    Raises
    ------
    PerformedStepError
        When its status isn't IN PROGRESS (0106), or an attribute (0120) or its value (0121) is missing.

    Examples
    --------
    >>> try:
    ...     created_step(DataSet(PerformedProcedureStepStatus="COMPLETED"))
    ... except PerformedStepError as error:
    ...     print(f"{error.status:04X} {error.message}")
    0106 a step begins IN PROGRESS, not 'COMPLETED'
    """
    state = attributes.get("PerformedProcedureStepStatus")
    if state != IN_PROGRESS:
        told = f"a step begins IN PROGRESS, not {state!r}" if state else "the step has no status"
        status = INVALID_VALUE if state else MISSING_VALUE if "PerformedProcedureStepStatus" in attributes else MISSING
        raise _error(told, status, ["PerformedProcedureStepStatus"])
    if strict:
        _require(attributes)
    return attributes


def changed_step(step: DataSet, changes: DataSet, *, strict: bool = True) -> DataSet:
    """Change a step by the modification list of an N-SET; a sequence is replaced as a whole.

    Parameters
    ----------
    strict
        Whether to hold the changes against Table F.7.2-1; otherwise what may not change is left as it is, and only the
        status counts.

    Returns
    -------
    DataSet
        In the character set of the step, or in UTF-8 where the changes have another one (F.7.2.2.3).

    Raises
    ------
    PerformedStepError
        When the step has ended (0110), is given a status that there isn't or an attribute that is only set when a step
        begins (0106), one that it doesn't have (0105), or ends without what its end needs (0120, 0121).

    Examples
    --------
    >>> ended = DataSet(PerformedProcedureStepStatus="DISCONTINUED")
    >>> try:
    ...     changed_step(ended, DataSet(PerformedProcedureStepStatus="IN PROGRESS"))
    ... except PerformedStepError as error:
    ...     print(f"{error.status:04X} {error.message}")
    0110 Performed Procedure Step Object may no longer be updated
    """
    if state_of(step) != IN_PROGRESS:
        raise _error(NO_LONGER, MAY_NO_LONGER_BE_UPDATED, ["PerformedProcedureStepStatus"], _NO_LONGER_ID)
    check_changes(changes.drop(*_unchanged(step, changes)) if strict else changes, strict=strict)
    kept = changes.drop(*(word for word in _ONLY_AT_CREATION if word in changes))
    unknown = [tag.keyword or str(tag) for tag in kept if tag not in step and tag.keyword != "SpecificCharacterSet"]
    if strict and unknown:
        raise _error(f"attributes that were not created: {', '.join(unknown)}", NO_SUCH_ATTRIBUTE, unknown)
    changed = _merged(step, kept)
    if strict:
        _require(changed, None if state_of(changed) != IN_PROGRESS else frozenset(tag.keyword for tag in kept))
    return changed


def check_changes(changes: DataSet, *, strict: bool = True) -> None:
    """Refuse a modification list that no step can take, whatever it is like so far.

    Raises
    ------
    PerformedStepError
        When it has a status that there isn't, or an attribute that is only set when a step begins.

    Examples
    --------
    >>> check_changes(DataSet(PerformedProcedureStepStatus="COMPLETED"))
    """
    keyword = "PerformedProcedureStepStatus"
    if keyword in changes and changes[keyword] not in STATES:
        status = INVALID_VALUE if changes[keyword] else MISSING_VALUE
        raise _error(f"{changes[keyword]!r} is no status of a step", status, [keyword])
    fixed = [tag.keyword for tag in changes if tag.keyword in _ONLY_AT_CREATION]
    if strict and fixed:
        raise _error(f"set only when a step begins: {', '.join(fixed)}", INVALID_VALUE, fixed)


def _unchanged(step: DataSet, changes: DataSet) -> list[Tag]:
    """What a peer sends again as it is: no change, though it may not be changed."""
    return [
        tag for tag in changes if tag.keyword in _ONLY_AT_CREATION and tag in step and changes.get(tag) == step.get(tag)
    ]


def _merged(step: DataSet, changes: DataSet) -> DataSet:
    old, new = step.get("SpecificCharacterSet"), changes.get("SpecificCharacterSet")
    if new is None or new == old:
        return step.merge(changes)
    return with_charset(step, "ISO_IR 192").merge(with_charset(changes, "ISO_IR 192"))


def _require(step: DataSet, keywords: frozenset[str] | None = None) -> None:
    """Hold a step, or some of its attributes and all below them, against Table F.7.2-1."""
    iod = iod_of(PERFORMED_STEP)
    if iod is None:  # the table is shipped
        return
    found = [
        finding
        for finding in Requirements(iod, False).check(step)
        if finding.rule in _STATUS_OF_RULE
        and finding.severity == "error"
        and (keywords is None or (finding.path and finding.path[0] in keywords))
    ]
    if found:
        first = min(found, key=lambda finding: tuple(_STATUS_OF_RULE).index(finding.rule))
        status = _STATUS_OF_RULE[first.rule]
        alike = [finding for finding in found if _STATUS_OF_RULE[finding.rule] == status]
        words = {MISSING: "missing", MISSING_VALUE: "without a value", INVALID_VALUE: "not allowed so"}
        names = dict.fromkeys(finding.where for finding in alike)
        raise _error(f"{words[status]}: {', '.join(names)}", status, [_keyword(finding) for finding in alike])


def _keyword(finding: Finding) -> str:
    return str(finding.path[0]) if finding.path else ""


def _error(message: str, status: int, attributes: Iterable[str], error_id: int | None = None) -> PerformedStepError:
    return PerformedStepError(message, status=status, attributes=dict.fromkeys(attributes), error_id=error_id)
