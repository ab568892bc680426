"""Every row of the table does what it says, options and overrides included."""

from __future__ import annotations

import pytest

import dicomkit as dk
from dicomkit.deidentification import Replace, plan
from dicomkit.deidentification.dummies import dummy
from dicomkit.deidentification.rules import Rules, for_type
from dicomkit.errors import DicomError, UnsupportedError, ValueFormatError
from dicomkit.standard.attributes import attribute
from dicomkit.standard.confidentiality import OPTIONS, protected_attributes
from dicomkit.values.tag import Tag

KEY = "the secret of a trial"
VALUES = {
    "AE": "ORIGINAL_AE",
    "AS": "044Y",
    "CS": "ORIGINAL",
    "DA": "20240229",
    "DT": "20240229101530.25+0130",
    "TM": "101530.25",
    "DS": "1.25",
    "IS": "7",
    "UI": "1.2.3.4.5.6",
    "US": 7,
    "PN": "Original^Name",
    "UR": "https://original.example",
    "SQ": [dk.DataSet(CodeValue="ORIG", CodingSchemeDesignator="99X", CodeMeaning="for Zaphod")],
}
ROWS = [
    (tag, row, known.vr)
    for tag, row in protected_attributes().items()
    if (known := attribute(tag)) is not None and known.vr and tag >> 16 > 4 and tag not in (0x0040A730, 0x00400555)
]


def sample(vr: str) -> object:
    return VALUES.get(vr, b"original" if vr[0] == "O" or vr == "UN" else "text for Zaphod")


def after(tag: int, vr: str, profile: dk.deidentification.Profile) -> tuple[object, object]:
    ds = dk.DataSet([dk.Element.of("PatientName", "Beeblebrox^Zaphod"), dk.Element.of(tag, sample(vr), vr)])
    clean = dk.deidentify(ds, profile, key=KEY)
    return ds[tag], clean.get(tag, "gone")


def expected(action: str, vr: str, before: object, now: object) -> bool:
    """What an action means where the IOD is not known: of several choices the one that fits every type."""
    action = for_type(action, None)
    if action == "X":
        return now == "gone"
    if action == "Z":
        return now in (None, ()) or (isinstance(now, str) and now != before)
    if action == "D":
        return now not in ("gone", None, ()) and (now != before or vr == "SQ")
    if action == "U":
        return (isinstance(now, str) and now.startswith("2.25.")) or vr == "SQ"
    if vr == "CS" or (vr in ("AS", "TM") and action == "C"):
        return now == before  # defined terms, ages and times of day are not cleaned
    if vr == "SQ":
        return now[0].CodeMeaning == "for" and now[0].CodeValue == "ORIG"  # type: ignore[index]
    if vr in ("LO", "SH", "LT", "ST", "UT", "UC"):
        return now == "text for"  # kept texts are swept
    return (now == before) == (action == "K")


@pytest.mark.parametrize("options", [(), *((option,) for option in OPTIONS[1:])], ids=lambda o: "+".join(o) or "basic")
def test_every_attribute_of_the_table(options: tuple[str, ...]) -> None:
    named = {o: True for o in options if not o.endswith("_dates")}
    dates = next((o.split("_")[1] for o in options if o.endswith("_dates")), None)
    profile = dk.BASIC_PROFILE.with_options(**named, retain_dates=dates)
    wrong = []
    for tag, row, vr in ROWS:
        action = next((row.options[o] for o in options if o in row.options), row.action)
        if dates == "modified" and tag in (0x00080106, 0x00080107, 0x0040DB06, 0x0040DB07):
            action = row.action
        if action == "C" and vr in ("OB", "UN"):
            action = row.action  # bytes can't be cleaned
        if (action == "C" and vr == "TM") or (tag == 0x00080201 and action == "C"):
            action = "K"  # days are shifted, not hours
        before, now = after(tag, vr, profile)
        if not expected(action, vr, before, now):
            wrong.append((str(Tag(tag)), row.name, action, before, now))
    assert wrong == []


