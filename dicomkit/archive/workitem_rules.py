"""The rules of a procedure step: what may be created and changed, and what a final state needs (PS3.4 CC.2.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.recode import with_charset
from dicomkit.errors import DicomError
from dicomkit.objects.procedure_step import in_utf8
from dicomkit.standard.attributes import vr_of
from dicomkit.standard.procedure_steps import CANCELED, COMPLETED, PUSH, SCHEDULED, StepAttribute, step_attributes
from dicomkit.values.date_times import DateTime
from dicomkit.values.tag import Tag

MISSING_ATTRIBUTE, MISSING_VALUE, INVALID_VALUE = 0x0120, 0x0121, 0x0106
CREATED_WITH_MODIFICATIONS, COERCED = 0xB300, 0xB305
NOT_SCHEDULED, ONLY_CREATED, NOT_FINAL = 0xC309, 0xC303, 0xC304
DEFAULT_WORKLIST = "Worklist"
TRANSACTION_UID = Tag.of("TransactionUID")

_STATE = Tag.of("ProcedureStepState")
_MODIFIED = Tag.of("ScheduledProcedureStepModificationDateTime")
_WORKLIST = Tag.of("WorklistLabel")
_CHARSET = Tag.of("SpecificCharacterSet")
_IDENTITY = (Tag.of("SOPClassUID"), Tag.of("SOPInstanceUID"))
_ENUMERATED = {
    Tag.of("ScheduledProcedureStepPriority"): ("HIGH", "MEDIUM", "LOW"),
    Tag.of("InputReadinessState"): ("READY", "UNREADY", "INCOMPLETE"),
}
_OTHER_CODES = {0x00080100: ("LongCodeValue", "URNCodeValue"), 0x00080102: ("URNCodeValue",)}
"""Which elements of a coded entry, newer than the table, stand in for one that it asks for."""
_PROVIDED = {Tag.of("ProcedureStepCancellationDateTime")}
"""What the provider fills in itself."""
_MAY_HAVE_NO_ITEMS = {Tag.of("OutputInformationSequence")}
_NEEDED_FOR = {"R": (COMPLETED, CANCELED), "P": (COMPLETED,), "X": (CANCELED,)}
_LOWEST_GROUP = 0x0008


class WorkitemError(DicomError):
    """What is refused; ``status`` is what the user is answered (PS3.4 CC.2, PS3.7 10.1)."""

    def __init__(self, message: str, *, status: int = 0x0110, **where: Any) -> None:
        super().__init__(message, **where)
        self.status = status


def new_step(ds: DataSet, uid: str, now: datetime, *, worklist: str = DEFAULT_WORKLIST) -> tuple[DataSet, int]:
    """Return a step as it is created, and the status: success, or that it was created with modifications.

    Parameters
    ----------
    ds
        What the user of N-CREATE sent.
    uid
        The SOP Instance UID that it gets.
    now
        When it is created.
    worklist
        The label where none is given.

    Raises
    ------
    WorkitemError
        When the state isn't SCHEDULED, a value is missing that may not be, or one is there that may not be.

    Examples
    --------
    >>> from dicomkit.objects.procedure_step import make_procedure_step
    >>> step, status = new_step(make_procedure_step("Report"), "2.25.1", datetime(2024, 2, 29, 12))
    >>> step.SOPInstanceUID, step.WorklistLabel, step.ScheduledProcedureStepModificationDateTime, status
    (UID('2.25.1'), 'Worklist', DateTime('20240229120000'), 0)
    """
    ds = in_utf8(ds)
    if ds.get(_STATE) != SCHEDULED:
        raise WorkitemError("a step is created with the state SCHEDULED", status=NOT_SCHEDULED, tag=_STATE)
    given = _without(ds, lambda tag: tag in _IDENTITY or tag == TRANSACTION_UID or tag >> 16 < _LOWEST_GROUP)
    if ds.get(TRANSACTION_UID):
        _refuse("a new step has no Transaction UID", INVALID_VALUE, TRANSACTION_UID)
    added: dict[Any, Any] = {}
    for one in step_attributes():
        if one.path[0] in _IDENTITY or one.path[0] == TRANSACTION_UID:
            continue
        for holder in _holders(given, one.path):
            kind = one.create
            if kind == "1":
                _need(holder, one)
            elif kind == "E" and holder.get(Tag(one.path[-1])):
                _refuse(f"{_name(one.path)} of a new step is empty", INVALID_VALUE, one.path[-1])
            elif kind in ("2", "E") and len(one.path) == 1 and one.path[0] not in holder:
                added[Tag(one.path[0])] = None
    _check_values(given)
    altered = [key for key in _IDENTITY if ds.get(key) not in (None, "", uid, PUSH)]
    made = given.assign(added).assign(
        {
            _IDENTITY[0]: PUSH,
            _IDENTITY[1]: uid,
            _MODIFIED: DateTime.of(now),
            _WORKLIST: given.get(_WORKLIST) or worklist,
        }
    )
    silently = {_MODIFIED, _WORKLIST}
    return made, CREATED_WITH_MODIFICATIONS if altered or set(added) - silently else 0


def changed_step(step: DataSet, changes: DataSet, now: datetime) -> DataSet:
    """Return a step after an N-SET that its state allows.

    Raises
    ------
    WorkitemError
        When something is set that may not be, or a value taken away that has to stay.

    Examples
    --------
    >>> step = DataSet(PatientName="DOE^JANE", ProcedureStepLabel="Report")
    >>> changed_step(step, DataSet(ProcedureStepLabel="Report it"), datetime(2024, 2, 29)).ProcedureStepLabel
    'Report it'
    >>> changed_step(step, DataSet(PatientName="ROE"), datetime(2024, 2, 29))
    Traceback (most recent call last):
        ...
    dicomkit.archive.workitem_rules.WorkitemError: PatientName of a step can't be changed [tag (0010,0010)]
    """
    if changes.get(_STATE) == SCHEDULED and step.get(_STATE) != SCHEDULED:
        raise WorkitemError("a step becomes SCHEDULED when it is created", status=ONLY_CREATED, tag=_STATE)
    taken = _without(
        in_utf8(changes),
        lambda tag: (
            tag in (TRANSACTION_UID, _MODIFIED)
            or tag >> 16 < _LOWEST_GROUP
            or (tag != _CHARSET and tag in step and step[tag] == changes[tag])
        ),
    )
    for one in step_attributes():
        if len(one.path) == 1 and one.path[0] in taken:
            if one.set == "N":
                _refuse(f"{_name(one.path)} of a step can't be changed", INVALID_VALUE, one.path[0])
            if one.create == "1" or one.final == "R":
                _need(taken, one)
        elif one.set == "1" and one.create in ("1", "N"):
            for holder in _holders(taken, one.path):
                _need(holder, one)
    _check_values(taken)
    before, after = _in_one_charset(step, taken)
    return before.merge(after).assign({_MODIFIED: DateTime.of(now)})


def missing_for(step: DataSet, state: str) -> tuple[str, ...]:
    """Name what a step lacks for a final state (PS3.4 CC.2.5.1.1); what the provider fills in isn't missing.

    Examples
    --------
    >>> missing_for(DataSet(), "CANCELED")[-2:]
    ('ProcedureStepState', 'ProcedureStepProgressInformationSequence')
    """
    return tuple(
        _name(one.path)
        for one in step_attributes()
        if state in _NEEDED_FOR.get(one.final, ())
        and one.path[-1] not in _PROVIDED
        and not all(_has(holder, Tag(one.path[-1])) for holder in _holders(step, one.path))
    )


def _has(ds: DataSet, tag: Tag) -> bool:
    return tag in ds if tag in _MAY_HAVE_NO_ITEMS else ds.get(tag) not in (None, "", ())


def _holders(ds: DataSet, path: tuple[int, ...]) -> Iterator[DataSet]:
    """Yield what an attribute is an element of: the step itself, or every item that there is of its sequence."""
    if len(path) == 1:
        yield ds
        return
    for item in ds.all(Tag(path[0])):
        if isinstance(item, DataSet):
            yield from _holders(item, path[1:])


def _need(holder: DataSet, one: StepAttribute) -> None:
    tag = Tag(one.path[-1])
    if holder.get(tag) not in (None, "", ()) or any(holder.get(key) for key in _OTHER_CODES.get(tag, ())):
        return
    status = MISSING_VALUE if tag in holder else MISSING_ATTRIBUTE
    _refuse(f"{_name(one.path)} has no value", status, tag)


def _check_values(ds: DataSet) -> None:
    for tag in ds:
        if vr_of(tag) == "SQ" and not all(isinstance(item, DataSet) for item in ds.all(tag)):
            _refuse(f"{tag.keyword} is no sequence", INVALID_VALUE, tag)
    for tag, terms in _ENUMERATED.items():
        if ds.get(tag) not in (None, "", *terms):
            _refuse(f"{tag.keyword} is none of {', '.join(terms)}", INVALID_VALUE, tag)


def _refuse(message: str, status: int, tag: int) -> None:
    raise WorkitemError(message, status=status, tag=Tag(tag))


def _name(path: tuple[int, ...]) -> str:
    return ".".join(Tag(tag).keyword for tag in path)


def _without(ds: DataSet, test: Callable[[Tag], bool]) -> DataSet:
    return ds.drop(*(tag for tag in ds if test(tag)))


def _in_one_charset(step: DataSet, changes: DataSet) -> tuple[DataSet, DataSet]:
    """Write both in UTF-8 where their character sets differ."""
    if step.all(_CHARSET) == changes.all(_CHARSET):
        return step, changes
    if _CHARSET not in changes:  # which is in ASCII then
        return step, changes
    return with_charset(step, "ISO_IR 192"), with_charset(changes, "ISO_IR 192")
