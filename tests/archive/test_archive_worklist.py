"""Worklists: which items match and what is told of them, in memory and in a folder."""

from __future__ import annotations

import os
import pickle
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worklist_items import ITEMS, QUERIES, item

from dicomkit.archive.worklist import FolderWorklist, MemoryWorklist, Worklist, search_items
from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.worklist import WorklistMatches, worklist_query
from dicomkit.errors import QueryError, SourceError, ValueFormatError
from dicomkit.files.read import read
from dicomkit.objects.worklist_item import make_worklist_item, worklist_items_of
from dicomkit.query import from_identifier, query, to_identifier
from dicomkit.standard.worklist_keys import STEP_SEQUENCE, worklist_keys


def numbers(found: Any) -> str:
    return "".join(sorted(str(match.StudyInstanceUID)[-1] for match in found))


@pytest.mark.parametrize(("keys", "matching", "_"), QUERIES)
def test_what_matches(keys: dict[str, Any], matching: str, _: str) -> None:
    asked = worklist_query(**keys)
    assert numbers(MemoryWorklist(ITEMS).search(asked)) == matching
    over_the_wire = from_identifier(to_identifier(asked))
    assert numbers(search_items(ITEMS, over_the_wire)) == matching


def test_names_match_fuzzily_only_when_told() -> None:
    asked = worklist_query(patient_name="jorg muller")
    assert numbers(search_items(ITEMS, asked)) == ""
    assert numbers(search_items(ITEMS, asked, fuzzy=True)) == "3"


def test_an_answer_has_what_was_asked_for_and_no_more() -> None:
    asked = worklist_query(modality="CT", return_keys=["PatientName", "ScheduledProcedureStepID", "PatientComments"])
    first = next(MemoryWorklist(ITEMS).search(asked))
    assert [tag.keyword for tag in first] == ["PatientName", "PatientComments", STEP_SEQUENCE]
    assert first.PatientComments is None
    [step] = first.ScheduledProcedureStepSequence
    assert [tag.keyword for tag in step] == ["Modality", "ScheduledProcedureStepID"]


def test_an_unknown_value_matches_no_key() -> None:
    assert numbers(search_items(ITEMS, worklist_query(PatientSex="?"))) == "1"
    assert numbers(search_items(ITEMS, worklist_query(PatientSex="*"))) == "12345"


@given(st.sampled_from(ITEMS), st.sampled_from(ITEMS))
def test_an_item_is_found_by_each_of_its_own_values(one: DataSet, other: DataSet) -> None:
    for key in worklist_keys():
        if len(key.path) > 1 and key.path[:-1] != (STEP_SEQUENCE,):
            continue
        value = one.get((key.path[0], 0, key.path[1]) if len(key.path) == 2 else key.path[0])
        if key.matching == "-" or value in (None, ()) or isinstance(value, tuple):
            continue
        asked = worklist_query(**{key.path[-1]: value})
        assert one.StudyInstanceUID in [found.StudyInstanceUID for found in search_items([other, one], asked)]


def test_keys_of_the_step_need_no_path() -> None:
    plain = worklist_query(Modality="CT", return_keys=[])
    assert plain == worklist_query(**{f"{STEP_SEQUENCE}.Modality": "CT"}, return_keys=[])
    assert plain == worklist_query(**{STEP_SEQUENCE: {"Modality": "CT"}}, return_keys=[])
    both = worklist_query(**{STEP_SEQUENCE: {"Modality": "CT"}}, station="CT1", return_keys=[])
    assert numbers(search_items(ITEMS, both.__class__(None, both.keys, ("StudyInstanceUID",)))) == "15"
    code = worklist_query(**{"ScheduledProtocolCodeSequence.CodeValue": "T1"}, return_keys=["StudyInstanceUID"])
    assert numbers(search_items(ITEMS, code)) == "1"
    with pytest.raises(QueryError, match="twice"):
        worklist_query(modality="CT", **{STEP_SEQUENCE: {"Modality": "MR"}})
    with pytest.raises(QueryError, match="no attribute"):
        worklist_query(Modalty="CT")


