"""File-sets: directories whose offsets lie are read, and those that are written are read by pydicom and DCMTK."""

import random
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from realdata import DATA, needs_data, peer

import dicomkit as dk
from dicomkit.encoding.dicomdir import encode_directory, read_directory
from dicomkit.files.fileset import FileSet, read_fileset
from dicomkit.files.make_fileset import make_fileset
from dicomkit.tables.find_files import find_files

SETS = DATA / "12_dicomdir"
CT, RT_DOSE, SR, HANGING_PROTOCOL = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.481.2",
    "1.2.840.10008.5.1.4.1.1.88.33",
    "1.2.840.10008.5.1.4.38.1",
)


def image(number: int, **changes: object) -> dk.DataSet:
    """An instance with all keys of an image's records."""
    values = {
        "SOPClassUID": CT,
        "SOPInstanceUID": f"2.25.1{number}",
        "StudyInstanceUID": "2.25.2",
        "SeriesInstanceUID": "2.25.3",
        "PatientID": "P1",
        "PatientName": "DOE^JANE",
        "StudyDate": "20240102",
        "StudyTime": "1200",
        "StudyID": "S",
        "Modality": "CT",
        "SeriesNumber": 1,
        "InstanceNumber": number,
    }
    return dk.DataSet({key: value for key, value in (values | changes).items() if value is not None})


def write_all(folder: Path, *instances: dk.DataSet) -> Path:
    """Write instances under names that are no File IDs."""
    folder.mkdir(exist_ok=True)
    for number, ds in enumerate(instances):
        dk.write(ds, folder / f"image-number-{number}.dcm")
    return folder


def types(fileset: FileSet) -> list[str]:
    """The types of the records, indented by their level."""
    return [f"{'.' * (len(path) - 1)}{path[-1].type}" for path in fileset.walk()]


@needs_data
@pytest.mark.parametrize("name", ["", "-implicit", "-bigEnd", "-nooffset", "-reordered", "-nopatient"])
def test_every_oddity_gives_the_same_instances(name: str) -> None:
    fileset, plain = read_fileset(SETS / f"DICOMDIR{name}"), read_fileset(SETS / "DICOMDIR")
    table = fileset.to_table()
    assert sorted(fileset.files()) == sorted(plain.files())
    assert len(table) == 31
    assert table["exists"].all()
    assert table["PatientID"].nunique() == 2
    assert table["StudyInstanceUID"].nunique() == 6
    assert bool(fileset.notes) == (name == "-nopatient")
    for row in table.to_dict("records"):
        ds = dk.read(row["path"])
        assert (ds.SOPInstanceUID, ds.SeriesInstanceUID) == (row["SOPInstanceUID"], row["SeriesInstanceUID"])
        assert (ds.StudyInstanceUID, ds.PatientID) == (row["StudyInstanceUID"], row["PatientID"])


@needs_data
def test_the_empty_directory() -> None:
    fileset = read_fileset(SETS / "DICOMDIR-empty.dcm")
    assert fileset.records == ()
    assert fileset.files() == ()
    assert len(fileset.to_table()) == 0
    assert "PYDICOM_TEST" in repr(fileset)


@needs_data
def test_the_same_instances_as_pydicom() -> None:
    theirs = pytest.importorskip("pydicom.fileset").FileSet(SETS / "TINY_ALPHA" / "DICOMDIR")
    assert sorted(theirs.find_values("SOPInstanceUID")) == sorted(
        read_fileset(SETS / "TINY_ALPHA").to_table()["SOPInstanceUID"]
    )


@needs_data
def test_missing_files_are_told(tmp_path: Path) -> None:
    shutil.copy(SETS / "DICOMDIR", tmp_path)
    fileset = read_fileset(tmp_path)
    with pytest.raises(dk.errors.SourceError, match="31 of 31 files are missing"):
        fileset.files()
    assert fileset.files(missing="skip") == ()
    assert len(fileset.files(missing="keep")) == 31
    assert not fileset.to_table()["exists"].any()
    assert len(find_files(tmp_path, dicomdir="use")) == 31


def test_names_on_disk_in_lower_case_with_version(tmp_path: Path) -> None:
    made = make_fileset(write_all(tmp_path / "in", image(1)), tmp_path / "out")
    (file,) = map(Path, made.files())
    file.rename(file.with_name("im000000.;1"))
    assert Path(read_fileset(made.path).files()[0]).name == "im000000.;1"


def test_ids_that_lead_elsewhere_give_no_path(tmp_path: Path) -> None:
    made = make_fileset(write_all(tmp_path / "in", image(1)), tmp_path / "out")
    data = Path(made.path).read_bytes()
    Path(made.path).write_bytes(data.replace(b"PT000000\\ST000000", b"..\\..\\IN\\ST000000"[:17]))
    fileset = read_fileset(made.path)
    assert fileset.files(missing="keep") == ()
    assert "leads out" in fileset.notes[0]


