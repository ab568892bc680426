"""Each rule of validate, broken on purpose in an object that is right."""

from __future__ import annotations

import pickle
from functools import cache

import numpy as np
import pytest

import dicomkit as dk
from dicomkit.dataset.element import Element
from dicomkit.errors import ValueFormatError
from dicomkit.validation.findings import Finding, Findings, collected
from dicomkit.validation.validate import validate
from dicomkit.values.tag import Tag

CT = "1.2.840.10008.5.1.4.1.1.2"


@cache
def ct() -> dk.DataSet:
    return dk.samples.ct_series(slices=1, size=16)[0]


@cache
def enhanced() -> dk.DataSet:
    return dk.samples.enhanced_ct()


def found(ds: dk.DataSet, level: str = "standard", **options: object) -> set[tuple[str, str, str]]:
    """Severity, rule and place of each finding."""
    return {(one.severity, one.rule, one.where) for one in validate(ds, level, **options)}


def stored(ds: dk.DataSet, tmp_path, **meta: object) -> dk.DataSet:
    """A file with meta information, read again."""
    path = tmp_path / "a.dcm"
    path.write_bytes(bytes(128) + b"DICM" + meta_bytes(ds, meta) + explicit(ds))
    return dk.read(path)


def explicit(ds: dk.DataSet) -> bytes:
    """A few elements in Explicit VR Little Endian."""
    out = b""
    for element in ds.elements():
        raw = element.value if isinstance(element.value, bytes) else str(element.text).encode()
        raw += b"\0" * (len(raw) % 2)
        out += element.tag.group.to_bytes(2, "little") + element.tag.element.to_bytes(2, "little")
        out += element.vr.encode() + len(raw).to_bytes(2, "little") + raw
    return out


def meta_bytes(ds: dk.DataSet, changes: dict[str, object]) -> bytes:
    elements = {
        "MediaStorageSOPClassUID": ds.get("SOPClassUID") or CT,
        "MediaStorageSOPInstanceUID": ds.get("SOPInstanceUID") or "1.2.3",
        "TransferSyntaxUID": "1.2.840.10008.1.2.1",
        "ImplementationClassUID": "1.2.3.4",
    } | changes
    body = explicit(dk.DataSet({key: value for key, value in elements.items() if value}))
    version = b"\2\0\1\0OB\0\0\2\0\0\0\0\1"
    return b"\2\0\0\0UL\4\0" + (len(version) + len(body)).to_bytes(4, "little") + version + body


@pytest.mark.parametrize("level", ["minimal", "standard", "strict"])
def test_right_objects_have_no_errors(level):
    for ds in (ct(), enhanced(), dk.samples.mr_series(slices=1, size=16)[0], dk.samples.pet_series(slices=1)[0]):
        assert validate(ds, level).errors == ()


def test_levels_include_each_other():
    broken = ct().drop("Rows", "KVP", "StudyInstanceUID").assign(Modality="CTX", PatientSex="X")
    minimal, standard, strict = (found(broken, level) for level in ("minimal", "standard", "strict"))
    assert ("error", "missing", "Rows") in minimal
    assert ("error", "missing", "StudyInstanceUID") in minimal
    assert ("error", "missing", "KVP") not in minimal
    assert {("error", "missing", "KVP"), ("error", "enumerated", "PatientSex")} <= standard
    assert not any(rule == "defined term" for _, rule, _ in standard)
    assert ("note", "defined term", "Modality") in strict
    assert {one for one in minimal if one[0] != "note"} <= standard <= strict


