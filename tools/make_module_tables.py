"""Make the tables of IODs, modules, conditions, values and compressed pixels in dicomkit/standard/data.

Usage: python -m tools.make_module_tables FOLDER [OUTPUT]

FOLDER holds tables extracted from the standard: iods.json, modules.json, attribute_constraints_2020.json,
section_terms_2020.json, macros_2020.json, gdcm_part3_2008.xml, ps3.05_tables_2026c.json and
ps3.04_service_attributes_2013.csv. Modules and types are those of one edition, conditions and values those of an older
one; where they meet is decided in `Constraints`. A test makes the tables again and compares.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from dicomkit.standard.attributes import tag_of
from tools.compressed_tables import compressed_rows
from tools.condition_sentences import UNKNOWN, Rule, rule_of
from tools.make_standard_tables import OUTPUT, table
from tools.module_constraints import Constraints, joined, later_values, section_values
from tools.service_modules import EDITION, SERVICES, Needed, ServiceTables
from tools.single_items import single_items

HIGHDICOM = "modules, usage and types: highdicom 0.28.2 (MIT), made from NEMA's part03.xml"
INNOLITICS = "names and conditions of modules: innolitics/dicom-standard 2024e (MIT)"
CONSTRAINTS = "conditions and values of attributes: dicom-standard 0.1.0 for Python (MIT)"
PART5 = "PS3.5 2026c, tables of cosyte/dicom on GitHub (MIT), made from NEMA's part05.xml; video: its text"
PS3_4 = "michal-josef-spacek/dicom-standard on GitHub (facts only), from NEMA's part04.xml"
SERVICE_ORIGIN = f"Normalized IODs: types PS3.4 2013, {PS3_4}."
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
# Attributes whose description says that their type overrides that of another module of the IOD.
OVERRIDES = {
    ("sc-equipment", "Modality"),
    ("encapsulated-document-series", "Modality"),
    ("sc-multi-frame-image", "FrameIncrementPointer"),
}
# Conditions that a later edition changed: IOD, sequence of a functional group, condition.
LATER_CONDITIONS = {
    ("segmentation", "0062000A"): Rule("DimensionOrganizationType != TILED_FULL and SegmentationType != LABELMAP", ""),
}
# What may stand instead of palette data, according to the module of the palette (PS3.3 C.7.9.2).
SEGMENTED = {
    "00281201": "SegmentedRedPaletteColorLookupTableData",
    "00281202": "SegmentedGreenPaletteColorLookupTableData",
    "00281203": "SegmentedBluePaletteColorLookupTableData",
}

ABOUT = """\
# Tables of IODs and modules

Written by `tools/make_module_tables.py`; do not edit by hand. NEMA holds the copyright in the standard; these are facts
taken from it by way of the sources named here.

| File | Rows | Edition | Origin (licence) |
| --- | --- | --- | --- |
| iods.tsv | {iods} composite IODs and the basic directory, {uses} uses of modules | PS3.3 2026b | {highdicom} |
| iods.tsv | {macros} uses of functional groups | PS3.3 2024e | {innolitics} |
| iods.tsv | {services} normalized IODs: modules of PS3.3 2026b, types of PS3.4 | PS3.4 2013 | {service_origin} |
| modules.tsv | {modules} modules, {attributes} attributes in {groups} groups | PS3.3 2026b | {highdicom} |
| conditions.tsv | {conditions} conditions | PS3.3 2020 (of attributes), 2024e (of modules) | {constraints} |
| values.tsv | {values} lists of values | PS3.3 2020 | {constraints} |
| compressed_pixels.tsv | {compressed} combinations | PS3.5 2026c | {cosyte} |
| single_items.tsv | {singles} sequences | PS3.3 2008 | Part3.xml of GDCM (BSD) |

{notes}
"""
NOTES = """
modules.tsv: blocks separated by an empty line. The first line of a block names a module (id, name) or a group of
attributes that occurs in items of sequences (`#` and a number), the others are its attributes: tag, type, the group
of its items, the line of its condition in conditions.tsv, the lines of its values in values.tsv. A group that
occurs in many places stands once, and may contain itself (content items). `!` after a type says that it overrides
that of other modules.

