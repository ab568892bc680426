"""Make the tables of IODs, modules, conditions, values and compressed pixels in dicomkit/standard/data.

Usage: python -m tools.make_module_tables FOLDER [OUTPUT]

FOLDER holds tables extracted from the standard: iods.json, modules.json, attribute_constraints_2020.json,
section_terms_2020.json, macros_2020.json and ps3.05_tables_2026c.json. Modules and types are those of one edition,
conditions and values those of an older one; where they meet is decided in `Constraints`. A test makes the tables again
and compares.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from dicomkit.standard.attributes import tag_of, vr_of
from tools.condition_sentences import UNKNOWN, Rule, expression, marked, rule_of, uids
from tools.make_standard_tables import OUTPUT, table

HIGHDICOM = "modules, usage and types: highdicom 0.28.2 (MIT), made from NEMA's part03.xml"
INNOLITICS = "names and conditions of modules: innolitics/dicom-standard 2024e (MIT)"
CONSTRAINTS = "conditions and values of attributes: PyPI dicom-standard 0.1.0 (MIT)"
PART5 = "PS3.5 2026c, tables of cosyte/dicom on GitHub (MIT), made from NEMA's part05.xml; video: its text"
SHARED, PER_FRAME = "52009229", "52009230"
CONTENT_SEQUENCE, VALUE_TYPE, RELATIONSHIP_TYPE = "0040A730", "0040A040", "0040A010"

# The sequence of a functional group whose macro the source of macros lacks, or whose table starts inside of it.
MACRO_SEQUENCES = {
    "confocal-microscopy-image-frame-type": "ConfocalMicroscopyImageFrameTypeSequence",
    "multi-energy-ct-characteristics": "MultienergyCTCharacteristicsSequence",
    "multi-energy-ct-processing": "MultienergyCTProcessingSequence",
    "photoacoustic-excitation-characteristics": "PhotoacousticExcitationCharacteristicsSequence",
    "photoacoustic-image-data-type": "ImageDataTypeSequence",
    "photoacoustic-image-frame-type": "PhotoacousticImageFrameTypeSequence",
    "photoacoustic-reconstruction-algorithm": "ReconstructionAlgorithmSequence",
    "rt-beam-limiting-device-opening-sequence": "RTBeamLimitingDeviceOpeningSequence",
    "rt-image-frame-context": "RTImageFrameContextSequence",
    "rt-image-frame-general-content": "RTImageFrameGeneralContentSequence",
    "rt-image-frame-imaging-device-position": "RTImageFrameImagingDevicePositionSequence",
    "rt-image-frame-radiation-acquisition-parameters": "RTImageFrameRadiationAcquisitionSequence",
    "x-ray-grid": "XRayGridSequence",
}
# In a content item, the value types for which the macro of an attribute is included (PS3.3 Table C.17-5).
CONTENT_MACROS = {
    "CONTAINER": "ContinuityOfContent ContentTemplateSequence",
    "TEXT": "TextValue",
    "CODE": "ConceptCodeSequence",
    "NUM": "MeasuredValueSequence NumericValueQualifierCodeSequence",
    "DATETIME": "DateTime",
    "DATE": "Date",
    "TIME": "Time",
    "PNAME": "PersonName",
    "UIDREF": "UID",
    "COMPOSITE / IMAGE / WAVEFORM": "ReferencedSOPSequence",
    "SCOORD / SCOORD3D": "GraphicData GraphicType PixelOriginInterpretation FiducialUID",
    "SCOORD3D": "ReferencedFrameOfReferenceUID",
    "TCOORD": "TemporalRangeType ReferencedSamplePositions ReferencedTimeOffsets ReferencedDateTime",
    "TABLE": "TabulatedValuesSequence",
}
NAMED_VALUE_TYPES = "TEXT / NUM / CODE / DATETIME / DATE / TIME / UIDREF / PNAME"
# Values that came after the edition of the values: keyword, a value of the lists that they belong to, the new ones.
LATER_VALUES = (
    ("SegmentationType", "FRACTIONAL", ("LABELMAP",)),
    ("ValueType", "TCOORD", ("TABLE",)),
)
# Conditions that a later edition changed: IOD, sequence of a functional group, condition.
LATER_CONDITIONS = {
    ("segmentation", "0062000A"): Rule("DimensionOrganizationType != TILED_FULL and SegmentationType != LABELMAP", ""),
}
# Sections of PS3.3 that give the values of one attribute: section, list of that section (from 0), module, keyword.
SECTION_VALUES = """
C.7.6.1.1.2     0 general-image ImageType 1
C.7.6.1.1.2     1 general-image ImageType 2
C.8.2.1.1.1     0 ct-image ImageType
C.8.2.1.1.3     0 ct-image PhotometricInterpretation
C.8.2.1.1.4     0 ct-image BitsAllocated
C.8.2.1.1.5     0 ct-image BitsStored
C.8.3.1.1.1     0 mr-image ImageType
C.8.3.1.1.2     0 mr-image SamplesPerPixel
C.8.3.1.1.3     0 mr-image PhotometricInterpretation
C.8.3.1.1.4     0 mr-image BitsAllocated
C.8.4.9.1.1     0 nm-image ImageType
C.8.4.9.1.1     1 nm-image ImageType
C.8.5.6.1.1     0 us-image ImageType
C.8.5.6.1.2     0 us-image PhotometricInterpretation
C.8.5.6.1.3     0 us-image PixelRepresentation
C.8.6.1         0 sc-equipment ConversionType
C.8.7.1.1.1     0 x-ray-image ImageType 1
C.8.7.1.1.1     1 x-ray-image ImageType 2
C.8.7.1.1.1     2 x-ray-image ImageType 3
C.8.7.1.1.2     0 x-ray-image PixelIntensityRelationship
C.8.7.1.1.6     0 x-ray-image BitsAllocated
C.8.7.1.1.7     0 x-ray-image BitsStored
C.8.8.2.6.1     0 rt-image SamplesPerPixel
C.8.8.2.6.2     0 rt-image PhotometricInterpretation
C.8.8.2.6.3     0 rt-image BitsAllocated
C.8.8.2.6.4     0 rt-image BitsStored
C.8.8.2.6.4     1 rt-image BitsStored
C.8.8.3.4.1     0 rt-dose SamplesPerPixel
C.8.8.3.4.2     0 rt-dose PhotometricInterpretation
C.8.8.3.4.3     0 rt-dose BitsAllocated
C.8.8.3.4.6     0 rt-dose PixelRepresentation
C.8.8.3.4.6     1 rt-dose PixelRepresentation
C.8.9.1.1.3     0 pet-series Units
C.8.9.1.1.4     0 pet-series SeriesType
C.8.9.1.1.4     1 pet-series SeriesType
C.8.9.1.1.5     0 pet-series DecayCorrection
C.8.9.4.1.2     0 pet-image PhotometricInterpretation
C.8.12.1.1.1    0 vl-image PhotometricInterpretation
C.8.12.1.1.2    0 vl-image BitsAllocated
C.8.12.1.1.2    1 vl-image BitsStored
C.8.12.1.1.2    2 vl-image HighBit
C.8.12.1.1.3    0 vl-image PixelRepresentation
C.8.12.1.1.4    0 vl-image SamplesPerPixel
C.8.12.1.1.4    1 vl-image SamplesPerPixel
C.8.12.1.1.6    0 vl-image ImageType 1
C.8.12.1.1.6    1 vl-image ImageType 2
C.8.12.4.1.5    0 whole-slide-microscopy-image PhotometricInterpretation
C.7.3.1.1.1     0 general-series Modality
C.7.3.1.1.2     0 general-series PatientPosition
C.7.6.3.1.2     0 image-pixel PhotometricInterpretation
C.7.6.3.1.3     0 image-pixel PlanarConfiguration
C.7.6.1.1.5.1   0 general-image LossyImageCompressionMethod
C.11.2          0 voi-lut VOILUTFunction
C.11.1.1.2      0 modality-lut RescaleType
"""

# Values that the description of an attribute gives in prose.
PROSE_VALUES = (
    ("overlay-plane", "OverlayBitsAllocated", "1", ""),
    ("overlay-plane", "OverlayBitPosition", "0", ""),
    ("frame-of-reference", "PositionReferenceIndicator", "SLIDE_CORNER", f"SOPClassUID = {uids('77.1.3 77.1.6')}"),
)

# What may stand instead of palette data, according to the module of the palette (PS3.3 C.7.9.2).
SEGMENTED = {
    "00281201": "SegmentedRedPaletteColorLookupTableData",
    "00281202": "SegmentedGreenPaletteColorLookupTableData",
    "00281203": "SegmentedBluePaletteColorLookupTableData",
}

# The tables of PS3.5 8.2 that say which pixels a compression holds; RLE's table does not name its transfer syntax.
COMPRESSED_TABLES = ("8.2.1-1", "8.2.1-2", "8.2.2-1", "8.2.3-1", "8.2.4-1", "8.2.14-1", "8.2.15-1")
RLE = "1.2.840.10008.1.2.5"
# What its sections 8.2.5 to 8.2.11 say of video in prose: the last parts of UIDs, section, photometric interpretation,
# bits allocated, bits stored.
VIDEO = """
100 100.1                   8.2.5  YBR_PARTIAL_420              8  8
101 101.1                   8.2.6  YBR_PARTIAL_420/MONOCHROME2  8  8
102 102.1 103 103.1         8.2.7  YBR_PARTIAL_420              8  8
104 104.1 105 105.1 106 106.1  8.2.8  YBR_PARTIAL_420           8  8
107                         8.2.10 YBR_PARTIAL_420              8  8
108                         8.2.11 YBR_PARTIAL_420              16 10
"""

ABOUT = """\
# Tables of IODs and modules