def test_a_date_may_be_a_day_or_a_pair() -> None:
    for days in (date(2024, 2, 29), "20240229", (date(2024, 2, 29), date(2024, 2, 29)), (None, datetime(2024, 2, 29))):
        assert numbers(search_items(ITEMS, worklist_query(date=days))) == "12"


def test_the_table_has_the_step_in_columns() -> None:
    found = WorklistMatches(MemoryWorklist(ITEMS).search(worklist_query()))
    table = found.to_table().sort_values("AccessionNumber")
    assert table["Modality"].tolist() == ["CT", "MR", "CT", "US", "CT"]
    assert table["ScheduledProtocolCodeSequence"].fillna("").tolist() == ["Thorax low dose", "", "", "", ""]
    assert str(table["ScheduledProcedureStepStartDate"].dtype).startswith("datetime64")
    assert table.columns[0] == "ScheduledProcedureStepStartDate"
    assert STEP_SEQUENCE not in table
    assert "2024-02-29" in repr(found)
    assert "Thorax low dose" in found._repr_html_()
    assert repr(WorklistMatches(iter([]))) == "<no matches>"


# ---- items ---------------------------------------------------------------------------------------------------------


def test_an_item_has_every_key_of_types_1_and_2() -> None:
    for one in ITEMS:
        for key in worklist_keys():
            path: tuple[Any, ...] = (key.path[0], 0, key.path[1]) if len(key.path) == 2 else key.path
            if key.type in ("1", "2") and (len(key.path) == 1 or key.path[:-1] == (STEP_SEQUENCE,)):
                assert path in one, key
                assert key.type == "2" or one[path] not in (None, ""), key


def test_an_item_without_what_it_needs_is_refused() -> None:
    with pytest.raises(ValueFormatError, match="PatientName, ScheduledStationAETitle"):
        make_worklist_item(patient_id="A", modality="CT", start=datetime(2024, 1, 1))
    with pytest.raises(ValueFormatError, match="StartTime"):
        make_worklist_item(
            patient_name="X", patient_id="A", modality="CT", station="S", ScheduledProcedureStepStartDate="20240101"
        )


def test_further_attributes_stand_where_they_belong() -> None:
    made = item(9, "X", "A", "CT", "CT1", "2024-01-01", ScheduledProcedureStepStatus="READY", PatientComments="deaf")
    assert made[STEP_SEQUENCE, 0, "ScheduledProcedureStepStatus"] == "READY"
    assert made.PatientComments == "deaf"
    assert "SpecificCharacterSet" not in made
    assert ITEMS[2].SpecificCharacterSet == "ISO_IR 192"


def test_items_of_a_table() -> None:
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(
        {
            "PatientName": ["DOE^JANE", "ROE^RICK"],
            "patient_id": ["A", "B"],
            "PatientBirthDate": pd.to_datetime(["1970-01-01", None]),
            "PatientWeight": [70.5, float("nan")],
            "Modality": "CT",
            "station": "CT1",
            "ScheduledProcedureStepStartDate": pd.to_datetime(["2024-02-29", "2024-03-01"]),
            "ScheduledProcedureStepStartTime": pd.to_timedelta(["09:30:00", "10:00:00"]),
        }
    )
    one, two = worklist_items_of(table)
    assert (one.PatientBirthDate, one.PatientWeight, two.PatientBirthDate) == ("19700101", 70.5, None)
    assert one[STEP_SEQUENCE, 0, "ScheduledProcedureStepStartTime"].to_time().hour == 9
    assert len(MemoryWorklist(table)) == 2
    found = WorklistMatches(MemoryWorklist(table).search(worklist_query(date="20240301"))).to_table()
    assert found["PatientID"].tolist() == ["B"]
    answers = WorklistMatches(MemoryWorklist(ITEMS[:1]).search(worklist_query())).to_table()
    codes = [name for name in answers if name.endswith("Sequence")]
    assert next(worklist_items_of(answers.drop(columns=codes))).AccessionNumber == "ACC1"
    with pytest.raises(ValueFormatError, match="row 1"):
        list(worklist_items_of(table.assign(station=["CT1", None])))