BROKEN = [
    # what the IOD requires
    (lambda ds: ds.drop("KVP"), "missing", "KVP"),
    (lambda ds: ds.assign(ImageType=None), "empty", "ImageType"),
    (lambda ds: ds.drop("PatientName"), "missing", "PatientName"),
    (lambda ds: ds.assign(SamplesPerPixel=3), "missing", "PlanarConfiguration"),
    (lambda ds: ds.assign(PlanarConfiguration=0), "not allowed", "PlanarConfiguration"),
    (lambda ds: ds.assign(PatientSex="Z"), "enumerated", "PatientSex"),
    (lambda ds: ds.assign(ImageType=["MADE", "PRIMARY", "AXIAL"]), "enumerated", "ImageType"),
    (lambda ds: ds.assign(ReferencedImageSequence=[]), "empty", "ReferencedImageSequence"),
    (
        lambda ds: ds.assign(ReferencedImageSequence=[{"ReferencedSOPClassUID": CT}]),
        "missing",
        "ReferencedImageSequence[0].ReferencedSOPInstanceUID",
    ),
    (
        lambda ds: ds.assign(AnatomicRegionSequence=[{"CodeMeaning": "Head"}]),
        "missing",
        "AnatomicRegionSequence[0].CodeValue",
    ),
    (
        lambda ds: ds.assign(
            AnatomicRegionSequence=[{"CodeValue": "1", "LongCodeValue": "1", "CodingSchemeDesignator": "SCT"}]
        ),
        "not allowed",
        "AnatomicRegionSequence[0].CodeValue",
    ),
    (lambda ds: ds.drop("ContrastBolusAgent").assign(ContrastBolusVolume=3.0), "missing", "ContrastBolusAgent"),
    (lambda ds: ds.assign({Tag(0x60020010): 16}), "missing", "OverlayColumns"),
    # identity
    (lambda ds: ds.drop("SOPInstanceUID"), "missing", "SOPInstanceUID"),
    (lambda ds: ds.assign(SeriesInstanceUID=ds.StudyInstanceUID), "uid", "SeriesInstanceUID"),
    (lambda ds: ds.assign(SOPClassUID="1.2.840.10008.1.2"), "sop class", "SOPClassUID"),
    # pixels
    (lambda ds: ds.drop("BitsStored"), "missing", "BitsStored"),
    (lambda ds: ds.assign(Columns=0), "pixel attributes", "Columns"),
    (lambda ds: ds.assign(BitsStored=17), "pixel attributes", "BitsStored"),
    (lambda ds: ds.assign(HighBit=3), "pixel attributes", "HighBit"),
    (lambda ds: ds.assign(BitsAllocated=12), "pixel attributes", "BitsAllocated"),
    (lambda ds: ds.assign(PixelRepresentation=2), "pixel attributes", "PixelRepresentation"),
    (lambda ds: ds.assign(PhotometricInterpretation="RGB"), "pixel attributes", "SamplesPerPixel"),
    (lambda ds: ds.assign(PhotometricInterpretation="YBR_ICT"), "compression", "PhotometricInterpretation"),
    (lambda ds: ds.assign(PhotometricInterpretation="PALETTE COLOR"), "missing", "RedPaletteColorLookupTableData"),
    (lambda ds: ds.assign(Rows=17), "pixel data", "PixelData"),
    (lambda ds: ds.assign(NumberOfFrames=2), "pixel data", "PixelData"),
    (lambda ds: ds.assign(FloatPixelData=b"1234"), "pixel data", "FloatPixelData"),
    # elements
    (lambda ds: ds.assign([Element(Tag.of("PixelSpacing"), "DS", (1.0, 1.0, 1.0))]), "vm", "PixelSpacing"),
    (lambda ds: ds.assign([Element.of((9, 0x1001), "x", "LO")]), "private", "(0009,1001)"),
    (lambda ds: ds.assign([Element.of((1, 0x1001), "x", "LO")]), "private", "(0001,1001)"),
    (lambda ds: ds.assign(RequestAttributesSequence=[{0x00020010: "1.2"}]), "place", None),
    (lambda ds: ds.assign(ImageOrientationPatient=[1, 1, 0, 0, 1, 0]), "agreement", "ImageOrientationPatient"),
    (lambda ds: ds.assign(ImageOrientationPatient=[1, 0, 0, 0.6, 0.8, 0]), "agreement", "ImageOrientationPatient"),
    (
        lambda ds: ds.assign(VOILUTSequence=[{"LUTDescriptor": [256, 0, 16], "LUTData": bytes(256)}]),
        "agreement",
        "VOILUTSequence[0].LUTDescriptor",
    ),
    (lambda ds: ds.assign(WindowCenter=(40, 50), WindowWidth=400), "agreement", "WindowCenter"),
    (lambda ds: ds.assign(WindowCenter=40, WindowWidth=0), "agreement", "WindowCenter"),
    (
        lambda ds: ds.assign(WindowCenterWidthExplanation=("A", "B", "C", "D")),
        "agreement",
        "WindowCenter",
    ),
    (
        lambda ds: ds.assign(ModalityLUTSequence=[{"LUTDescriptor": [1, 0, 16], "LUTData": bytes(2)}] * 2),
        "items",
        "ModalityLUTSequence",
    ),
]


@pytest.mark.parametrize(("change", "rule", "where"), BROKEN)
def test_each_broken_rule_is_found(change, rule, where):
    before, after = found(ct()), found(change(ct()))
    assert not any(severity == "error" for severity, _, _ in before)
    errors = {(r, w) for severity, r, w in after if severity == "error"}
    if where is None:
        assert rule in {r for r, _ in errors}
    else:
        assert (rule, where) in errors


def test_conditions_look_outward_and_at_other_functional_groups():
    """CT Exposure is needed for ORIGINAL frames: Frame Type stands in another functional group of the frame."""
    ds = enhanced()
    place = next(
        (sequence, number)
        for sequence in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
        for number, item in enumerate(ds[sequence])
        if "CTExposureSequence" in item
    )
    broken = ds.drop((*place, "CTExposureSequence", 0, "ExposureTimeInms"))
    where = f"{place[0]}[{place[1]}].CTExposureSequence[0].ExposureTimeInms"
    assert ("error", "missing", where) in found(broken)