Written by `tools/make_module_tables.py`; do not edit by hand. NEMA holds the copyright in the standard; these are facts
taken from it by way of the sources named here.

| File | Rows | Edition | Origin (licence) |
| --- | --- | --- | --- |
| iods.tsv | {iods} composite IODs and the basic directory, {uses} uses of modules | PS3.3 2026b | {highdicom} |
| iods.tsv | {macros} uses of functional groups | PS3.3 2024e | {innolitics} |
| modules.tsv | {modules} modules, {attributes} attributes in {groups} groups | PS3.3 2026b | {highdicom} |
| conditions.tsv | {conditions} conditions | PS3.3 2020 (of attributes), 2024e (of modules) | {constraints} |
| values.tsv | {values} lists of values | PS3.3 2020 | {constraints} |
| compressed_pixels.tsv | {compressed} combinations | PS3.5 2026c | {cosyte} |

{notes}
"""
NOTES = """
modules.tsv: blocks separated by an empty line. The first line of a block names a module (id, name) or a group of
attributes that occurs in items of sequences (`#` and a number), the others are its attributes: tag, type, the group
of its items, the line of its condition in conditions.tsv, the lines of its values in values.tsv. A group that
occurs in many places stands once, and may contain itself (content items).

conditions.tsv: when an attribute or module is needed, and when else it is allowed (`*` always, nothing: only when
needed), in the language of `dicomkit/standard/conditions.py`, translated by `tools/condition_sentences.py`. `?`
means that the condition is not expressed: of {sentences} sentences about attributes {understood} are, and of
{module_sentences} about modules and functional groups {module_understood}. {unexpressed:,} of {conditional:,}
conditional attributes in the groups have none.

