"""A made study that hides the same name in dozens of places: all are found before, none is left after."""

from __future__ import annotations

import pickle
from pathlib import Path

import hidden_names as hidden
import pytest

import dicomkit as dk
from dicomkit.deidentification import certify
from dicomkit.deidentification.identifiers import squash

KEY = "the secret of a trial"
EVERYTHING = dk.BASIC_PROFILE.with_options(
    "clean_descriptors", "clean_structured_content", "clean_graphics", "retain_safe_private", retain_dates="modified"
)
PROFILES = {
    "basic": dk.BASIC_PROFILE,
    "everything cleaned": EVERYTHING,
    "without pseudonyms": dk.BASIC_PROFILE.with_options(pseudonyms=False),
    "device and institution": dk.BASIC_PROFILE.with_options("retain_device_identity", "retain_institution_identity"),
    "full dates": EVERYTHING.with_options(retain_dates="full"),
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    (folder / "image.dcm").write_bytes(hidden.with_file_meta(hidden.image()))
    (folder / "report.dcm").write_bytes(hidden.with_file_meta(hidden.report()))
    return folder


def test_the_name_is_hidden_in_many_places(study: Path) -> None:
    table = certify(study, study)
    named = table[table["kind"] == "name"]
    assert named["path"].nunique() >= 30
    places = set(table["path"])
    assert {"(preamble)", "SourceApplicationEntityTitle", "PrivateInformation", "(0009,1002)", "(0009,1003)"} <= places
    assert {"OverlayLabel", "CurveLabel", "Manufacturer", "ContentSequence.5.TextValue"} <= places


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_nothing_of_it_is_left(study: Path, tmp_path: Path, profile: dk.deidentification.Profile) -> None:
    outcome = dk.deidentify_folder(study, tmp_path / "clean", profile, key=KEY, progress=False)
    assert outcome["status"].tolist() == ["written", "written"]
    table = certify(tmp_path / "clean", study, profile, key=KEY)
    assert table.values.tolist() == []
    assert table.attrs["files"] == 2
    assert table.attrs["identifiers"] > 20
    # And with other means: no byte of the files spells the name, however it is written.
    for path in (tmp_path / "clean").rglob("*.dcm"):
        data = squash(path.read_bytes())
        for word in ("szymborski", "jurgen", "jürgen", "juergen", "quackenbush", "4711", "シンボルスキ"):
            forms = {squash(word.encode(codec, "ignore")) for codec in ("utf-8", "latin-1")} - {b""}
            if word != "4711":  # four digits turn up in a UID by chance
                assert not any(form in data for form in forms), (path, word)


def test_the_result_stands_by_itself(study: Path) -> None:
    clean = dk.deidentify(dk.read(study / "image.dcm"), key=KEY)
    assert clean.path is None
    assert b"zymborski" not in pickle.dumps(clean).lower()
    assert "SourceApplicationEntityTitle" not in clean.meta
    assert clean.meta.MediaStorageSOPInstanceUID == clean.SOPInstanceUID


def test_files_of_one_study_stay_one_study(study: Path) -> None:
    image, report = dk.deidentify([dk.read(study / "image.dcm"), dk.read(study / "report.dcm")], EVERYTHING, key=KEY)
    assert image.StudyInstanceUID == report.StudyInstanceUID
    assert image.PatientID == report.PatientID == image.PatientName == report.PatientName
    assert image.AccessionNumber == report.AccessionNumber == image["RequestAttributesSequence", 0, "AccessionNumber"]
    reference = report["ContentSequence", -1, "ReferencedSOPSequence", 0, "ReferencedSOPInstanceUID"]
    assert reference == image.SOPInstanceUID
    assert image.StudyDate == report.StudyDate != "20240517"
    assert image.AcquisitionDateTime == f"{image.StudyDate}101530.5+0200"


def test_texts_are_cleaned_with_what_other_files_of_the_patient_tell(study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "image.dcm").write_bytes((study / "image.dcm").read_bytes())
    later = dk.DataSet(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.7",
        SOPInstanceUID="1.2.3.4",
        PatientID=hidden.ID,
        StudyDescription="control of SZYMBORSKI ordered by Quackenbush",
    )
    dk.write(later, folder / "later.dcm")
    profile = dk.BASIC_PROFILE.with_options("clean_descriptors")
    outcome = dk.deidentify_folder(folder, tmp_path / "clean", profile, key=KEY, progress=False)
    written = dict(zip(outcome["path"], outcome["output"], strict=True))
    clean = dk.read(tmp_path / "clean" / written[str(folder / "later.dcm")])
    assert clean.StudyDescription == "control of ordered by"
