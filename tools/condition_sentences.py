"""Read the sentences in which PS3.3 puts conditions ("Required if ... is ...") into the small language of the tables.

dicomkit/standard/conditions.py describes that language and reads it again. A sentence is translated only when every
word of it is understood; of all others the tables say that they are not expressed.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from dicomkit.standard.attributes import attribute, attribute_named, tag_of


class Rule(NamedTuple):
    """When an attribute is needed, and when it is allowed although it is not needed.

    Parameters
    ----------
    need
        The condition; ``"?"`` where it is not expressed.
    allow
        ``"*"`` for always, ``""`` for only when needed, or a condition.
    """

    need: str
    allow: str


UNKNOWN = Rule("?", "*")


def uids(endings: str) -> str:
    """Write the UIDs of storage SOP classes by their last parts."""
    return " / ".join(f"1.2.840.10008.5.1.4.1.1.{ending}" for ending in endings.split())


# Clauses that no pattern would read as they are meant.
IDIOMS = {
    "the code value length is 16 characters or less, and the code value is not a URN or URL": (
        "no LongCodeValue and no URNCodeValue"
    ),
    "{CodeValue} is not present and the Code Value is not a URN or URL": "no CodeValue and no URNCodeValue",
    "{CodeValue} is not present and the Code Value is a URN or URL": "no CodeValue and no LongCodeValue",
    "the Enhanced Contrast/Bolus Module is present": "ContrastBolusAgentSequence",
    "the Palette Color Lookup Table Module is not present": "no RedPaletteColorLookupTableDescriptor",
    "the Palette Color Lookup Table Module is present": "RedPaletteColorLookupTableDescriptor",
    "Graphic Annotation Module is present": "GraphicAnnotationSequence",
    "Mask Module is present": "MaskSubtractionSequence",
    "Generic Implant Template 3D Models Module is present": "SurfaceSequence",
    "integer pixels": "PixelData",
    "32 bit floating point pixels": "FloatPixelData",
    "64 bit floating point pixels": "DoubleFloatPixelData",
    "pixel data is multi-frame data": "NumberOfFrames > 1",
    "dose data contains grid-based doses and pixel data is multi-frame data": "NumberOfFrames > 1",
    "multi-frame pixel data are present and {FrameIncrementPointer} points to {GridFrameOffsetVector}": (
        "NumberOfFrames > 1 and FrameIncrementPointer = 3004000C"
    ),
    "{PixelData} contains more than one frame": "NumberOfFrames > 1",
    "Multi-frame Image": "NumberOfFrames > 1",
    "Overlay data contains multiple frames": "NumberOfFramesInOverlay > 1",
    "Overlay Data contains multiple frames": "NumberOfFramesInOverlay > 1",
    "{FrameIncrementPointer} is {FrameTime} or {FrameTimeVector}": "FrameIncrementPointer = 00181063 / 00181065",
    "the Directory Record references a SOP Instance": "ReferencedFileID",
    "Derivation Image Functional Group (C.7.6.16.2.6) is not present": "no DerivationImageSequence",
    "Derivation Image Functional Group (C.7.6.16.2.6) is present": "DerivationImageSequence",
    "Referenced Image Functional Group (Section C.7.6.16.2.5) or Derivation Image Functional Group (Section"
    " C.7.6.16.2.6) is present": "ReferencedImageSequence or DerivationImageSequence",
    "the value of {DimensionIndexSequence} exists": "DimensionIndexSequence",
    "the Patient is an animal and if {PatientBreedCodeSequence} is empty": "",
}
# Whole texts that say more than one thing.
WHOLE = {
    "Required if the value of {CodingSchemeDesignator} is present and is not sufficient to identify the {CodeValue} or"
    " {LongCodeValue} unambiguously. Shall not be present if {CodingSchemeDesignator} is absent. May be present"
    " otherwise.": Rule("?", "CodingSchemeDesignator"),
    "Shall not be present if {RescaleIntercept} is present.": Rule("?", "no RescaleIntercept"),
    # The list of SOP classes between the two sentences is lost in the source.
    "May be present for other SOP Classes if {PatientOrientationCodeSequence} is not present.": Rule(
        f"no PatientOrientationCodeSequence and SOPClassUID = {uids('2 4 2.1 4.1 4.3 4.2')}",
        "no PatientOrientationCodeSequence",
    ),
    # Images that do require a plane, or are multi-frame with functional groups for it.
    "Required if image does not require {ImageOrientationPatient} and {ImagePositionPatient} or if image does not"
    " require {ImageOrientationSlide}. May be present otherwise.": Rule(
        f"SOPClassUID != {uids('2 4 128 481.2 77.1.3 77.1.6 77.1.8 77.1.9 66.4 66.7 66.8 6.2 6.3 30')}", "*"
    ),
    "Required if the aspect ratio values do not have a ratio of 1:1 and the physical pixel spacing is not specified by"
    " {PixelSpacing}, or {ImagerPixelSpacing} or {NominalScannedPixelSpacing}, either for the entire Image or per-frame"
    " in a Functional Group Macro.": Rule(
        "?", "no PixelSpacing and no ImagerPixelSpacing and no NominalScannedPixelSpacing"
    ),
    "Required if the body part examined is a paired structure and {ImageLaterality} or {FrameLaterality} or"
    " {MeasurementLaterality} are not present.": Rule("?", "no ImageLaterality"),
}
# Names that stand without their tag.
UNTAGGED = (
    "SOP Class UID",
    "Number of Frames",
    "Rescale Intercept",
    "Observer Type",
    "Table Motion",
    "Pixel Component Organization",
    "Presentation Intent Type",
    "Image Type",
    "Contour Data",
    "Modality",
    "Responsible Person",
    "Optotype",
)

_TAG = re.compile(r"\(([0-9A-Fa-f]{4})[,.] ?([0-9A-Fa-f]{4})\)")
_WORD = r'"?[A-Z0-9][A-Z0-9_.]*(?![\w.])(?:[ /][A-Z0-9][A-Z0-9_]*(?!\w))*"?(?: \([A-Z][^()]*\))?'
_NAMED_UID = r'[A-Z][\w -]* \("[\d.]+"\)'
_VALUE = rf"(?:{_NAMED_UID}|{_WORD})"
_VALUES = rf"(?:either |any of |of Value |the value )?{_VALUE}(?:(?:,? or (?:a value of |in )?|, (?:and )?){_VALUE})*"
_CODE = r'\(([A-Z0-9.-]+), ?([A-Z0-9]+), ?"[^"]*"\)'
_CODES = rf"(?:either )?{_CODE}(?: ?,? or {_CODE}| ?, {_CODE})*"
_SUBJECT = r"((?:[\w' ,]|\{\w+\})*?\{\w+\}(?:,? (?i:value) \d| value)?)"

_ELLIPTIC = re.compile(r"(?:is|are|equals|has|does|not)\b")
_OPENING = re.compile(r"^(?:[-–] ?)?(?:Required|[Ss]hall be present)(?: only)?,? (?:if|when):? (?:Required if )?")
_FIRST_ITEM = re.compile(r"^Required for (?:first Item (?:of|in) [\w ]*Sequence|Control Point 0 of \{\w+\}),? or if ")
_FIRST_ITEM_IF = re.compile(r"^Required for first Item of [\w ]*Sequence if (.*?), (?:and in subsequent|or if) ")
_OTHERWISE = re.compile(r"[.,;]*\s*(?:[Mm]ay(?: also)? be|[Ss]hall not be|[Mm]ay not be)\b.*$")
_REMARK = re.compile(
    r"[.,;]*\s*(?:- )?(?:[Ss]ee (?:Section|Note|A\.|C\.)|Note\b|\(Section|overriding |in which case ).*$"
)
_ALLOWED = re.compile(r"\bmay (?:also )?be present|\boptional\b", re.IGNORECASE)


def rule_of(sentence: str | None) -> Rule:
    """Translate the condition of an attribute, module or functional group.

    Examples
    --------
    >>> rule_of("Required if Image Type (0008,0008) Value 1 is ORIGINAL or MIXED. May be present otherwise.")
    Rule(need='ImageType[1] = ORIGINAL / MIXED', allow='*')
    >>> rule_of("Required if Samples per Pixel (0028,0002) has a value greater than 1.")
    Rule(need='SamplesPerPixel > 1', allow='')
    >>> rule_of("Required if contrast media was used in this image")
    Rule(need='?', allow='*')
    """
    text = marked(" ".join((sentence or "").replace("\xa0", " ").split()))
    if text in WHOLE:
        return WHOLE[text]
    if _FIRST_ITEM.match(text):
        return Rule("first item", "*")
    if first := _FIRST_ITEM_IF.match(text):
        need = expression(first[1])
        return Rule(f"first item and {need}", "*") if need and " or " not in need else UNKNOWN
    needs = []
    for part in re.split(r"(?<=[.;]) (?=Required if)", _REMARK.sub("", text)):
        opening = _OPENING.match(part)
        found = expression(_OTHERWISE.sub("", part[opening.end() :])) if opening else None
        if found is None:
            return UNKNOWN
        needs.append(found)
    return Rule(" or ".join(needs), "*" if _ALLOWED.search(text) else "")


def marked(text: str) -> str:
    """Replace each name with its tag by the keyword in braces.

    Examples
    --------
    >>> marked("the value of Image Type (0008,0008) is")
    'the value of {ImageType} is'
    """
    pieces, end = [], 0
    for match in _TAG.finditer(text):
        known = attribute(int(match[1] + match[2], 16))
        before = text[end : match.start()]
        start = _name_start(before, known.name) if known and known.keyword else None
        if known and start is not None:
            pieces.append(f"{before[:start]}{{{known.keyword}}}")
        else:
            pieces.append(before + match[0])
        end = match.end()
    text = "".join([*pieces, text[end:]])
    for name in UNTAGGED:
        keyword = getattr(attribute_named(name), "keyword", "")
        text = re.sub(
            rf"(?<![\w{{])(?<!Referenced ){name}(?=,? (?:Value|value|is|equals|has|exists|=))", f"{{{keyword}}}", text
        )
    return text


def _name_start(before: str, name: str) -> int | None:
    """Find where the name of an attribute starts, in the text that ends with it, spelled almost as in PS3.6."""
    wanted = _squashed(name)
    starts = [match.start() for match in re.finditer(r"\b[\w]", before)]
    scored = [
        (difflib.SequenceMatcher(None, _squashed(before[start:]), wanted).ratio(), start) for start in starts[-16:]
    ]
    best = max(scored, default=(0.0, 0))
    return best[1] if best[0] >= 0.85 else None


def _squashed(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


@cache
def expression(clause: str) -> str | None:
    """Translate what stands after "Required if"; None where a word of it is not understood."""
    clause = clause.strip().rstrip(" .;,")
    if clause in IDIOMS:
        return IDIOMS[clause] or None
    for connector, word in ((r",? or if ", "or"), (r",? and if ", "and")):
        parts = re.split(connector, clause)
        if len(parts) > 1:
            return _joined([expression(part) for part in parts], word)
    single = _statement(clause)
    if single is not None:
        return single
    # "and" binds more tightly than "or", and more tightly still what shares the subject: "X is absent or equals Y".
    for word, shared in (("or", False), ("and", False), ("or", True), ("and", True)):
        for match in re.finditer(rf",? {word} ", clause):
            left, right = clause[: match.start()], clause[match.end() :]
            if bool(_ELLIPTIC.match(right)) != shared:
                continue
            first = expression(left)
            second = expression(_with_subject(left, right)) if first else None
            if first and second:
                return _joined([first, second], word)
    return None


def _joined(parts: list[str | None], word: str) -> str | None:
    found = [part for part in parts if part is not None]
    if len(found) < len(parts):
        return None
    if word == "and":
        found = [f"( {part} )" if " or " in part else part for part in found]
    return f" {word} ".join(found)


def _with_subject(left: str, right: str) -> str:
    """Repeat the last subject of the left clause: "X is present and equals Y"."""
    subjects = re.findall(r"\{\w+\}", left)
    if subjects and (_ELLIPTIC.match(right) or re.match(r"(?i:value) \d ", right)):
        return f"{subjects[-1]} {'is ' if right.startswith('not ') else ''}{right}"
    return right


def _statement(clause: str) -> str | None:
    """Translate one statement about one attribute, or the same one about several."""
    clause = re.sub(
        r" (?:of this frame|at the image level|in (?:the|any) [\w ]* (?:Module|Functional Group))", "", clause
    )
    clause = re.sub(r" (?:for any frame in the SOP Instance|in the SOP Instance|in this Sequence Item)", "", clause)
    if clause in IDIOMS:
        return IDIOMS[clause] or None
    for pattern, build in _STATEMENTS:
        match = pattern.fullmatch(clause)
        if match and (built := build(match)) is not None:
            return built
    return None


def _subjects(text: str) -> tuple[list[str], str] | None:
    """Find the attributes that a statement is about, and whether "and" or "or" joins them."""
    number = ""
    if match := re.match(r"(?:(?i:value) (\d) of |the third value of )", text):
        number, text = match[1] or "3", text[match.end() :]
    text = re.sub(
        r"\b(?:the|The|attribute|Attribute|either|both|value for|values? of|a value of|any value of) ", "", text
    )
    if " or " in text and " and " in text:
        return None
    word = "or" if " or " in text else "and"
    keywords = []
    for part in re.split(r",? and |,? or |, (?!Value)", text):
        match = re.fullmatch(r"\{(\w+)\}(?:,? (?i:value) (\d)| value)?", part.strip())
        if match is None:
            return None
        keywords.append(match[1] + (f"[{number or match[2]}]" if number or match[2] else ""))
    return keywords, word


def _values(text: str) -> str:
    """Write a list of values."""
    text = re.sub(r"^(?:either |any of |of Value |the value )", "", text)
    parts = re.split(r",? or (?:a value of |in )?|, (?:and )?", text)
    plain = [re.sub(r'^[A-Z][\w -]* \("([\d.]+)"\)$', r"\1", part) for part in parts]
    return " / ".join(re.sub(r" \([A-Z][^()]*\)$", "", part).strip().strip('"') for part in plain)


def _about(form: str) -> Callable[[re.Match[str]], str | None]:
    """Make a builder: the form takes the keyword as ``{0}`` and the values as ``{1}``."""

    def build(match: re.Match[str]) -> str | None:
        found = _subjects(match[1])
        if found is None:
            return None
        values = ""
        if "{1}" in form:
            text = {"zero": "0"}.get(match[2], match[2])
            values = text if ">" in form else _codes(text) if ":" in form else _values(text)
        return _joined([form.replace("{0}", keyword).replace("{1}", values) for keyword in found[0]], found[1])

    return build


def _codes(text: str) -> str:
    pairs = [pair if pair[0][0].isdigit() else pair[::-1] for pair in re.findall(_CODE, text)]
    return " / ".join(f"{value}^{scheme}" for value, scheme in pairs)


def _pointer(match: re.Match[str]) -> str | None:
    """Write that a pointer has the tag of an attribute."""
    found = _subjects(match[1])
    known = attribute_named(match[2])
    tag = known.tag if known else tag_of(match[2].strip("{}"))
    return f"{found[0][0]} = {tag:08X}" if found and tag else None


_PRESENT = r"(?:(?:is|are) present(?: and (?:the value )?| with a? ?))?"
_STATEMENTS = [
    (re.compile(f"{_SUBJECT} {pattern}"), build)
    for pattern, build in (
        (r"(?:(?:is|are) (?:not present|absent)|does not exist|is not used|is zero[- ]length)", _about("no {0}")),
        (
            r"(?:(?:is|are) present(?: and not empty| and has a value| with a value)?|exists|has a value|is not empty|"
            r"is used|is non-zero length)",
            _about("{0}"),
        ),
        (_PRESENT + r"(?:is|has a value(?: of)?) (?:greater|more) than (zero|\d+)", _about("{0} > {1}")),
        (_PRESENT + r"(?:is non-zero|is not zero|has a non-zero value)", _about("{0} > 0")),
        (
            _PRESENT + rf"(?:equals|is|value is|is set to|has a value) other than ({_VALUES})",
            _about("{0} and {0} != {1}"),
        ),
        (rf"(?:is not|is not equal to|does not equal|value is not|is not any of) ({_VALUES})", _about("{0} != {1}")),
        (
            _PRESENT
            + r"(?:equals|is equal to|is EQUAL to|is set to|is|is:|=|has (?:a|the) value of|has the value|value is|"
            + rf"value|has value|has values of|value of|contains the value) ({_VALUES})",
            _about("{0} = {1}"),
        ),
        (
            r"(?:contains an [Ii]tem with the value(?: of| or)?|has an Item value of|contains|contains either|equals|"
            + rf"is|Item value is) ({_CODES})",
            _about("{0} : {1}"),
        ),
        (r"(?:points to|(?:includes|contains) the Tag for) (\{\w+\}|[A-Z][\w ]+)", _pointer),
    )
]
