"""Whatever is in an object: validate answers with findings, in a bounded time, and raises nothing."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realdata import all_dicom_files, needs_data

import dicomkit as dk
from dicomkit.dataset.element import Element
from dicomkit.standard.modules import group, iod, iods, module
from dicomkit.validation.findings import Findings
from dicomkit.validation.validate import validate
from dicomkit.values.tag import Tag

SEED = 7


def changed(data: bytes, chance: random.Random) -> bytes:
    """Cut, or overwrite some bytes, most often in the headers."""
    if chance.random() < 0.3:
        return data[: chance.randrange(132, max(133, len(data)))]
    spoiled = bytearray(data)
    for _ in range(chance.choice((1, 3, 20))):
        end = min(len(spoiled), chance.choice((1000, 4000, len(spoiled))))
        spoiled[chance.randrange(end)] = chance.randrange(256)
    return bytes(spoiled)


@needs_data
def test_spoiled_files_give_findings():
    chance = random.Random(SEED)
    small = [path for path in all_dicom_files() if path.stat().st_size < 100_000]
    read = 0
    stop = time.monotonic() + 15
    while time.monotonic() < stop and read < 1500:
        try:
            ds = dk.read(changed(chance.choice(small).read_bytes(), chance))
        except dk.DicomError:
            continue
        read += 1
        findings = validate(ds, chance.choice(("minimal", "standard", "strict")))
        assert isinstance(findings, Findings)
        assert repr(findings)
        assert all(one.severity in ("error", "warning", "note") for one in findings)
    assert read > 50


@needs_data
def test_real_files_give_the_same_findings_in_memory_and_from_the_file():
    for path in all_dicom_files()[::40]:
        ds = dk.read(path)
        assert validate(ds, "strict") == validate(dk.read(path.read_bytes()), "strict")


def test_deep_nesting_is_cut():
    ds = dk.DataSet(TextValue="x")
    for _ in range(90):
        ds = dk.DataSet(ContentSequence=[ds], RelationshipType="CONTAINS", ValueType="CONTAINER")
    ds = ds.assign(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11")
    assert any(one.rule == "nesting" for one in validate(ds))


@pytest.mark.parametrize("name", iods())
def test_an_empty_object_of_every_iod(name):
    """Every rule of every IOD is asked once: conditions, groups, functional groups."""
    found = iod(name)
    sop_class = found.sop_classes[0] if found.sop_classes else "1.2.840.10008.5.1.4.1.1.2"
    ds = dk.DataSet(SOPClassUID=sop_class)
    for use in found.modules:
        for attribute in module(use.module).attributes:
            if attribute.items:
                ds = ds.merge(dk.DataSet([Element(Tag(attribute.tag), "SQ", (nested(attribute.items, 3),))]))
    findings = validate(ds, "strict")
    assert findings.of("error", "missing")


def nested(number: int, depth: int) -> dk.DataSet:
    """An item with all of its sequences, some levels deep."""
    elements = [
        Element(Tag(use.tag), "SQ", (nested(use.items, depth - 1),)) for use in group(number) if use.items and depth
    ]
    return dk.DataSet(elements)


VALUES = st.one_of(
    st.none(),
    st.integers(-5, 70000),
    st.floats(allow_nan=True),
    st.text(max_size=5),
    st.binary(max_size=6),
    st.tuples(st.integers(0, 9), st.text(max_size=3), st.none()),
    st.just(()),
    st.just((dk.DataSet(), dk.DataSet(CodeValue="1"))),
)
KEYWORDS = st.sampled_from(
    "SOPClassUID SOPInstanceUID Rows Columns BitsAllocated BitsStored HighBit SamplesPerPixel NumberOfFrames PixelData "
    "PhotometricInterpretation PlanarConfiguration ImageType PerFrameFunctionalGroupsSequence PatientSex "
    "SharedFunctionalGroupsSequence DimensionIndexSequence ImageOrientationPatient LUTDescriptor LUTData "
    "AnatomicRegionSequence FrameIncrementPointer SpecificCharacterSet ExtendedOffsetTable FloatPixelData".split()
)
CLASSES = st.sampled_from([iod(name).sop_classes[0] for name in iods() if iod(name).sop_classes])


@given(st.dictionaries(KEYWORDS, VALUES, max_size=8), CLASSES, st.sampled_from(["minimal", "standard", "strict"]))
def test_values_of_any_kind_anywhere(values, sop_class, level):
    """Elements that no reader and no encoder would make."""
    elements = [Element(Tag.of(keyword), "LO", value) for keyword, value in values.items()]
    ds = dk.DataSet(SOPClassUID=sop_class).merge(dk.DataSet(elements))
    assert isinstance(validate(ds, level), Findings)
