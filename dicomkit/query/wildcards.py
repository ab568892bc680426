"""Wildcards as regular expressions (PS3.4 C.2.2.2.4)."""

from __future__ import annotations

import re


def wildcard_pattern(key: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """Turn a key with * and ? into a regular expression that has to match all of a value.

    What stands between two asterisks is taken where it first occurs, and never elsewhere (an atomic group): that is all
    a wildcard needs, and no key makes the search slow.

    Examples
    --------
    >>> [bool(wildcard_pattern("D?E*").fullmatch(text)) for text in ("DOE", "DOE^JANE", "DE")]
    [True, True, False]
    """
    first, *others = (
        "".join("." if char == "?" else re.escape(char) for char in part)
        for part in re.sub(r"\*+", "*", key).split("*")
    )
    if others:
        *middle, last = others
        first += "".join(f"(?>.*?{part})" for part in middle) + f".*{last}"
    return re.compile(first, re.DOTALL | (re.IGNORECASE if ignore_case else 0))