@pytest.mark.parametrize(
    ("action", "by_type"),
    [
        ("Z/D", {"1": "D", "1C": "D", "2": "Z", "2C": "Z", "3": "Z", "": "X", None: "D"}),
        ("X/Z", {"1": "D", "2": "Z", "3": "X", "": "X", None: "Z"}),
        ("X/D", {"1": "D", "2": "D", "3": "X", "": "X", None: "D"}),
        ("X/Z/D", {"1C": "D", "2C": "Z", "3": "X", None: "D"}),
        ("X/Z/U*", {"1": "U", "2": "Z", "3": "X", None: "U"}),
        ("X", {"1": "X", "3": "X"}),
        ("D", {"1": "D", "3": "D", "": "X", None: "D"}),
        ("U", {"": "U", "1": "U"}),
    ],
)
def test_choices_by_type(action: str, by_type: dict[str | None, str]) -> None:
    assert {kind: for_type(action, kind) for kind in by_type} == by_type


def test_the_iod_decides_between_removed_empty_and_dummy() -> None:
    values = {"ContentDate": "20240517", "InstanceCreationDate": "20240517", "AcquisitionDate": "20240517"}
    enhanced = dk.DataSet(SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1", SOPInstanceUID="1.2.3", **values)
    clean = dk.deidentify(enhanced, key=KEY)
    assert clean.ContentDate == dummy("DA")  # Type 1 there
    assert "InstanceCreationDate" not in clean  # Type 3
    plain = dk.deidentify(enhanced.assign(SOPClassUID="1.2.840.10008.5.1.4.1.1.2"), key=KEY)
    assert plain.ContentDate is None  # Type 2C
    # Of another IOD altogether: dropped, not replaced.
    assert "VerifyingOrganization" not in dk.deidentify(enhanced.assign(VerifyingOrganization="X"), key=KEY)


def test_what_the_iod_cannot_be_without_is_not_removed() -> None:
    """Table E.1-1 has X for these; it is up to the de-identifier to keep the object whole (PS3.15 E.1.1)."""
    state = dk.make_dataset(
        "GrayscaleSoftcopyPresentationStateStorage",
        PresentationCreationDate="20240517",
        PresentationCreationTime="101500",
        ContentLabel="JANEDOE4711",
        PatientID="JANEDOE4711",
        InstanceCreationDate="20240517",
    )
    clean = dk.deidentify(state, key=KEY)
    assert (clean.PresentationCreationDate, clean.PresentationCreationTime) == (dummy("DA"), dummy("TM"))
    assert clean.ContentLabel == dummy("CS")
    assert "InstanceCreationDate" not in clean
    removed = dk.BASIC_PROFILE.with_overrides({"PresentationCreationDate": "X"})
    assert "PresentationCreationDate" not in dk.deidentify(state, removed, key=KEY)
    image = dk.make_dataset("CTImageStorage", PresentationCreationDate="20240517")
    assert "PresentationCreationDate" not in dk.deidentify(image, key=KEY)
    echo = dk.make_dataset("SimplifiedAdultEchoSRStorage", TimezoneOffsetFromUTC="+0530")
    assert dk.deidentify(echo, key=KEY).TimezoneOffsetFromUTC == "+0000"
    plan = dk.make_dataset(
        "HangingProtocolStorage",
        HangingProtocolDefinitionSequence=[
            {"Modality": "CT", "ReasonForRequestedProcedureCodeSequence": [{"CodeMeaning": "Doe"}]}
        ],
    )
    inner = dk.deidentify(plan, key=KEY)["HangingProtocolDefinitionSequence", 0]
    assert inner["ReasonForRequestedProcedureCodeSequence"] == ()


def test_dates_and_names_that_the_table_does_not_know_count_by_their_vr() -> None:
    ds = dk.DataSet(
        [
            dk.Element.of("ImageTriggerDelay", 1.0),
            dk.Element.of("PatientBirthDateInAlternativeCalendar", "1388", "LO"),
            dk.Element.of("ScheduledProcedureStepStartDate", "20240517"),
            dk.Element.of("InterpretationRecordedDate", "20240517"),
            dk.Element.of("DateOfGainCalibration", "20240517"),
            dk.Element.of("PersonName", "Doe^Jane"),
        ]
    )
    assert "DateOfGainCalibration" in ds
    clean = dk.deidentify(ds, key=KEY)
    assert clean.DateOfGainCalibration != "20240517"
    assert clean.PersonName != "Doe^Jane"
    full = dk.deidentify(ds, dk.BASIC_PROFILE.with_options(retain_dates="full"), key=KEY)
    assert full.DateOfGainCalibration == "20240517"
    modified = dk.deidentify(ds, dk.BASIC_PROFILE.with_options(retain_dates="modified"), key=KEY)
    assert modified.DateOfGainCalibration not in ("20240517", "19000101")


def test_marks_are_written_as_the_standard_asks() -> None:
    ds = dk.DataSet(PatientName="Doe^Jane")
    clean = dk.deidentify(ds, key=KEY)
    assert clean.PatientIdentityRemoved == "YES"
    assert clean.LongitudinalTemporalInformationModified == "REMOVED"
    assert [item.CodeValue for item in clean.DeidentificationMethodCodeSequence] == ["113100"]
    profile = dk.BASIC_PROFILE.with_options("retain_uids", "clean_graphics", retain_dates="full")
    again = dk.deidentify(clean, profile, key=KEY)
    assert [item.CodeValue for item in again.DeidentificationMethodCodeSequence] == [
        "113100",
        "113103",
        "113106",
        "113110",
    ]
    assert again.LongitudinalTemporalInformationModified == "REMOVED"  # what was removed did not come back
    modified = dk.deidentify(ds, dk.BASIC_PROFILE.with_options(retain_dates="modified"), key=KEY)
    assert modified.LongitudinalTemporalInformationModified == "MODIFIED"
    assert dk.deidentify(ds, profile, key=KEY).LongitudinalTemporalInformationModified == "UNMODIFIED"
    own = ds.assign(DeidentificationMethod="by hand", DeidentificationMethodCodeSequence=[{"CodeValue": "X"}])
    clean = dk.deidentify(own, key=KEY)
    assert clean.DeidentificationMethod[0] == "by hand"
    assert len(clean.DeidentificationMethodCodeSequence) == 1


def test_the_mark_of_the_method_stays_whatever_identifies() -> None:
    ds = dk.DataSet(PatientID="4711", InstitutionName="Dicomkit", DeidentificationMethod="by Dicomkit, once", Rows=2)
    clean = dk.deidentify(ds, key=KEY)
    first, own = clean.DeidentificationMethod
    assert "icomkit" not in first
    assert own.startswith("dicomkit ")
    assert own == dk.deidentify(ds.drop("InstitutionName", "DeidentificationMethod"), key=KEY).DeidentificationMethod


def test_overrides_come_first() -> None:
    ds = dk.DataSet(
        StudyDescription="Thorax",
        PatientName="Doe^Jane",
        Manufacturer="ACME",
        RequestAttributesSequence=[{"AccessionNumber": "A1", "ScheduledProcedureStepDescription": "step"}],
        AccessionNumber="A1",
        SeriesDescription="AP",
    ).assign([dk.Element.of(0x00090010, "ACME 1.1", "LO"), dk.Element.of(0x00091001, "kept", "LO")])
    profile = dk.BASIC_PROFILE.with_overrides(
        {
            "StudyDescription": "K",
            "Manufacturer": "X",
            "PatientName": Replace("Subject^7"),
            ("ACME 1.1", 0x0009, 0x01): "K",
            "RequestAttributesSequence": "K",
            ("RequestAttributesSequence", 0, "AccessionNumber"): "X",
            "SeriesDescription": lambda element: element.value.lower(),
        }
    )
    clean = dk.deidentify(ds, profile, key=KEY)
    assert (clean.StudyDescription, clean.PatientName, clean.SeriesDescription) == ("Thorax", "Subject^7", "ap")
    assert "Manufacturer" not in clean
    assert clean[0x00091001] == "kept"
    assert clean[0x00090010] == "ACME 1.1"
    assert "AccessionNumber" not in clean["RequestAttributesSequence", 0]
    assert clean.AccessionNumber not in ("A1", None)
    with pytest.raises(DicomError, match=r"the override failed.*\(0008,103E\)"):
        dk.deidentify(ds, dk.BASIC_PROFILE.with_overrides({"SeriesDescription": lambda element: 1 / 0}), key=KEY)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: dk.BASIC_PROFILE.with_options("retain_everything"),
        lambda: dk.BASIC_PROFILE.with_options(retain_dates="some"),
        lambda: dk.BASIC_PROFILE.with_overrides({"PatientName": "Q"}),
        lambda: dk.BASIC_PROFILE.with_overrides({"NoSuchKeyword": "K"}),
        lambda: dk.BASIC_PROFILE.with_overrides({("ACME", 1, 2, 3): "K"}),
        lambda: dk.deidentify(dk.DataSet(), key="short"),
    ],
)
def test_what_makes_no_sense_is_an_error(wrong: object) -> None:
    with pytest.raises(ValueFormatError):
        wrong()  # type: ignore[operator]