def test_records_by_sop_class(tmp_path: Path) -> None:
    modifier = {"RelationshipType": "HAS CONCEPT MOD", "ValueType": "CODE"}
    report = {"CompletionFlag": "PARTIAL", "VerificationFlag": "UNVERIFIED", "ContentDate": "20240102"}
    title = [{"CodeValue": "1", "CodingSchemeDesignator": "99X", "CodeMeaning": "x"}]
    content = [modifier, {"RelationshipType": "CONTAINS", "ValueType": "TEXT"}]
    folder = write_all(
        tmp_path / "in",
        image(1, PatientName="Müller", SpecificCharacterSet="ISO_IR 192"),
        image(2, SOPClassUID=RT_DOSE, SeriesInstanceUID="2.25.4", Modality="RTDOSE", DoseSummationType="PLAN"),
        image(
            3,
            SOPClassUID=SR,
            SeriesInstanceUID="2.25.5",
            Modality="SR",
            **report,
            ContentTime="12",
            ConceptNameCodeSequence=title,
            ContentSequence=content,
        ),
        dk.DataSet(SOPClassUID=HANGING_PROTOCOL, SOPInstanceUID="2.25.9", HangingProtocolName="A"),
        image(4, PatientID=None, PatientName="X", StudyInstanceUID="2.25.6", SeriesInstanceUID="2.25.7"),
    )
    made = make_fileset(folder, tmp_path / "out", file_set_id="MY_SET 1")
    assert types(made)[:4] == ["PATIENT", ".STUDY", "..SERIES", "...IMAGE"]
    assert sorted(set(types(made))) == [
        "...IMAGE",
        "...RT DOSE",
        "...SR DOCUMENT",
        "..SERIES",
        ".STUDY",
        "HANGING PROTOCOL",
        "PATIENT",
    ]
    assert made == read_fileset(tmp_path / "out").__class__(made.path, made.id, made.records, made.notes)
    assert made.records[0].keys.PatientName == "Müller"
    document = next(path[-1] for path in made.walk() if path[-1].type == "SR DOCUMENT")
    assert [item.RelationshipType for item in document.keys.ContentSequence] == ["HAS CONCEPT MOD"]
    assert any("PATIENT key PatientID is missing: NOID0003 is written" in note for note in made.notes)
    assert any("HangingProtocolLevel is missing: UNKNOWN is written" in note for note in made.notes)
    for path, row in zip(made.files(), made.to_table().itertuples(), strict=True):
        assert dk.read(path).SOPInstanceUID == row.SOPInstanceUID
        assert all(len(part) == 8 for part in Path(path).relative_to(tmp_path / "out").parts)