conditions.tsv: when an attribute or module is needed, and when else it is allowed (`*` always, nothing: only when
needed), in the language of `dicomkit/standard/conditions.py`, translated by `tools/condition_sentences.py`. `?`
means that the condition is not expressed: of {sentences} sentences about attributes {understood} are, and of
{module_sentences} about modules and functional groups {module_understood}. {unexpressed:,} of {conditional:,}
conditional attributes in the groups have none. Where the source has lost when an attribute is allowed otherwise, that
is from PS3.3 2008, Part3.xml of GDCM (BSD).

values.tsv: E for Enumerated Values, D for Defined Terms; the number of the value that they are for (0 for all); a
condition; the values. Numbers are decimal, tags have eight digits.

iods.tsv: blocks. The first line has the id, the name and the UIDs of the SOP classes; then come modules (id, usage,
condition) and, after `+`, functional groups (sequence, usage, condition). Attributes of functional groups are in
the module `<iod>-multi-frame-functional-groups`. The conditions and values are older than the types: an attribute
that is new since, or whose macro is included in more places than the source lists, has those of the same attribute
elsewhere where they are the same everywhere. Values that came later are added by the generator.

Normalized IODs (procedure steps, storage commitment, print ...) have their edition as the fourth cell of the first
line. PS3.3 gives their modules without types; what PS3.4 asks of a service user in N-CREATE, N-SET or N-ACTION (of the
provider for printers and print jobs) is in the module `<iod>-service`, and what holds for a performed procedure step
that is COMPLETED or DISCONTINUED in `<iod>-final`.

compressed_pixels.tsv: what Pixel Data of a transfer syntax may hold (PS3.5 8.2): the section, photometric
interpretation, samples per pixel, planar configuration (empty: absent), and ranges or lists of pixel
representation, bits allocated and bits stored.