def test_functional_groups():
    ds = enhanced()
    shared = ("SharedFunctionalGroupsSequence", 0)
    frames = ds["PerFrameFunctionalGroupsSequence"]
    assert ("error", "functional group", "PerFrameFunctionalGroupsSequence[0].PixelMeasuresSequence") in found(
        ds.drop((*shared, "PixelMeasuresSequence"))
    )
    twice = ds.assign(
        {("PerFrameFunctionalGroupsSequence", 0, "PixelMeasuresSequence"): ds[(*shared, "PixelMeasuresSequence")]}
    )
    assert ("error", "functional group", "PerFrameFunctionalGroupsSequence[0].PixelMeasuresSequence") in found(twice)
    short = ds.assign(PerFrameFunctionalGroupsSequence=list(frames[:-1]))
    assert ("error", "functional group", "PerFrameFunctionalGroupsSequence") in found(short)
    several = ds.assign(
        {("PerFrameFunctionalGroupsSequence", 0, "PlanePositionSequence"): frames[0]["PlanePositionSequence"] * 2}
    )
    assert ("error", "items", "PerFrameFunctionalGroupsSequence[0].PlanePositionSequence") in found(several)
    place = ("PerFrameFunctionalGroupsSequence", 0, "FrameContentSequence", 0, "DimensionIndexValues")
    assert (
        "error",
        "agreement",
        "PerFrameFunctionalGroupsSequence[0].FrameContentSequence[0].DimensionIndexValues",
    ) in (found(ds.assign({place: [0, 1, 1, 1]})))


def test_what_is_the_same_in_many_items_is_said_once():
    ds = enhanced().map(lambda e: dk.DROP if e.keyword == "ImagePositionPatient" else e)
    said = [one for one in validate(ds) if one.where.endswith("ImagePositionPatient")]
    assert len(said) == 1
    assert "more item" in said[0].message


def test_required_keys_and_allowed_sop_classes():
    ds = ct().assign(PatientComments=None)
    assert ("error", "required", "PatientComments") in found(ds, "minimal", required=["PatientComments"])
    path = ("ReferencedImageSequence", 0, "ReferencedSOPInstanceUID")
    assert ("error", "required", "ReferencedImageSequence[0].ReferencedSOPInstanceUID") in found(ds, required=[path])
    assert ("error", "required", "AccessionNumber") not in found(ds.assign(AccessionNumber="1"), required=[0x00080050])
    assert found(ds, sop_classes=["CTImageStorage"]) == found(ds)
    assert found(ds, sop_classes=[CT]) == found(ds)
    assert ("error", "sop class", "SOPClassUID") in found(ds, "minimal", sop_classes=["MRImageStorage"])
    assert ("error", "sop class", "SOPClassUID") in found(dk.DataSet(), "minimal", sop_classes=[CT])