# ---- in memory and in a folder -------------------------------------------------------------------------------------


def test_a_worklist_in_memory_changes() -> None:
    held = MemoryWorklist(ITEMS)
    assert isinstance(held, Worklist)
    search = held.search(worklist_query())
    assert held.remove(worklist_query(modality="CT")) == 3
    assert numbers(search) == "12345"  # a search that has begun goes on over what there was
    held.add(ITEMS[0])
    assert numbers(held.search(worklist_query())) == "124"
    held.replace(ITEMS[:1])
    assert numbers(held) == "1"
    assert repr(held) == "<MemoryWorklist: 1 items>"


def test_a_folder_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    held = FolderWorklist(tmp_path)
    assert isinstance(held, Worklist)
    assert list(held) == []
    paths = [held.add(one, f"{number}.wl") for number, one in enumerate(ITEMS)]
    assert list(held) == ITEMS
    assert numbers(held.search(worklist_query(modality="CT"))) == "135"
    os.remove(paths[0])
    assert held.add(ITEMS[1].assign(PatientID="Z9"), "1.wl") == paths[1]
    assert numbers(held.search(worklist_query(PatientID="Z9"))) == "2"
    assert len(held) == 4
    assert held.remove(worklist_query(modality="CT")) == 2
    assert len(os.listdir(tmp_path)) == 2


def test_items_that_did_not_change_are_not_read_again(tmp_path: Path) -> None:
    held = FolderWorklist(tmp_path)
    held.add(ITEMS[0])
    assert next(iter(held)) is next(iter(held))


def test_files_that_are_no_items_are_told_of_once(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    held = FolderWorklist(
        tmp_path, on_problem=lambda path, reason: told.append((Path(path).name, reason)), most_bytes=4096
    )
    held.add(ITEMS[0], "good.wl")
    (tmp_path / "lockfile").touch()
    (tmp_path / ".hidden.wl").write_bytes(b"half")
    (tmp_path / "sub.wl").mkdir()
    (tmp_path / "bad.wl").write_bytes(b"no DICOM at all")
    (tmp_path / "empty.dcm").touch()
    (tmp_path / "large.wl").write_bytes(bytes(5000))
    held.add(ITEMS[0].drop(STEP_SEQUENCE), "other.wl")
    for _ in range(2):
        assert numbers(held.search(worklist_query())) == "1"
    assert sorted(name for name, _ in told) == ["bad.wl", "empty.dcm", "large.wl", "other.wl"]
    assert "no Scheduled Procedure Step Sequence" in dict(told)["other.wl"]
    assert "more than the 4096" in dict(told)["large.wl"]
    assert {Path(path).name for path in held.problems} == {name for name, _ in told}


def test_a_folder_that_is_not_there_or_too_full_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="can't read the folder"):
        list(FolderWorklist(tmp_path / "nowhere"))
    held = FolderWorklist(tmp_path, most_files=2)
    for number in range(3):
        held.add(ITEMS[0], f"{number}.wl")
    with pytest.raises(SourceError, match="more than the 2 files"):
        list(held)


def test_an_item_in_latin_1_is_found_by_a_name_in_utf_8(tmp_path: Path) -> None:
    from dicomkit.dataset.recode import with_charset

    held = FolderWorklist(tmp_path)
    path = held.add(with_charset(ITEMS[2], "ISO_IR 100"))
    assert b"M\xfcller" in Path(path).read_bytes()
    assert read(path).PatientName == "Müller^Jörg"
    [found] = held.search(query(None, PatientName="MÜLLER*"))
    assert (found.PatientName, found.SpecificCharacterSet) == ("Müller^Jörg", "ISO_IR 100")


def test_items_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(ITEMS)) == ITEMS