single_items.tsv: sequences of which every module and macro that has them says that they hold one item. The text is
that of 2008; those that were allowed to have more since are left out by `tools/single_items.py`.
"""


class Row(NamedTuple):
    """One attribute of a group."""

    tag: str
    type: str
    items: int | None
    rule: Rule | None
    values: tuple[str, ...]


class Tables:
    """The tables in the making: groups, conditions and values are numbered in the order in which they are met."""

    def __init__(self, folder: Path) -> None:
        def load(name: str) -> Any:
            return json.loads((folder / name).read_text(encoding="utf-8"))

        self.iods, self.modules = load("iods.json"), load("modules.json")
        self.macros = load("macros_2020.json")
        part3 = (folder / "gdcm_part3_2008.xml").read_text(encoding="utf-8")
        self.constraints = Constraints(load("attribute_constraints_2020.json"), self.macros, part3)
        self.sections = section_values(load("section_terms_2020.json"))
        self.groups: dict[tuple[Row, ...], int] = {}
        self.rules: dict[Rule, int] = {UNKNOWN: 0}
        self.values: dict[str, int] = {}
        self.module_sentences: dict[str, Rule] = {}
        self.conditional: Counter[bool] = Counter()
        self.services = ServiceTables(folder)

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
        overrides = any(module == name and path == () and tag == f"{tag_of(word):08X}" for name, word in OVERRIDES)
        return Row(tag, f"{kind}!" if overrides else kind, items, rule, lines)

    def line(self, row: Row, group: int) -> str:
        """Write a row."""
        items = "" if row.items is None else str(group if row.items == -1 else row.items)
        rule = "" if row.rule is None else str(self.rules.setdefault(row.rule, len(self.rules)))
        values = ",".join(str(self.values.setdefault(value, len(self.values))) for value in row.values)
        if "C" in row.type:
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
        composite = {use["module"] for iod in self.iods.values() for use in iod["modules"]} & set(self.modules)
        normalized = {name for service in SERVICES for name in service.modules.split()} & set(self.modules) - composite
        for name in (*sorted(composite), *sorted(normalized)):
            module = self.modules[name]
            named.append(
                (f"{name}\t{module['name']}", self.group(module["attributes"], name, (), macros.get(name, ())))
            )
        for service in SERVICES:
            named.append((f"{service.id}-service\t{service.name} (PS3.4)", self.needed(self.services.needed(service))))
            if final := self.services.final(service)[1]:
                named.append((f"{service.id}-final\t{service.name}, final state (PS3.4)", self.needed(final)))
        lines: list[str] = []
        for head, rows in named:
            lines += ["", head, *(self.line(row, 0) for row in rows)]
        for rows_of_group, number in self.groups.items():
            lines += ["", f"#{number}", *(self.line(row, number) for row in rows_of_group)]
        return lines[1:]

    def needed(self, rows: list[Needed]) -> list[Row]:
        """Make the rows of what PS3.4 asks for at one level."""
        made = []
        for row in rows:
            inner = tuple(self.needed(row.items))
            items = self.groups.setdefault(inner, len(self.groups) + 1) if inner else None
            made.append(Row(row.tag, row.type, items, row.rule if row.type.endswith("C") else None, ()))
        return sorted(made)

    def service_lines(self) -> list[str]:
        """Write the normalized IODs: the modules of PS3.3, and what PS3.4 asks of their attributes."""
        lines: list[str] = []
        for service in SERVICES:
            lines += ["", "\t".join((service.id, service.name, service.sop_class, EDITION))]
            lines += [f"{name}\tM\t" for name in service.modules.split() if name in self.modules]
            lines.append(f"{service.id}-service\tM\t")
            need, final = self.services.final(service)
            if final:
                rule = Rule(need, "")
                lines.append(f"{service.id}-final\tC\t{self.rules.setdefault(rule, len(self.rules))}")
        return lines

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


def content_item(row: Row) -> Row:
    """Make what a macro brings into a content item depend on the value type, which the source does not say."""
    for types, keywords in CONTENT_MACROS.items():
        if row.tag in {f"{tag_of(keyword):08X}" for keyword in keywords.split()}:
            need = f"ValueType = {types}"
            if row.rule is None:
                return row._replace(type=row.type[0] + "C", rule=Rule(need, "*")) if row.type in ("1", "2") else row
            if row.rule.need != "?" and "ValueType" not in row.rule.need:
                inner = f"( {row.rule.need} )" if " or " in row.rule.need else row.rule.need
                return row._replace(rule=Rule(f"{need} and {inner}", row.rule.allow and need))
            return row
    if row.tag == VALUE_TYPE:
        return row._replace(type="1C", rule=Rule("no ReferencedContentItemIdentifier", "*"))
    if row.tag == "0040A043":
        return row._replace(rule=Rule(f"ValueType = {NAMED_VALUE_TYPES}", "*"))
    return row


def make_tables(folder: Path) -> dict[str, str]:
    """Make the text of every file, by file name."""
    tables = Tables(folder)
    modules, iods = tables.module_lines(), tables.iod_lines()
    services, singles = tables.service_lines(), single_items(folder)
    compressed = compressed_rows(json.loads((folder / "ps3.05_tables_2026c.json").read_text(encoding="utf-8")))
    sentences, of_modules = tables.constraints.sentences, tables.module_sentences
    facts = {
        "iods": len(tables.iods) - 1,
        "services": len(SERVICES),
        "service_origin": PS3_4,
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
        "singles": len(singles),
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
        "iods.tsv": table("id name sop_classes edition", f"{origin} {SERVICE_ORIGIN}", [*iods, *services]),
        "modules.tsv": table("tag type items condition values", origin, modules),
        "conditions.tsv": table(
            "need allow", f"{older[:-1]}; 2008: GDCM (BSD).", ["\t".join(rule) for rule in tables.rules]
        ),
        "compressed_pixels.tsv": table(
            "transfer_syntax section photometric samples planar representation allocated stored",
            f"{PART5}.",
            compressed,
        ),
        "values.tsv": table("kind value condition values", older, list(tables.values)),
        "single_items.tsv": table("tag keyword", "PS3.3 2008, Part3.xml of GDCM (BSD).", singles),
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
