"""A query as a frozen value: a level, keys with what they have to match, and what is to be returned (PS3.4 C.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dicomkit.display.html import Markup, card
from dicomkit.errors import QueryError
from dicomkit.query.key import Key, Keys, key_of
from dicomkit.standard.attributes import tag_of, vr_of
from dicomkit.standard.query_keys import LEVELS, UNIQUE_KEYS, query_key, query_keys
from dicomkit.values.tag import Tag

_LEVEL_NAMES = {"INSTANCE": "IMAGE", "IMAGES": "IMAGE", "INSTANCES": "IMAGE", "STUDIES": "STUDY", "PATIENTS": "PATIENT"}
_NO_KEYS = ("QueryRetrieveLevel", "SpecificCharacterSet")
_BELOW = {
    **dict.fromkeys(("SeriesDescription", "SeriesDate", "SeriesTime", "BodyPartExamined", "ProtocolName"), "SERIES"),
    **dict.fromkeys(("Rows", "Columns", "NumberOfFrames", "ImageType", "ContentDate", "ContentTime"), "IMAGE"),
}
"""Attributes that PS3.4 doesn't list by name, on the levels whose information entities have them."""
_USUAL = {
    "PATIENT": ("PatientBirthDate", "PatientSex", "NumberOfPatientRelatedStudies"),
    "STUDY": (
        *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "ModalitiesInStudy", "StudyDescription"),
        *("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"),
    ),
    "SERIES": ("SeriesDescription", "BodyPartExamined", "NumberOfSeriesRelatedInstances"),
    "IMAGE": ("SOPClassUID",),
}
"""What is asked for beside the unique and required keys of a level, where nobody says what to return."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for.

    Attributes
    ----------
    level
        ``"PATIENT"``, ``"STUDY"``, ``"SERIES"`` or ``"IMAGE"``; None where the information model has no levels.
    keys
        What has to match, in the order of the tags.
    return_keys
        Keywords of what is to be returned beside the keys, in the order of the tags; None for what is usual on the
        level. A part of the items of a sequence is asked for by keys of that sequence that are empty.
    """

    level: str | None
    keys: Keys
    return_keys: tuple[str, ...] | None = None

    def get(self, keyword: str) -> Key | None:
        """Return what an attribute has to match; None where it is no key."""
        return dict(self.keys).get(keyword)

    def __repr__(self) -> str:
        return f"query({', '.join(self._words())})"

    def _words(self) -> list[str]:
        words = [repr(self.level)] + [f"{keyword}={_plain(key)!r}" for keyword, key in self.keys]
        return (
            words
            if self.return_keys is None or (self.level is None and not self.return_keys)
            else [*words, f"return_keys={list(self.return_keys)!r}"]
        )

    def _repr_html_(self) -> Markup:
        pairs = [(keyword, repr(_plain(key)) if key else "anything") for keyword, key in self.keys]
        return card(
            f"Query for {self.level or 'items'}", [*pairs, ("returns", ", ".join(self.return_keys or ["the usual"]))]
        )


def query(level: str | None, *, return_keys: Iterable[str] | None = None, **keys: Any) -> Query:
    """Make a query.

    Parameters
    ----------
    level
        ``"patient"``, ``"study"``, ``"series"``, or ``"image"`` (or ``"instance"``); None for a worklist.
    return_keys
        Keywords of what is to be returned beside the keys and the unique key of the level; by default what is usual on
        the level.
    keys
        By keyword, or by path: ``**{"RequestAttributesSequence.RequestedProcedureID": "A"}``. A text, with ``*`` and
        ``?`` where the VR allows; a range of dates, times or moments as ``"a-b"``, or as a pair of values one of which
        may be None; a list of UIDs, or of other values any of which may match; a mapping for a sequence; None, ``""``
        or ``"*"`` for anything, which asks for the value; ``'""'`` for no value.

    Raises
    ------
    QueryError
        When there is no such attribute or level, or the attribute can't be asked for so.

    Examples
    --------
    >>> query("study", PatientName="DOE*", StudyDate=("20240101", None), ModalitiesInStudy=["CT", "MR"])
    query('STUDY', StudyDate='20240101-', ModalitiesInStudy=['CT', 'MR'], PatientName='DOE*')
    """
    name = None if level is None else level_name(level)
    asked = None if return_keys is None else [*return_keys, *_unique(name)]
    return make_query(name, keys, asked)


def make_query(level: str | None, keys: Mapping[str, Any], return_keys: Iterable[str] | None) -> Query:
    """Check keys and what is to be returned, and bring them into their one form."""
    tree: dict[str, Any] = {}
    for path, value in keys.items():
        _put(tree, path, _path(path), value)
    asked = None if return_keys is None else [_path(path) for path in return_keys]
    for steps in asked or ():
        if len(steps) > 1 and not _holds(tree, steps):
            _put(tree, ".".join(steps), steps, "")
    found = make_keys(tree)
    matched = Keys(pair for pair in found if pair[1])
    universal = [keyword for keyword, key in found if not key]
    whole = [steps[0] for steps in asked or () if len(steps) == 1]
    # Parts of items are keys, and alone say nothing of the rest.
    returned = None if asked is None or (asked and not whole) else whole
    if universal:
        returned = [*universal, *(usual_keys(level) if returned is None else returned)]
    if level is None and returned is None:
        returned = []
    for keyword in (*tree, *(returned or ())):
        _check_level(level, keyword)
    return Query(level, matched, None if returned is None else _in_order(returned, matched))


def _in_order(keywords: Iterable[str], keys: Keys) -> tuple[str, ...]:
    """Sort by tag what is to be returned, without what is a key."""
    return tuple(sorted(set(keywords) - {keyword for keyword, _ in keys}, key=lambda keyword: tag_of(keyword) or 0))