def test_a_profile_is_a_value() -> None:
    assert dk.deidentification.Profile() == dk.BASIC_PROFILE
    one = dk.BASIC_PROFILE.with_options("retain_uids")
    assert one == dk.BASIC_PROFILE.with_options(retain_uids=True) != dk.BASIC_PROFILE
    with pytest.raises(AttributeError):
        one.retain_uids = False  # type: ignore[misc]
    twice = one.with_overrides({"PatientName": "X"}).with_overrides({"PatientName": "K"})
    assert [override.action for override in twice.overrides] == ["K"]
    assert Rules.of(one).profile is one


def test_the_plan_tells_what_would_change_and_changes_nothing() -> None:
    ds = dk.DataSet(PatientName="Doe^Jane", StudyDate="20240517", Rows=2, PatientComments="x" * 500)
    table = plan(ds, key=KEY)
    assert list(table.columns) == ["path", "action", "before", "after", "reason"]
    rows = table.set_index("path")
    assert rows.loc["StudyDate", ["action", "before"]].tolist() == ["Z", "20240517"]
    assert rows["after"].isna()["StudyDate"]
    assert rows.loc["PatientComments", "action"] == "X"
    assert rows.loc["PatientIdentityRemoved", "after"] == "YES"
    assert "Rows" not in rows.index
    assert dk.deidentify(ds, key=KEY, dry_run=True).equals(table)
    assert dk.deidentify(ds, key=KEY).PatientName == rows.loc["PatientName", "after"]
    several = plan([ds, ds], key=KEY)
    assert several["dataset"].value_counts().to_dict() == {0: len(table), 1: len(table)}


