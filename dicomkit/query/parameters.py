"""A query as the parameters of a QIDO-RS URL, and back (PS3.18 8.3.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from dicomkit.errors import QueryError
from dicomkit.query.key import ONE_VALUE_VRS, Key, Keys, key_vr
from dicomkit.query.query import Query, level_name, make_query, unique_key
from dicomkit.standard.attributes import tag_of
from dicomkit.values.tag import Tag

_FLAGS = ("fuzzymatching", "emptyvaluematching", "multiplevaluematching")
_HEX = frozenset("0123456789abcdefABCDEF")


class Search(NamedTuple):
    """What the parameters of a search ask for.

    Attributes
    ----------
    query
        Its ``return_keys`` are those that ``includefield`` names, beside what every answer has; None where none is
        named.
    limit, offset
        How many matches are wanted at most (None for all), after how many that are skipped.
    fuzzy
        Whether names shall match fuzzily.
    all_fields
        Whether all attributes that there are shall be returned.
    ignored
        What ``includefield`` names that no query can ask for: private and unknown attributes.
    """

    query: Query
    limit: int | None = None
    offset: int = 0
    fuzzy: bool = False
    all_fields: bool = False
    ignored: tuple[str, ...] = ()


def to_parameters(query: Query) -> list[tuple[str, str]]:
    """Write a query as parameters, not yet percent-encoded: keys in the order of the tags, then what is to be returned.

    Examples
    --------
    >>> from dicomkit.query.query import query
    >>> to_parameters(query("series", StudyInstanceUID=["1.2", "1.3"], Modality="CT", return_keys=["BodyPartExamined"]))
    [('Modality', 'CT'), ('StudyInstanceUID', '1.2,1.3'), ('includefield', 'BodyPartExamined'), \
('includefield', 'SeriesInstanceUID')]
    """
    pairs = list(_pairs(query.keys, ""))
    fields = [path for path, value in pairs if not value]
    wanted = query.return_keys
    if wanted == () and query.level is not None:  # nothing beside the keys is something else than what is usual
        wanted = (unique_key(query.level),)
    return [
        *((path, value) for path, value in pairs if value),
        *(("includefield", path) for path in (*fields, *(wanted or ()))),
    ]


def _pairs(keys: Keys, above: str) -> Iterator[tuple[str, str]]:
    for keyword, key in keys:
        if isinstance(key, Keys):
            yield from _pairs(key, f"{above}{keyword}.")
        else:
            yield f"{above}{keyword}", _value(keyword, key)


def _value(keyword: str, key: Key) -> str:
    if isinstance(key, tuple):
        return ("," if key_vr(keyword) == "UI" else "\\").join(map(str, key))
    return key


def from_parameters(level: str | None, parameters: Iterable[tuple[str, str]]) -> Search:
    """Read parameters as a query.

    Parameters
    ----------
    level
        That of the resource: ``"study"``, ``"series"`` or ``"instance"``.
    parameters
        Name and value, percent-decoded. A list of UIDs is separated by commas or backslashes, several values of other
        attributes by backslashes.

    Raises
    ------
    QueryError
        When a parameter can't be understood, or is given twice.

    Examples
    --------
    >>> found = from_parameters("study", [("00100010", "DOE*"), ("includefield", "00081030"), ("limit", "25")])
    >>> found.query, found.limit
    (query('STUDY', PatientName='DOE*', return_keys=['StudyDescription']), 25)
    """
    keys: dict[str, Any] = {}
    fields: list[str] | None = None
    ignored: list[str] = []
    settings: dict[str, Any] = {}
    for name, value in parameters:
        if name == "includefield":
            fields = [] if fields is None else fields
            for path in filter(None, (part.strip() for part in value.split(","))):
                if path.lower() == "all":
                    settings["all_fields"] = True
                elif (known := _canonical(path)) is None:
                    ignored.append(path)
                elif known not in fields:
                    fields.append(known)
            continue
        word = name.lower()
        path = word if word in ("limit", "offset", *_FLAGS) else _canonical(name) or ""
        if not path:
            raise QueryError(f"{name!r} is no parameter of a search", hint="use a keyword or a tag of PS3.6")
        if path in keys or path in settings:
            raise QueryError(f"{name} is given twice", hint="give several UIDs with commas between them")
        if path in ("limit", "offset"):
            settings[path] = _count(name, value)
        elif path in _FLAGS:
            settings[path] = _flag(name, value)
        else:
            keys[path] = _entries(path, value)
    matching = {path: value for path, value in keys.items() if value}
    universal = [path for path, value in keys.items() if not value]
    if universal:
        fields = [*(fields or ()), *(path for path in universal if path not in (fields or ()))]
    return Search(
        make_query(None if level is None else level_name(level), matching, fields),
        settings.get("limit"),
        settings.get("offset", 0),
        settings.get("fuzzymatching", False),
        settings.get("all_fields", False),
        tuple(ignored),
    )


def _canonical(path: str) -> str | None:
    """Return a path in keywords; None where a step is not known."""
    steps = [
        Tag(int(step, 16)).keyword if len(step) == 8 and _HEX.issuperset(step) else step for step in path.split(".")
    ]
    return ".".join(steps) if all(step and tag_of(step) is not None for step in steps) else None


def _entries(path: str, value: str) -> str | list[str]:
    vr = key_vr(path.rpartition(".")[2])
    if vr == "UI":
        value = value.replace(",", "\\")
    return value if vr in ONE_VALUE_VRS or "\\" not in value else value.split("\\")


def _count(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        raise QueryError(f"{name}={value!r} is no number of matches", hint="write a whole number")
    return int(value)


def _flag(name: str, value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise QueryError(f"{name}={value!r} is neither true nor false")
    return value.lower() == "true"