def _unique(level: str | None) -> tuple[str, ...]:
    return () if level is None else (UNIQUE_KEYS[level],)


def usual_keys(level: str | None) -> tuple[str, ...]:
    """List what is asked for where nobody says what to return: unique keys, required keys, and what people look at.

    Examples
    --------
    >>> usual_keys("image")
    ('InstanceNumber', 'SOPInstanceUID', 'SOPClassUID', 'StudyInstanceUID', 'SeriesInstanceUID')
    """
    if level is None:
        return ()
    name = level_name(level)
    needed = (key.keyword for key in query_keys(name) if key.type != "O")
    above = (UNIQUE_KEYS[upper] for upper in LEVELS[1 : LEVELS.index(name)])
    return tuple(dict.fromkeys((*needed, *_USUAL[name], *above)))


def returned(query: Query) -> tuple[str, ...]:
    """List the keywords of what is to be returned, beside those that have to match.

    Examples
    --------
    >>> returned(query("image", SeriesInstanceUID="1.2"))
    ('InstanceNumber', 'SOPInstanceUID', 'SOPClassUID', 'StudyInstanceUID')
    """
    if query.return_keys is not None:
        return query.return_keys
    keys = {keyword for keyword, _ in query.keys}
    return tuple(keyword for keyword in usual_keys(query.level) if keyword not in keys)


def level_name(level: str) -> str:
    """Return the level as the standard writes it.

    Raises
    ------
    QueryError
        When there is no such level.

    Examples
    --------
    >>> level_name("instance")
    'IMAGE'
    """
    name = level.strip().upper()
    name = _LEVEL_NAMES.get(name, name)
    if name not in LEVELS:
        raise QueryError(f"{level!r} is no level of a query", hint=f"it is one of {', '.join(LEVELS).lower()}")
    return name


def make_keys(keys: Mapping[str, Any]) -> Keys:
    """Check keys, and bring them into their one form."""
    tree: dict[str, Any] = {}
    for path, value in keys.items():
        _put(tree, path, _path(path), value)
    return Keys((keyword, _key(keyword, tree[keyword])) for keyword in sorted(tree, key=lambda word: tag_of(word) or 0))


def _key(keyword: str, value: Any) -> Key:
    if vr_of(tag_of(keyword) or 0) != "SQ":
        return key_of(keyword, value)
    item = _item(keyword, value)
    return make_keys({name if isinstance(name, str) else Tag.of(name).keyword: item[name] for name in item}) or ""


def _item(keyword: str, value: Any) -> dict[Any, Any]:
    """Return the keys of the one item that a sequence to be matched has."""
    if isinstance(value, Sequence) and not isinstance(value, (str, Keys)) and len(value) == 1:
        value = value[0]
    if value is None or (isinstance(value, (str, Sequence)) and not value):
        return {}
    if not isinstance(value, (Mapping, Keys)):
        raise QueryError(f"{keyword} is a sequence", tag=tag_of(keyword), hint="give the keys of its item as a mapping")
    return dict(value)


def _put(tree: dict[str, Any], path: str, steps: tuple[str, ...], value: Any) -> None:
    """Put the value of a path where it belongs."""
    *above, last = steps
    for step in above:
        tree[step] = tree = _item(step, tree.get(step))
    if last in tree:
        raise QueryError(f"{path} is given twice", tag=tag_of(last), hint="give it once; several values as a list")
    tree[last] = value


def _holds(tree: dict[str, Any], steps: tuple[str, ...]) -> bool:
    """Whether a path is among the keys."""
    for step in steps[:-1]:
        tree = _item(step, tree.get(step))
    return steps[-1] in tree


def _path(path: str) -> tuple[str, ...]:
    """Read keywords or tags, with a point between those of a sequence and of its items."""
    steps = tuple(_known(step, path) for step in path.split("."))
    for step in steps[:-1]:
        if vr_of(tag_of(step) or 0) != "SQ":
            raise QueryError(f"{step} of {path!r} is no sequence", tag=tag_of(step), hint="only items have keys below")
    return steps


def _known(step: str, path: str) -> str:
    keyword = step
    if len(step) == 8 and tag_of(step) is None and all(char in "0123456789abcdefABCDEF" for char in step):
        keyword = Tag(int(step, 16)).keyword
    if tag_of(keyword) is None or keyword in _NO_KEYS:
        hint = "use the keyword of PS3.6, like StudyDate; private attributes can't be asked for"
        raise QueryError(f"{path!r} is no attribute that can be asked for", hint=hint)
    return keyword


def _check_level(level: str | None, keyword: str) -> None:
    """Refuse a key below the level (PS3.4 C.4.1.1.3.1); counts and other summaries are on their own level."""
    entry = query_key(keyword)
    own = entry.level if entry else _BELOW.get(keyword)
    if level is not None and own is not None and LEVELS.index(own) > LEVELS.index(level):
        hint = f"ask on the level {own.lower()}, or leave it out"
        if keyword == "Modality" and level == "STUDY":
            hint = "ask for ModalitiesInStudy, or on the level series"
        raise QueryError(f"{keyword} is below the level {level.lower()}", tag=tag_of(keyword), hint=hint)


def _plain(key: Key) -> Any:
    """Return a key as a caller would write it."""
    if isinstance(key, Keys):
        return {keyword: _plain(value) for keyword, value in key}
    return list(key) if isinstance(key, tuple) else key


def unique_key(level: str) -> str:
    """Return the keyword of the unique key of a level.

    Examples
    --------
    >>> unique_key("image")
    'SOPInstanceUID'
    """
    return UNIQUE_KEYS[level_name(level)]