def test_pydicom_and_dcmtk_read_what_is_made(tmp_path: Path) -> None:
    instances = [
        image(n, SeriesInstanceUID=f"2.25.3{n % 3}", PatientID=f"P{n % 2}", StudyInstanceUID=f"2.25.2{n % 2}")
        for n in range(12)
    ]
    made = make_fileset(write_all(tmp_path / "in", *instances), tmp_path / "out", file_set_id="SET")
    theirs = pytest.importorskip("pydicom.fileset").FileSet(made.path)
    assert theirs.ID == "SET"
    assert sorted(map(str, (i.path for i in theirs))) == sorted(made.files())
    told = subprocess.run([peer("dcmdump"), made.path], capture_output=True, text=True, check=True)
    assert not told.stderr
    assert told.stdout.count('"Directory Record" IMAGE') == 12
    again = tmp_path / "DICOMDIR"
    command = [peer("dcmmkdir"), "-Pgp", "+r", "+id", str(tmp_path / "out"), "+D", str(again)]
    (tmp_path / "out" / "DICOMDIR").rename(tmp_path / "ours")
    subprocess.run(command, check=True, capture_output=True)
    by_dcmtk = read_fileset(again).to_table()
    columns = ["PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "record_type"]
    ours = made.to_table()[columns].sort_values("SOPInstanceUID", ignore_index=True)
    assert ours.equals(by_dcmtk[columns].sort_values("SOPInstanceUID", ignore_index=True))


def test_update_keeps_adds_and_drops(tmp_path: Path) -> None:
    folder = write_all(tmp_path / "in", image(1), image(2))
    first = make_fileset(folder, tmp_path / "out", file_set_id="SET")
    with pytest.raises(dk.errors.SourceError, match="already"):
        make_fileset(folder, tmp_path / "out")
    gone, kept = first.files()
    Path(gone).unlink()
    more = write_all(tmp_path / "more", image(2), image(3, SeriesInstanceUID="2.25.31"))
    second = make_fileset(more, tmp_path / "out", update=True)
    assert second.id == "SET"
    assert sorted(second.to_table()["SOPInstanceUID"]) == ["2.25.12", "2.25.13"]
    assert any("no longer there" in note for note in second.notes)
    assert any("was there before" in note for note in second.notes)
    uid = "MediaStorageSOPInstanceUID"
    assert second.dataset.meta[uid] == first.dataset.meta[uid]
    assert second.files()[0] == kept


def test_in_place_only_where_names_fit(tmp_path: Path) -> None:
    with pytest.raises(dk.errors.SourceError, match="is no File ID"):
        make_fileset(write_all(tmp_path / "in", image(1)))
    assert not (tmp_path / "in" / "DICOMDIR").exists()
    fitting = tmp_path / "fit"
    (fitting / "A").mkdir(parents=True)
    dk.write(image(1), fitting / "A" / "IM_1")
    made = make_fileset(fitting)
    assert made.files() == (str(fitting / "A" / "IM_1"),)
    assert [p.name for p in fitting.iterdir()] == ["A", "DICOMDIR"] or len(list(fitting.iterdir())) == 2


def test_strict_leaves_the_old_directory(tmp_path: Path) -> None:
    made = make_fileset(write_all(tmp_path / "in", image(1)), tmp_path / "out")
    before = Path(made.path).read_bytes()
    folder = write_all(tmp_path / "bad", image(2, StudyInstanceUID="2.25.8", StudyDate=None))
    with pytest.raises(dk.errors.ValueFormatError, match="StudyDate is missing"):
        make_fileset(folder, tmp_path / "out", update=True, strict=True)
    assert Path(made.path).read_bytes() == before
    with pytest.raises(dk.errors.ValueFormatError, match="File-set ID"):
        make_fileset(folder, tmp_path / "other", file_set_id="lower")


def test_offsets_that_go_round_in_circles(tmp_path: Path) -> None:
    made = make_fileset(write_all(tmp_path / "in", *map(image, range(4))), tmp_path / "out")
    data = Path(made.path).read_bytes()
    ds = made.dataset
    offsets = {ds.element("OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity").value}
    places = []
    for record in ds.DirectoryRecordSequence:
        for keyword in ("OffsetOfTheNextDirectoryRecord", "OffsetOfReferencedLowerLevelDirectoryEntity"):
            element = record.element(keyword)
            offsets.add(element.value)
            places.append(element.origin.offset)
    chance = random.Random(1)
    for _ in range(150):
        broken = bytearray(data)
        for place in chance.sample(places, 4):
            struct.pack_into("<I", broken, place, chance.choice([*offsets, 7, 0xFFFFFFFF]))
        records, problems = read_directory(dk.read(bytes(broken)))
        found = [path[-1] for root in records for path in root.walk()]
        assert len(found) == 7, problems
        assert read_directory(dk.read(encode_directory(records, uid="2.25.1"))) == (records, ())


def test_hostile_bytes_raise_only_dicom_errors(tmp_path: Path) -> None:
    made = make_fileset(write_all(tmp_path / "in", *map(image, range(2))), tmp_path / "out")
    data, chance = Path(made.path).read_bytes(), random.Random(2)
    outcomes = set()
    for _ in range(300):
        broken = bytearray(data[: chance.choice([len(data), chance.randrange(len(data))])])
        for _ in range(chance.randrange(6)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        Path(made.path).write_bytes(broken)
        try:
            read_fileset(made.path).to_table()
            outcomes.add("read")
        except dk.DicomError:
            outcomes.add("error")
    assert outcomes == {"read", "error"}


def test_what_is_no_directory(tmp_path: Path) -> None:
    with pytest.raises(dk.errors.SourceError, match="no DICOMDIR"):
        read_fileset(tmp_path)
    dk.write(image(1), tmp_path / "x")
    with pytest.raises(dk.errors.ReadError, match="no DICOMDIR"):
        read_fileset(tmp_path / "x")


def test_a_study_of_two_patients_is_noted(tmp_path: Path) -> None:
    folder = write_all(tmp_path / "in", image(1), image(2, PatientID="P2"))
    made = make_fileset(folder, tmp_path / "out")
    assert len(made.files()) == 2
    assert any("under another patient" in note for note in made.notes)


def test_a_file_without_a_proper_uid_is_left_out(tmp_path: Path) -> None:
    folder = write_all(tmp_path / "in", image(1), image(2))
    path = sorted(folder.rglob("*"))[-1]
    path.write_bytes(path.read_bytes().replace(str(dk.read(path).SOPInstanceUID).encode(), b"2.x5.12"))
    made = make_fileset(folder, tmp_path / "out")
    assert len(made.files()) == 1
    assert [note for note in made.notes if "is no UID" in note]


@needs_data
@pytest.mark.filterwarnings("ignore")
def test_a_file_set_of_all_real_files(tmp_path: Path) -> None:
    """Records of fourteen kinds and files with all their faults; pydicom and dcmdump read the directory."""
    made = make_fileset(DATA, tmp_path / "out", file_set_id="ALL")
    files = made.files()
    assert len(files) > 500
    kinds = {path[-1].type for path in made.walk()}
    assert kinds > {"IMAGE", "SR DOCUMENT", "RT PLAN", "PRESENTATION", "WAVEFORM", "PALETTE", "ENCAP DOC"}
    theirs = pytest.importorskip("pydicom.fileset").FileSet(made.path)
    assert sorted(str(instance.path) for instance in theirs) == sorted(files)
    told = subprocess.run([peer("dcmdump"), "-q", made.path], capture_output=True, text=True, errors="replace")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.count('"Directory Record"') == sum(1 for _ in made.walk())