values.tsv: E for Enumerated Values, D for Defined Terms; the number of the value that they are for (0 for all); a
condition; the values. Numbers are decimal, tags have eight digits.

iods.tsv: blocks. The first line has the id, the name and the UIDs of the SOP classes; then come modules (id, usage,
condition) and, after `+`, functional groups (sequence, usage, condition). Attributes of functional groups are in
the module `<iod>-multi-frame-functional-groups`. The conditions and values are older than the types: an attribute
that is new since, or whose macro is included in more places than the source lists, has those of the same attribute
elsewhere where they are the same everywhere. Values that came later are added by the generator.

compressed_pixels.tsv: what Pixel Data of a transfer syntax may hold (PS3.5 8.2): the section, photometric
interpretation, samples per pixel, planar configuration (empty: absent), and ranges or lists of pixel
representation, bits allocated and bits stored.
"""


# Kind, number of the value, condition, values.
Values: TypeAlias = tuple[str, str, str, tuple[str, ...]]


class Constraint(NamedTuple):
    """What the older edition says about an attribute at some paths."""

    tag: str
    type: str
    rule: Rule | None
    values: tuple[Values, ...]
    paths: frozenset[str]
    many: int


class Row(NamedTuple):
    """One attribute of a group."""

    tag: str
    type: str
    items: int | None
    rule: Rule | None
    values: tuple[str, ...]


def value_text(value: str, vr: str) -> str | None:
    """Write one value as the table has it; None where it is no value but a description."""
    value = value.strip()
    number = re.fullmatch(r"([0-9A-F]+)H", value)
    if vr == "AT":
        return number[1] if number else value
    if vr in ("US", "SS", "UL", "SL", "US|SS", "IS"):
        return str(int(number[1], 16)) if number else str(int(value)) if value.isdigit() else None
    return value if re.fullmatch(r"[A-Z0-9][A-Z0-9_. -]*", value) or value == "Y" else None


def values_of(terms: Iterable[Any], vr: str) -> Iterator[Values]:
    """Read lists of values: kind, number of the value, condition, values."""
    for kind, qualifier, pairs in terms:
        found = [value_text(term, vr) for term, _ in pairs]
        if not found or None in found or any(" OR " in str(term) for term in found):
            continue
        qualifier = re.sub(r"^(?:for|of) [A-Z][\w ]+ \([0-9A-F]{4},[0-9A-F]{4}\) ?", "", qualifier.strip(" .)"))
        number = re.match(r"for Value (\d)", qualifier)
        condition = re.match(r"(?:if|when) (.*)", qualifier)
        need = expression(marked(condition[1].replace(" not ", " is not ").replace("is is", "is"))) if condition else ""
        if need is None or (qualifier.startswith("for") and not number):
            continue
        yield kind[0], number[1] if number else "0", need, tuple(term for term in found if term)


class Constraints:
    """Conditions and values of the older edition, to be found by module and path."""

    def __init__(self, rows: list[dict[str, Any]], macros: dict[str, list[list[str]]]) -> None:
        self.exact: dict[str, list[Constraint]] = defaultdict(list)
        self.by_tag: dict[str, list[Constraint]] = defaultdict(list)
        self.sentences: dict[str, Rule] = {}
        self.modules = {path.split(":")[1] for row in rows for path in row["paths"] if path.startswith("module:")}
        self.macros = {name: {path.upper() for path, _ in paths} for name, paths in macros.items()}
        for row in rows:
            rule = rule_of(row["condition"]) if row["condition"] else None
            if rule:
                self.sentences[row["condition"]] = rule
            paths = frozenset(path.upper().replace(":60XX", ":6000") for path in row["paths"])
            tag = row["tag"].upper().replace("60XX", "6000")
            vr = vr_of(int(tag, 16)) or ""
            found = Constraint(tag, row["type"], rule, tuple(values_of(row["terms"], vr)), paths, row["n_paths"])
            for path in paths:
                self.exact[path].append(found)
            self.by_tag[tag].append(found)

    def find(self, module: str, path: tuple[str, ...], kind: str, macros: tuple[str, ...]) -> tuple[Rule | None, Any]:
        """Give the condition and the values of an attribute at a path of a module."""
        found = self.exact.get(":".join(("MODULE", module.upper(), *path)))
        conditional = kind.endswith("C")
        known = module in self.modules
        if found is None and path[0] in (SHARED, PER_FRAME) and len(path) > 1:
            places = [":".join(("MACRO", macro.upper(), *path[1:])) for macro in macros]
            found = next((self.exact[place] for place in places if place in self.exact), None)
            known = any(":".join(path[1:]) in self.macros.get(macro, ()) for macro in macros)
        if found is None:
            found = self._elsewhere(path, kind, known=known)
        rules = [one.rule for one in found if one.rule]
        values = tuple(dict.fromkeys(value for one in found for value in one.values))
        return (rules[0] if rules else UNKNOWN) if conditional else None, values

    def _elsewhere(self, path: tuple[str, ...], kind: str, *, known: bool) -> list[Constraint]:
        """Find what is said of the attribute at other places, where that is the same at all of them.

        Of a module or macro that the source knows it says all, but for what a macro brings to more than 12 places.
        """
        candidates = [one for one in self.by_tag.get(path[-1], ()) if one.type == kind]
        spread = [one for one in candidates if one.many >= 40 or (one.many > 12 and self._same_parent(one, path))]
        if len({(one.rule, one.values) for one in spread}) == 1:
            return spread[:1]
        if len(path) > 1:
            candidates = [one for one in candidates if self._same_parent(one, path)]
        if known and not (kind.endswith("C") and len(path) > 1):
            return []
        # A module that is new may have taken over what another said; in one that is known, one place is no proof.
        agreed = len({(one.rule, one.values) for one in candidates}) == 1
        if agreed and (not known or sum(one.many for one in candidates) > 1):
            return candidates[:1]
        return []

    @staticmethod
    def _same_parent(one: Constraint, path: tuple[str, ...]) -> bool:
        """Whether a listed path has the same sequence around, or both have none."""
        places = [listed.split(":")[2:] for listed in one.paths]
        return any(place[-2:-1] == list(path[-2:-1]) for place in places)


class Tables:
    """The tables in the making: groups, conditions and values are numbered in the order in which they are met."""

    def __init__(self, folder: Path) -> None:
        def load(name: str) -> Any:
            return json.loads((folder / name).read_text(encoding="utf-8"))

        self.iods, self.modules = load("iods.json"), load("modules.json")
        self.macros = load("macros_2020.json")
        self.constraints = Constraints(load("attribute_constraints_2020.json"), self.macros)
        self.sections = section_values(load("section_terms_2020.json"))
        self.groups: dict[tuple[Row, ...], int] = {}
        self.rules: dict[Rule, int] = {UNKNOWN: 0}
        self.values: dict[str, int] = {}
        self.module_sentences: dict[str, Rule] = {}
        self.conditional: Counter[bool] = Counter()

    def group(
        self, attributes: dict[str, Any], module: str, path: tuple[str, ...], macros: tuple[str, ...]
    ) -> list[Row]:
        """Make the rows of one level."""
        rows = [
            self.row(f"{tag_of(keyword):08X}", use, module, path, macros)
            for keyword, use in attributes.items()
            if tag_of(keyword)
        ]
        if {VALUE_TYPE, RELATIONSHIP_TYPE} <= {row.tag for row in rows} or (
            module == "sr-document-content" and not path
        ):
            rows = [content_item(row) for row in rows]
        return sorted(rows)

    def row(self, tag: str, use: list[Any], module: str, path: tuple[str, ...], macros: tuple[str, ...]) -> Row:
        """Make the row of one attribute."""
        place = (*path, tag)
        kind = use[0]
        rule, values = self.constraints.find(module, place, kind, macros)
        if rule and tag in SEGMENTED and "PALETTE COLOR" in rule.need:
            rule = Rule(f"( {rule.need} ) and no {SEGMENTED[tag]}", rule.allow)
        values = joined((*values, *self.sections.get((module, place), ())))
        lines = tuple(
            "\t".join((letter, number, need, " / ".join((*terms, *later_values(tag, terms)))))
            for letter, number, need, terms in values
        )
        items = None
        if len(use) > 1:
            inner = self.group(use[1], module, place, macros)
            recursive = tag == CONTENT_SEQUENCE and RELATIONSHIP_TYPE in {row.tag for row in inner}
            if recursive:
                inner = sorted((*inner, Row(CONTENT_SEQUENCE, "1C", -1, UNKNOWN, ())))
            items = self.groups.setdefault(tuple(inner), len(self.groups) + 1)
        return Row(tag, kind, items, rule, lines)

    def line(self, row: Row, group: int) -> str:
        """Write a row."""
        items = "" if row.items is None else str(group if row.items == -1 else row.items)
        rule = "" if row.rule is None else str(self.rules.setdefault(row.rule, len(self.rules)))
        values = ",".join(str(self.values.setdefault(value, len(self.values))) for value in row.values)
        if row.type.endswith("C"):
            self.conditional[row.rule is None or row.rule.need == "?"] += 1
        return "\t".join((row.tag, row.type, items, rule, values))

    def module_lines(self) -> list[str]:
        """Write all modules and groups."""
        named: list[tuple[str, list[Row]]] = []
        macros = {
            use["module"]: tuple(group["macro"] for group in iod["functional_groups"])
            for iod in self.iods.values()
            for use in iod["modules"]
            if use["module"].endswith("multi-frame-functional-groups")
        }
        for name in sorted({use["module"] for iod in self.iods.values() for use in iod["modules"]} & set(self.modules)):
            module = self.modules[name]
            named.append(
                (f"{name}\t{module['name']}", self.group(module["attributes"], name, (), macros.get(name, ())))
            )
        lines: list[str] = []
        for head, rows in named:
            lines += ["", head, *(self.line(row, 0) for row in rows)]
        for rows_of_group, number in self.groups.items():
            lines += ["", f"#{number}", *(self.line(row, number) for row in rows_of_group)]
        return lines[1:]

    def rule(self, sentence: str | None) -> str:
        """Number the condition of a module or functional group."""
        if not sentence:
            return "0"
        rule = rule_of(sentence)
        self.module_sentences[sentence] = rule
        return str(self.rules.setdefault(rule, len(self.rules)))

    def iod_lines(self) -> list[str]:
        """Write all IODs."""
        lines: list[str] = []
        for name, iod in self.iods.items():
            lines += ["", "\t".join((name, iod["name"], " ".join(iod["sop_classes"])))]
            for use in iod["modules"]:
                if use["module"] in self.modules:
                    condition = self.rule(use["condition"]) if use["usage"] == "C" else ""
                    lines.append("\t".join((use["module"], use["usage"], condition)))
            for use in iod["functional_groups"]:
                sequence = self.sequence(use["macro"])
                condition = self.rule(use["condition"]) if use["usage"] == "C" else ""
                if later := LATER_CONDITIONS.get((name, sequence)):
                    condition = str(self.rules.setdefault(later, len(self.rules)))
                lines.append("\t".join((f"+{sequence}", use["usage"], condition)))
        return lines[1:]

    def sequence(self, macro: str) -> str:
        """Give the tag of the sequence that a functional group macro fills."""
        if macro in MACRO_SEQUENCES:
            return f"{tag_of(MACRO_SEQUENCES[macro]):08X}"
        (first,) = {path.split(":")[0] for path, _ in self.macros[macro]}
        return str(first).upper()


def later_values(tag: str, terms: tuple[str, ...]) -> tuple[str, ...]:
    """Give the values that came later into a list."""
    found = [more for keyword, old, more in LATER_VALUES if f"{tag_of(keyword):08X}" == tag and old in terms]
    return found[0] if found else ()


def joined(values: tuple[Values, ...]) -> tuple[Values, ...]:
    """Make one list of several for all values: the source has lost which value each is for."""
    plain = [one for one in values if one[1:3] == ("0", "")]
    if len(plain) < 2:
        return values
    rest = tuple(one for one in values if one not in plain)
    if any(one[1] != "0" for one in rest):
        return rest
    terms = tuple(dict.fromkeys(term for one in plain for term in one[3]))
    return (("E" if {one[0] for one in plain} == {"E"} else "D", "0", "", terms), *rest)


def content_item(row: Row) -> Row:
    """Make what a macro brings into a content item depend on the value type, which the source does not say."""
    for types, keywords in CONTENT_MACROS.items():
        if row.tag in {f"{tag_of(keyword):08X}" for keyword in keywords.split()}:
            need = f"ValueType = {types}"
            if row.rule is None:
                return row._replace(type=row.type[0] + "C", rule=Rule(need, "*")) if row.type in ("1", "2") else row
            if row.rule.need != "?":
                inner = f"( {row.rule.need} )" if " or " in row.rule.need else row.rule.need
                return row._replace(rule=Rule(f"{need} and {inner}", row.rule.allow and need))
            return row
    if row.tag == VALUE_TYPE:
        return row._replace(type="1C", rule=Rule("no ReferencedContentItemIdentifier", "*"))
    if row.tag == "0040A043":
        return row._replace(rule=Rule(f"ValueType = {NAMED_VALUE_TYPES}", "*"))
    return row


def section_values(sections: dict[str, Any]) -> dict[tuple[str, tuple[str, ...]], list[Any]]:
    """Find the values that sections of prose give, by module and path."""
    found: dict[tuple[str, tuple[str, ...]], list[Any]] = defaultdict(list)
    for line in SECTION_VALUES.strip().splitlines():
        section, position, module, keyword, *number = line.split()
        tag = tag_of(keyword)
        if tag is None:
            continue
        terms = [sections[f"sect_{section}"]["terms"][int(position)]]
        for kind, of_value, need, values in values_of(terms, vr_of(tag) or ""):
            found[module, (f"{tag:08X}",)].append((kind, number[0] if number else of_value, need, values))
    for module, keyword, value, condition in PROSE_VALUES:
        found[module, (f"{tag_of(keyword):08X}",)].append(("E", "0", condition, (value,)))
    return found


def compressed_rows(tables: list[dict[str, Any]]) -> list[str]:
    """Write which pixels each compression holds."""
    rows = []
    for found in tables:
        if found["label"] in COMPRESSED_TABLES:
            for cells in found["rows"]:
                photometric, *rest = cells if found["label"] == "8.2.2-1" else (cells[0], *cells[2:])
                uid, rest = (RLE, rest) if found["label"] == "8.2.2-1" else (rest[0], rest[1:])
                samples, planar, representation, allocated, stored, _ = (numbers(cell) for cell in rest)
                for name in photometric.split("\n"):
                    row = (uid, found["section"], name, samples, planar, representation, allocated, stored)
                    rows.append("\t".join(row))
    for line in VIDEO.strip().splitlines():
        *endings, section, photometric, allocated, stored = line.split()
        for ending in endings:
            for name in photometric.split("/"):
                uid = f"1.2.840.10008.1.2.4.{ending}"
                rows.append("\t".join((uid, section, name, "3", "0", "0", allocated, stored)))
    return rows


def numbers(cell: str) -> str:
    """Write a list of numbers: "8, 16 or 24" as "8,16,24", "1-16" as it is, "absent" as nothing."""
    return "" if cell == "absent" else ",".join(re.findall(r"\d+(?:-\d+)?", cell))


def make_tables(folder: Path) -> dict[str, str]:
    """Make the text of every file, by file name."""
    tables = Tables(folder)
    modules, iods = tables.module_lines(), tables.iod_lines()
    compressed = compressed_rows(json.loads((folder / "ps3.05_tables_2026c.json").read_text(encoding="utf-8")))
    sentences, of_modules = tables.constraints.sentences, tables.module_sentences
    facts = {
        "iods": len(tables.iods) - 1,
        "uses": f"{sum('+' not in line and chr(9) in line for line in iods) - len(tables.iods):,}",
        "macros": sum(line.startswith("+") for line in iods),
        "modules": sum(not line.startswith("#") and line.count("\t") == 1 for line in modules),
        "attributes": f"{sum(line.count(chr(9)) == 4 for line in modules):,}",
        "groups": len(tables.groups),
        "conditions": len(tables.rules),
        "values": len(tables.values),
        "sentences": f"{len(sentences):,}",
        "understood": sum(rule.need != "?" for rule in sentences.values()),
        "module_sentences": len(of_modules),
        "module_understood": sum(rule.need != "?" for rule in of_modules.values()),
        "unexpressed": tables.conditional[True],
        "conditional": tables.conditional.total(),
        "compressed": len(compressed),
        "cosyte": PART5.partition(", ")[2],
        "highdicom": HIGHDICOM.partition(": ")[2],
        "innolitics": INNOLITICS.partition(": ")[2],
        "constraints": CONSTRAINTS.partition(": ")[2],
    }
    notes = "\n\n".join(textwrap.fill(note, 120) for note in NOTES.format(**facts).strip().split("\n\n"))
    origin = f"PS3.3 2026b, {HIGHDICOM}; {INNOLITICS}."
    older = f"PS3.3 2020, {CONSTRAINTS}; 2024e, {INNOLITICS}."
    return {
        "README_modules.md": ABOUT.format(notes=notes, **facts),
        "iods.tsv": table("id name sop_classes", origin, iods),
        "modules.tsv": table("tag type items condition values", origin, modules),
        "conditions.tsv": table("need allow", older, ["\t".join(rule) for rule in tables.rules]),
        "compressed_pixels.tsv": table(
            "transfer_syntax section photometric samples planar representation allocated stored",
            f"{PART5}.",
            compressed,
        ),
        "values.tsv": table("kind value condition values", older, list(tables.values)),
    }


def main() -> None:
    """Write the tables."""
    folder = Path(sys.argv[1])
    output = Path(sys.argv[2]) if len(sys.argv) > 2 else OUTPUT
    output.mkdir(parents=True, exist_ok=True)
    for name, text in make_tables(folder).items():
        (output / name).write_text(text, encoding="utf-8", newline="\n")
        print(f"{output / name}: {len(text):,} characters")


if __name__ == "__main__":
    main()
