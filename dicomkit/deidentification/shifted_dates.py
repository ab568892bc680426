"""Dates that move by whole days: their text keeps its precision, time of day and offset from UTC."""

from __future__ import annotations

import re
from datetime import date, timedelta

_DATE = re.compile(r"(\d{4})(?:[.-]?(\d{2})(?:[.-]?(\d{2}))?)?")
_MIDDLE_DAY, _MIDDLE_MONTH = 15, 7


def shifted(text: str, days: int, vr: str) -> str | None:
    """Move one value of a DA or DT by whole days; a TM stays as it is.

    A date without day or month moves as its middle does, and stays without.

    Returns
    -------
    str or None
        None where the text is no date, or leaves the calendar: it can't be kept then.

    Examples
    --------
    >>> shifted("20240301", -1, "DA"), shifted("20240301093000.5+0100", -365, "DT"), shifted("093000", -1, "TM")
    ('20240229', '20230302093000.5+0100', '093000')
    >>> shifted("202403", -31, "DT"), shifted("1999", -365, "DA"), shifted("99/1/1", -1, "DA")
    ('202402', '1998', None)
    """
    text = text.strip(" \0")
    if vr == "TM" or not text:
        return text
    match = _DATE.match(text)
    if match is None or (vr == "DA" and match.end() != len(text)):
        return None
    year, month, day = match.groups()
    if vr == "DT" and not re.fullmatch(r"(\d{2}){0,3}(\.\d+)?([+-]\d{4})?", text[match.end() :]):
        return None
    try:
        start = date(int(year), int(month or _MIDDLE_MONTH), int(day or _MIDDLE_DAY))
        moved = start + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    digits = f"{moved.year:04d}{moved.month:02d}{moved.day:02d}"
    return digits[: 8 if day else 6 if month else 4] + text[match.end() :]
