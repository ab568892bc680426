"""The defined terms of Specific Character Set (PS3.3 C.12.1.1.2), and what people write in their place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import MappingProxyType

from dicomkit.values.coded_sets import HIGH_SETS, LOW_SETS

STAND_ALONE = MappingProxyType({"ISO_IR 192": "utf-8", "GB18030": "gb18030", "GBK": "gbk"})
"""The terms that allow no code extension, and the Python codec of each."""

_TERM = re.compile(r"ISO[ _-]?(?P<extension>2022)?[ _-]*(?:IR)?[ _-]*(?P<number>\d+)")
_LOOSE_TERMS = MappingProxyType(
    {
        "UTF8": "ISO_IR 192",
        "ISO10646": "ISO_IR 192",
        "GB18030": "GB18030",
        "GBK": "GBK",
        "ISO2022GBK": "GBK",
        "ISOIRGBK": "GBK",
        "ISOIRGB18030": "GB18030",
        "ISO2022GB18030": "GB18030",
        "GB2312": "ISO 2022 IR 58",
        "ASCII": "",
        "ISO646": "",
        "USASCII": "",
        "LATIN1": "ISO_IR 100",
    }
    | {
        f"ISO8859{part}": f"ISO_IR {number}"
        for part, number in zip(
            (1, 2, 3, 4, 5, 6, 7, 8, 9, 15), (100, 101, 109, 110, 144, 127, 126, 138, 148, 203), strict=True
        )
    }
)


def defined_terms(written: Sequence[str]) -> tuple[list[str], list[str]]:
    """Spell the terms as the standard does, and drop those that can't stand where they are.

    Returns
    -------
    tuple
        The terms (an empty one is the default repertoire), and what was wrong with those written.

    Examples
    --------
    >>> defined_terms(["iso-ir 100"])
    (['ISO_IR 100'], ["'iso-ir 100' is no defined term; read as 'ISO_IR 100'"])
    """
    problems: list[str] = []
    terms = [_defined_term(term, several=len(written) > 1, problems=problems) for term in written]
    terms = _without_repeats(terms, problems)
    if len(terms) == 1:
        terms = [_defined_term(terms[0], several=False, problems=[])]
    return terms, problems


def _without_repeats(terms: list[str], problems: list[str]) -> list[str]:
    alone = [term for term in terms if term in STAND_ALONE]
    if alone and len(terms) > 1:
        others = [term for term in terms if term not in STAND_ALONE]
        problems.append(f"{alone[0]!r} must be the only value")
        return alone[:1] if terms[0] == alone[0] or not any(others) else others
    unique = list(dict.fromkeys(terms))
    if len(unique) < len(terms):
        problems.append("a character set is named twice")
    return unique


def _defined_term(written: str, *, several: bool, problems: list[str]) -> str:
    squeezed = re.sub(r"[ _-]", "", written.upper())
    match = _TERM.fullmatch(written.upper())
    number = int(match["number"][:4]) if match else 0
    number = 13 if number == 14 else number
    if not written:
        term = ""
    elif squeezed in _LOOSE_TERMS:
        term = _LOOSE_TERMS[squeezed]
    elif number == 192:
        term = "ISO_IR 192"
    elif number in HIGH_SETS or number in LOW_SETS:
        term = f"ISO_IR {number}" if number != 6 else "ISO 2022 IR 6" if several else ""
    else:
        problems.append(f"{written[:32]!r} is an unknown character set; the default repertoire is assumed")
        return ""
    if term.startswith("ISO_IR") and term != "ISO_IR 192":
        number = int(term[7:])
        if several or (number != 13 and number in LOW_SETS) or (number != 13 and HIGH_SETS[number].wide):
            term = f"ISO 2022 IR {number}"
    if term != written:
        problems.append(f"{written[:32]!r} is no defined term; read as {term or 'the default repertoire'!r}")
    return term
