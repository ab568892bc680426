"""The tables of IODs and modules are what the generator makes, and say what PS3.3 and PS3.5 say."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from realdata import STANDARD, needs_standard

import dicomkit as dk
from dicomkit.standard.attributes import attribute, tag_of
from dicomkit.standard.compressed_pixels import compressed_pixels
from dicomkit.standard.conditions import holds
from dicomkit.standard.modules import AttributeUse, group, iod, iod_of, iods, module
from dicomkit.standard.uids import uid_of, uids_of_type

ROOT = Path(__file__).parent.parent.parent


def generator(monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module(f"tools.{name}")


def use_of(name: str, keyword: str) -> AttributeUse:
    found = module(name)
    assert found is not None
    return next(use for use in found.attributes if use.tag == tag_of(keyword))


@needs_standard
def test_shipped_tables_equal_what_the_generator_makes(monkeypatch):
    made = generator(monkeypatch, "make_module_tables").make_tables(STANDARD)
    folder = ROOT / "dicomkit" / "standard" / "data"
    assert {name: (folder / name).read_text(encoding="utf-8") == text for name, text in made.items()} == dict.fromkeys(
        made, True
    )


def test_tables_are_loaded_only_when_used():
    code = (
        "import dicomkit.standard.modules as m, dicomkit.standard.compressed_pixels as c;"
        "loaders = [m._iod_blocks, m._module_blocks, m._conditions, m._values, c._by_syntax];"
        "assert all(loader.cache_info().currsize == 0 for loader in loaders);"
        "m.iod('patient');"
        "assert [loader.cache_info().currsize for loader in loaders] == [1, 0, 0, 0, 0]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_every_iod_has_its_modules_and_every_module_its_attributes():
    assert len(iods()) == 175 + 14
    for name in iods():
        found = iod(name)
        assert found is not None
        assert found.modules
        for use in found.modules:
            assert use.usage in ("M", "C", "U")
            assert (use.rule is None) == (use.usage != "C")
            assert module(use.module) is not None
    assert iod("no-such-iod") is None
    assert module("no-such-module") is None


def test_every_attribute_is_in_the_dictionary_and_every_group_is_reached():
    seen: set[int] = set()
    pending = [use for name in iods() for part in iod(name).modules for use in module(part.module).attributes]
    while pending:
        use = pending.pop()
        assert attribute(use.tag) is not None, f"{use.tag:08X}"
        assert use.type in ("1", "1C", "2", "2C", "3", ""), f"{use.tag:08X}"
        assert (use.rule is not None) == use.type.endswith("C"), f"{use.tag:08X}"
        if use.items and use.items not in seen:
            seen.add(use.items)
            pending += group(use.items)
    assert len(seen) > 750


def test_a_sop_class_has_its_iod():
    assert iod_of(uid_of("EnhancedMRImageStorage")).id == "enhanced-mr-image"
    assert iod_of("1.2.840.10008.5.1.4.1.1.66.7").id == "segmentation"
    assert iod_of("1.2.3") is None
    storage = [
        entry
        for entry in uids_of_type("SOP Class")
        if entry.uid.startswith("1.2.840.10008.5.1.4.1.1.") and not entry.retired and entry.name.endswith("Storage")
    ]
    without = [entry.name for entry in storage if iod_of(entry.uid) is None]
    assert len(storage) > 150
    # Security, non-destructive testing, and one that is newer than the tables.
    assert {name.split()[0] for name in without} == {"DICOS", "Eddy", "Thermography", "Ultrasound"}


def test_types_and_values_that_are_known_by_heart():
    assert use_of("patient", "PatientName").type == "2"
    assert use_of("patient", "PatientSex").values[0].values == ("M", "F", "O")
    assert use_of("sop-common", "SOPInstanceUID").type == "1"
    assert use_of("general-series", "Modality").values[0].enumerated is False
    assert use_of("image-pixel", "PlanarConfiguration").rule.text == "SamplesPerPixel > 1"
    assert use_of("image-pixel", "PixelRepresentation").values[0].values == ("0", "1")
    assert [(lists.number, lists.values) for lists in use_of("general-image", "ImageType").values] == [
        (1, ("ORIGINAL", "DERIVED")),
        (2, ("PRIMARY", "SECONDARY")),
    ]
    assert "LABELMAP" in use_of("segmentation-image", "SegmentationType").values[0].values


def test_content_items_nest_and_depend_on_their_value_type():
    content = use_of("sr-document-content", "ContentSequence")
    inner = {use.tag: use for use in group(content.items)}
    assert inner[tag_of("ContentSequence")].items == content.items
    assert inner[tag_of("TextValue")].rule.text == "ValueType = TEXT"
    assert inner[tag_of("RelationshipType")].type == "1"


def test_compressed_pixels():
    rows = compressed_pixels("1.2.840.10008.1.2.4.50")
    assert {row.photometric_interpretation for row in rows} == {"MONOCHROME1", "MONOCHROME2", "YBR_FULL_422", "RGB"}
    assert all(row.bits_stored == {8} for row in rows)
    assert compressed_pixels("1.2.840.10008.1.2.1") == ()
    assert compressed_pixels("1.2.840.10008.1.2.4.90")[0].bits_stored == set(range(1, 39))
    assert compressed_pixels("1.2.840.10008.1.2.4.108")[0].bits_allocated == {16}


SENTENCES = [
    ("Required if Image Type (0008,0008) Value 1 is ORIGINAL or MIXED. May be present otherwise.",
     "ImageType[1] = ORIGINAL / MIXED", "*"),
    ("Required if Value 3 of Image Type (0008,0008) is PORTAL, SIMULATOR or RADIOGRAPH.",
     "ImageType[3] = PORTAL / SIMULATOR / RADIOGRAPH", ""),
    ("Required if Cardiac Synchronization Technique (0018,9037) equals other than NONE.",
     "CardiacSynchronizationTechnique and CardiacSynchronizationTechnique != NONE", ""),
    ("Required if Referenced Sample Positions (0040,A132) and Referenced DateTime (0040,A13A) are not present.",
     "no ReferencedSamplePositions and no ReferencedDateTime", ""),
    ("Required if Number of Blocks (300A,00F0) is present and has a non-zero value.", "NumberOfBlocks > 0", ""),
    ("Required if the value of Frame Increment Pointer (0028,0009) includes the Tag for Slice Vector (0054,0080).",
     "FrameIncrementPointer = 00540080", ""),
    ("Required if Device Type Code Sequence (3010,002E) contains either (130331, DCM, \"Leaf Pairs\") or (130333, DCM,"
     " \"Single Leaves\") .", "DeviceTypeCodeSequence : 130331^DCM / 130333^DCM", ""),
    ("Required if A (0010,0010) is X and B (0010,0020) is Y.", "?", "*"),
    ("Required if Pixel Presentation (0008,9205) is COLOR and Rows (0028,0010) is present or Columns (0028,0011) is"
     " present.", "PixelPresentation = COLOR and Rows or Columns", ""),
    ("Required if Respiratory Motion Compensation Technique (0018,9170) equals other than NONE or REALTIME and"
     " Respiratory Trigger Type (0020,9250) is absent or has a value of TIME or BOTH.",
     "RespiratoryMotionCompensationTechnique and RespiratoryMotionCompensationTechnique != NONE / REALTIME and"
     " ( no RespiratoryTriggerType or RespiratoryTriggerType = TIME / BOTH )", ""),
    ("Required for first Item of Control Point Sequence, or if Gantry Angle changes during Beam.", "first item", "*"),
    ("Required if contrast media was used in this image", "?", "*"),
    ("Required if Samples per Pixel (0028,0002) is even and the moon is full.", "?", "*"),
    ("", "?", "*"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "need", "allow"), SENTENCES)
def test_sentences_of_conditions(monkeypatch, sentence, need, allow):
    assert generator(monkeypatch, "condition_sentences").rule_of(sentence) == (need, allow)


@pytest.mark.parametrize(
    ("frame_type", "acquisition", "allowed"),
    [
        ("ORIGINAL", "SPIRAL", True),
        ("DERIVED", "SPIRAL", True),
        ("DERIVED", "CONSTANT_ANGLE", False),
        ("MIXED", "SPIRAL", False),
    ],
)
def test_what_may_be_in_derived_frames_too(frame_type: str, acquisition: str, allowed: bool) -> None:
    """PS3.3 C.8.15.3.3: "Otherwise may be present if Frame Type Value 1 of this frame is DERIVED and ..."."""
    from dicomkit.samples import enhanced_ct
    from dicomkit.validation.validate import validate

    values = {"FrameType": (frame_type, "PRIMARY", "VOLUME", "NONE"), "AcquisitionType": acquisition}
    ds = enhanced_ct(frames=1, size=8).map(lambda element: values.get(element.keyword, element))
    refused = {finding.path[-1] for finding in validate(ds) if finding.rule == "not allowed"}
    assert ("RotationDirection" not in refused) == ("RevolutionTime" not in refused) == allowed
    assert ("ReconstructionDiameter" in refused) == (frame_type == "MIXED")


@pytest.mark.parametrize(
    ("name", "keyword", "attributes", "allowed"),
    [
        ("dx-image", "WindowCenter", {"VOILUTSequence": [{}]}, True),
        ("dx-image", "WindowCenter", {}, False),
        ("dx-image", "VOILUTSequence", {"WindowCenter": 1}, True),
        ("sc-multi-frame-image", "NominalScannedPixelSpacing", {"ConversionType": "SD"}, True),
        ("sc-multi-frame-image", "NominalScannedPixelSpacing", {"ConversionType": "WSD"}, False),
        ("vl-image", "ReferencedImageSequence", {}, True),
    ],
)
def test_what_may_also_be_present(name: str, keyword: str, attributes: dict[str, object], allowed: bool) -> None:
    """PS3.3 C.8.11.3, C.8.6.3, C.8.12.1: "May also be present if ..."."""
    rule = use_of(name, keyword).rule
    assert rule is not None
    ds = dk.DataSet({"PresentationIntentType": "FOR PRESENTATION", **attributes})

    def met(condition: Any) -> bool:
        return condition if isinstance(condition, bool) else holds(condition, lambda tag: ds.all(tag) or None)

    assert met(rule.need) == (name == "dx-image" and not attributes)
    assert met(rule.allow) == allowed
