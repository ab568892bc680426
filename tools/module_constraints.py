"""What the older edition says of attributes, conditions and values, found by the modules and paths of the newer one."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

from dicomkit.standard.attributes import tag_of, vr_of
from tools.condition_sentences import UNKNOWN, Rule, expression, marked, rule_of, uids

SHARED, PER_FRAME = "52009229", "52009230"

# Values that came after the edition of the values: keyword, a value of the lists that they belong to, the new ones.
LATER_VALUES = (
    ("SegmentationType", "FRACTIONAL", ("LABELMAP",)),
    ("ValueType", "TCOORD", ("TABLE",)),
)
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


_DESCRIPTION = re.compile(
    r'<entry group="(\w{4})" element="(\w{4})"[^>]*>\s*<description>(.*?)</description>', re.DOTALL
)
_OTHERWISE = re.compile(
    r"(Required if (?:(?!Required if).)*?)\. (?:Otherwise may be|May also be) present (?:otherwise|if (.*?))(?:\.|$)"
)
_OPEN_TAG = re.compile(r"(\(\w{4},\w{4})(?= )")


def allowed_otherwise(part3: str) -> dict[tuple[str, str], str]:
    """Find "Otherwise may be present if ..." in the still older edition of GDCM: the source of conditions lacks it.

    Parameters
    ----------
    part3
        The text of its Part3.xml.

    Returns
    -------
    dict
        Conditions by tag and need.

    Examples
    --------
    >>> text = "Required if Tagging (0018,9028) is GRID. Otherwise may be present if Frame Type (0008,9007) is DERIVED."
    >>> allowed_otherwise(f'<entry group="0018" element="9218"><description>{text}</description></entry>')
    {('00189218', 'Tagging = GRID'): 'FrameType = DERIVED'}
    """
    found = {}
    for group, element, description in _DESCRIPTION.findall(part3):
        if sentences := _OTHERWISE.search(_OPEN_TAG.sub(r"\1)", " ".join(description.split()))):
            rule = rule_of(sentences[1])
            allow = expression(marked(sentences[2])) if sentences[2] else "*"
            if rule != UNKNOWN and allow:
                found[f"{group}{element}".upper(), rule.need] = allow
    return found


class Constraints:
    """Conditions and values of the older edition, to be found by module and path."""

    def __init__(self, rows: list[dict[str, Any]], macros: dict[str, list[list[str]]], part3: str) -> None:
        self.exact: dict[str, list[Constraint]] = defaultdict(list)
        self.by_tag: dict[str, list[Constraint]] = defaultdict(list)
        self.sentences: dict[str, Rule] = {}
        self.modules = {path.split(":")[1] for row in rows for path in row["paths"] if path.startswith("module:")}
        self.macros = {name: {path.upper() for path, _ in paths} for name, paths in macros.items()}
        otherwise = allowed_otherwise(part3)
        for row in rows:
            tag = row["tag"].upper().replace("60XX", "6000")
            rule = rule_of(row["condition"]) if row["condition"] else None
            if rule:
                rule = rule._replace(allow=rule.allow or otherwise.get((tag, rule.need), ""))
                self.sentences[row["condition"]] = rule
            paths = frozenset(path.upper().replace(":60XX", ":6000") for path in row["paths"])
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