def test_a_type_that_overrides_another():
    """Modality is Type 1 of every series but that of a secondary capture (PS3.3 C.8.6.1)."""
    assert ("error", "missing", "Modality") in found(ct().drop("Modality"))
    secondary = ct().drop("Modality").assign(SOPClassUID="1.2.840.10008.5.1.4.1.1.7", ConversionType="WSD")
    assert not any(where == "Modality" for _, _, where in found(secondary))
    document = secondary.assign(SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1")
    assert ("error", "missing", "Modality") in found(document)


def test_wrong_arguments():
    with pytest.raises(ValueFormatError, match="no level"):
        validate(ct(), "severe")
    with pytest.raises(dk.DicomError):
        validate(ct(), required=["NoSuchKeyword"])
    with pytest.raises(ValueFormatError, match="'CTImage' is no SOP class"):
        validate(ct(), sop_classes=["MRImageStorage", "CTImage"])
    assert ("error", "sop class", "SOPClassUID") in found(ct(), sop_classes=["1.2.3.4.5"])


def test_windows_of_other_functions():
    exact = ct().drop("WindowCenterWidthExplanation")
    exact = exact.assign(WindowCenter=0.5, WindowWidth=0.5, VOILUTFunction="LINEAR_EXACT")
    assert ("error", "agreement", "WindowCenter") not in found(exact)
    assert ("error", "agreement", "WindowCenter") in found(exact.assign(WindowWidth=0))
    assert ("error", "agreement", "WindowCenter") in found(exact.drop("VOILUTFunction"))


def test_what_was_just_compressed_has_no_errors():
    """Fragments of odd length are padded when written, and what JPEG loses is said."""
    lossy = dk.transcode(dk.make_image(np.arange(255, dtype=np.uint8).reshape(15, 17)), "JPEGBaseline8Bit", lossy=True)
    assert not any(severity == "error" for severity, _, _ in found(lossy))
    unsaid = found(lossy.drop("LossyImageCompression"))
    assert ("warning", "compression", "LossyImageCompression") in unsaid


def test_unknown_and_retired_sop_classes():
    assert ("warning", "sop class", "SOPClassUID") in found(ct().assign(SOPClassUID="1.2.3.4"))
    retired = "1.2.840.10008.5.1.4.1.1.6"
    assert ("warning", "sop class", "SOPClassUID") in found(ct().assign(SOPClassUID=retired))
    assert ("note", "sop class", "") in found(ct().assign(SOPClassUID=retired))


def test_strict_notes():
    notes = found(ct().assign(StudyComments="x", FrameTime=3.0), "strict")
    assert ("note", "retired", "StudyComments") in notes
    assert ("note", "not in IOD", "FrameTime") in notes
    assert ("note", "unchecked", "") in notes
    nested = ct().assign(ReferencedImageSequence=[{"ReferencedSOPClassUID": CT, "Modality": "CT"}])
    assert ("note", "not in IOD", "ReferencedImageSequence[0].Modality") in found(nested, "strict")


def test_file_meta_information(tmp_path):
    ds = dk.DataSet(SOPClassUID=CT, SOPInstanceUID="1.2.3", Modality="CT")
    assert not any(rule == "meta" for _, rule, _ in found(stored(ds, tmp_path), "strict"))
    other = stored(ds, tmp_path, MediaStorageSOPInstanceUID="1.2.4")
    assert ("error", "meta", "MediaStorageSOPInstanceUID") in found(other, "minimal")
    lacking = stored(ds, tmp_path, ImplementationClassUID=None)
    assert ("error", "meta", "ImplementationClassUID") in found(lacking, "minimal")
    retired = stored(ds, tmp_path, TransferSyntaxUID="1.2.840.10008.1.2.2")
    assert any(rule in ("transfer syntax", "encoding") for _, rule, _ in found(retired, "minimal"))


ENCODED = [
    (b"\x08\x00\x60\x00CS\x02\x00ct", "value", "Modality"),
    (b"\x08\x00\x60\x00CS\x03\x00CT ", "length", "Modality"),
    (b"\x08\x00\x60\x00LO\x02\x00CT", "vr", "Modality"),
    (b"\x08\x00\x60\x00CS\x06\x00CT\\MR ", "vm", "Modality"),
    (b"\x08\x00\x20\x00DA\x0a\x001997.04.24", "value", "StudyDate"),
    (b"\x08\x00\x16\x00UI\x08\x001.02.3\0\0", "value", "SOPClassUID"),
    (b"\x08\x00\x16\x00UI\x06\x001.2.3 ", "padding", "SOPClassUID"),
    (b"\x08\x00\x16\x00UI\x06\x003.2.3\0", "uid", "SOPClassUID"),
    (b"\x10\x00\x10\x00PN\x02\x00\xe9 ", "character set", "PatientName"),
    (b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 999", "character set", "SpecificCharacterSet"),
]


@pytest.mark.parametrize(("raw", "rule", "where"), ENCODED)
def test_encoded_elements(raw, rule, where):
    start = b"\x08\x00\x05\x00CS\x00\x00" if raw[:4] != b"\x08\x00\x05\x00" else b""
    ds = dk.read(start + raw + b"\x28\x00\x10\x00US\x02\x00\x01\x00")
    assert ("error", rule, where) in found(ds)


def test_findings_are_values():
    one = Finding(("BeamSequence", 3, "BeamName"), "missing", "error", "missing: Type 1", Tag.of("BeamName"))
    findings = collected([Finding((), "unchecked", "note", "2 conditions"), one])
    assert findings[0] == one
    assert repr(findings) == "Findings(1 error, 0 warnings, 1 note; BeamSequence[3].BeamName: missing: Type 1)"
    assert pickle.loads(pickle.dumps(findings)) == findings
    assert findings.of("note")[0].where == ""
    assert Findings() == ()
    table = findings.to_table()
    assert list(table.columns) == ["severity", "rule", "path", "tag", "message"]
    assert table.loc[0, "path"] == "BeamSequence[3].BeamName"
    assert table.loc[0, "tag"] == "(300A,00C2)"
    html = findings._repr_html_()
    assert "BeamSequence[3].BeamName" in html
    assert "1 error" in html
    assert str(one) == "error BeamSequence[3].BeamName: missing: Type 1 (missing)"
    with pytest.raises(AttributeError):
        one.rule = "other"


def test_the_verb_is_in_the_facade():
    assert dk.validate is validate