def test_directory_elements_are_removed_and_directories_refused() -> None:
    stray = dk.DataSet([dk.Element.of(0x00041500, "DOE", "CS"), dk.Element.of(0x00100010, "Doe^Jane", "PN")])
    assert 0x00041500 not in dk.deidentify(stray, key=KEY)
    directory = dk.DataSet(DirectoryRecordSequence=[{"PatientName": "Doe^Jane"}])
    with pytest.raises(UnsupportedError, match="DICOMDIR"):
        dk.deidentify(directory, key=KEY)


def test_elements_that_nobody_knows_are_removed() -> None:
    unknown = dk.DataSet([dk.Element.of(0x00080FFE, "Doe", "LO"), dk.Element.of(0x00090002, "Doe", "LO")])
    clean = dk.deidentify(unknown, key=KEY)
    assert 0x00080FFE not in clean
    assert 0x00090002 not in clean


def test_a_sequence_under_a_tag_of_another_vr_is_gone_through() -> None:
    inner = dk.DataSet(PatientName="Doe^Jane", PatientBirthDate="19620314")
    liar = dk.DataSet([dk.Element.of(0x00080070, (inner,), "SQ")])
    from dicomkit.encoding.writer import to_part10

    ds = dk.read(to_part10(liar, anonymous=True))
    assert ds[0x00080070][0].PatientName == "Doe^Jane"
    clean = dk.deidentify(ds, key=KEY)
    assert clean[0x00080070][0].PatientName != "Doe^Jane"
    assert clean[0x00080070][0].PatientBirthDate is None


def test_both_spellings_of_the_import() -> None:
    import subprocess
    import sys

    for first in ("import dicomkit.deidentification.rules", "import dicomkit as dk; dk.deidentify"):
        code = f"{first}; import dicomkit as dk, dicomkit.deidentification.rules; dk.deidentify(dk.DataSet(Rows=1))"
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_importing_loads_nothing_heavy() -> None:
    import subprocess
    import sys

    code = (
        "import sys, dicomkit as dk; dk.deidentify(dk.DataSet(PatientName='Doe')); dk.deidentify_folder;"
        "assert not {'numpy', 'pandas', 'xarray', 'matplotlib'} & set(sys.modules), set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
