"""Whether a person name matches a key (PS3.4 C.2.2.2.1, C.2.2.2.1.1)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from dicomkit.query.wildcards import wildcard_pattern


def name_test(key: str, *, fuzzy: bool = False) -> Callable[[str], bool]:
    """Make the test of a name.

    Case is not regarded. A key with ``=`` is matched group by group, a key without by each group; a group that holds
    no more than ``*`` and ``^`` is matched by any.

    Parameters
    ----------
    fuzzy
        Whether it is enough that each word of the key is a word of one group of the name, accents and order apart.

    Examples
    --------
    >>> name_test("yamada*")("Yamada^Tarou=山田^太郎"), name_test("=山田*")("Yamada^Tarou=山田^太郎")
    (True, True)
    >>> name_test("muller mary")("Müller^Mary"), name_test("muller mary", fuzzy=True)("Müller^Mary")
    (False, True)
    """
    return _fuzzy(key) if fuzzy else _literal(key)


def _literal(key: str) -> Callable[[str], bool]:
    patterns = [
        wildcard_pattern(_without_empty(group), ignore_case=True) if group.strip("* ^") else None
        for group in key.split("=")
    ]
    if len(patterns) == 1:
        only = patterns[0]
        return lambda name: only is None or any(only.fullmatch(_without_empty(group)) for group in name.split("="))

    def same(name: str) -> bool:
        groups = [*name.split("="), *[""] * len(patterns)]
        return all(
            pattern is None or pattern.fullmatch(_without_empty(group))
            for pattern, group in zip(patterns, groups, strict=False)
        )

    return same


def _without_empty(group: str) -> str:
    """Drop trailing delimiters and the spaces around, which mean nothing (PS3.5 6.2)."""
    return group.lstrip(" ").rstrip("^ ")


def _fuzzy(key: str) -> Callable[[str], bool]:
    wanted = [wildcard_pattern(word) for word in re.findall(r"[^\W_*?][\w*?]*", _plain(key))]
    return lambda name: any(
        all(any(pattern.fullmatch(word) for word in words) for pattern in wanted)
        for words in (re.findall(r"[^\W_]+", _plain(group)) for group in name.split("="))
    )


def _plain(name: str) -> str:
    """Return a name without accents and case."""
    plain = unicodedata.normalize("NFKD", name)
    return "".join(char for char in plain if not unicodedata.combining(char)).casefold()
