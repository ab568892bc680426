"""A query as the identifier of C-FIND, C-GET and C-MOVE, and back (PS3.4 C.4.1.1.3)."""

from __future__ import annotations

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import UTF8, Element
from dicomkit.errors import QueryError
from dicomkit.query.key import ONE_VALUE_VRS, WILDCARD_VRS, Key, Keys, key_vr, number_of
from dicomkit.query.query import Query, level_name, returned
from dicomkit.standard.attributes import attribute
from dicomkit.standard.query_keys import UNIQUE_KEYS
from dicomkit.values.decode import decode_value
from dicomkit.values.tag import Tag
from dicomkit.values.vr import VRS


def to_identifier(query: Query, *, returning: bool = True) -> DataSet:
    """Write a query as an identifier.

    Parameters
    ----------
    returning
        Whether to ask for the values of further attributes, which C-FIND does and C-GET and C-MOVE don't.

    Examples
    --------
    >>> from dicomkit.query.query import query
    >>> identifier = to_identifier(query("series", StudyInstanceUID="1.2.3", return_keys=["Modality"]))
    >>> identifier.QueryRetrieveLevel, identifier.StudyInstanceUID, identifier.Modality
    ('SERIES', UID('1.2.3'), None)
    """
    elements = [Element.of(keyword, None) for keyword in (returned(query) if returning else ())]
    elements += [_element(keyword, key) for keyword, key in query.keys]
    if query.level is not None:
        elements.append(Element.of("QueryRetrieveLevel", query.level))
    if not _is_ascii(query.keys):
        elements.append(Element.of("SpecificCharacterSet", "ISO_IR 192"))
    return DataSet(elements)


def to_retrieval(query: Query) -> DataSet:
    """Write a query as the identifier of C-GET and C-MOVE, which denotes entities by their unique keys.

    Raises
    ------
    QueryError
        When the unique key of the level is missing or has a wildcard, or there are keys that are unique on no level:
        a peer may take such an identifier for one that denotes all that it has.

    Examples
    --------
    >>> from dicomkit.query.query import query
    >>> to_retrieval(query("study", StudyInstanceUID="1.2.3")).StudyInstanceUID
    UID('1.2.3')
    """
    keys = dict(query.keys)
    unique = UNIQUE_KEYS.get(query.level or "")
    if unique is None:
        raise QueryError("a retrieval needs a level", hint="make the query with one, like 'study'")
    if not keys.get(unique):
        raise QueryError(f"a retrieval on the level {query.level} needs {unique}", hint="find tells it")
    for keyword, key in keys.items():
        if keyword not in UNIQUE_KEYS.values():
            raise QueryError(f"{keyword} is no key to retrieve by", hint=f"find first, then retrieve by {unique}")
        if isinstance(key, str) and not set(key).isdisjoint("*?"):
            raise QueryError(f"{keyword}={key!r} has a wildcard", hint="find first, then retrieve what was found")
    return to_identifier(query, returning=False)


def from_identifier(identifier: DataSet) -> Query:
    """Read an identifier as a query; what has no value is what is to be returned.

    Real peers write keys that our own queries may not have: wildcards where they mean nothing, ranges of numbers,
    attributes below the level. They are taken as they are; private attributes are left out.

    Raises
    ------
    QueryError
        When its level is none, or a sequence is no sequence.

    Examples
    --------
    >>> from_identifier(DataSet(QueryRetrieveLevel="STUDY", PatientName="DOE*", StudyDate=None))
    query('STUDY', PatientName='DOE*', return_keys=['StudyDate'])
    """
    level = identifier.get("QueryRetrieveLevel")
    keys = _keys(identifier)
    matched = Keys(pair for pair in keys if pair[1])
    return Query(
        None if level is None else level_name(str(level)), matched, tuple(keyword for keyword, key in keys if not key)
    )


def _keys(identifier: DataSet) -> Keys:
    pairs = []
    for element in identifier.elements():
        keyword = element.tag.keyword
        if keyword and element.tag.element and keyword not in ("QueryRetrieveLevel", "SpecificCharacterSet"):
            pairs.append((keyword, _key(identifier, element)))
    return Keys(pairs)


def _key(identifier: DataSet, element: Element) -> Key:
    known = attribute(element.tag)
    if known is not None and element.vr != "UN" and (known.vr == "SQ") != (element.vr == "SQ"):
        raise QueryError(f"{known.keyword} can't be a key of VR {element.vr}: it is {known.vr}", tag=element.tag)
    if element.vr == "SQ":  # a key has one item
        items = identifier.all(element.tag)
        return (_keys(items[0]) or "") if items else ""
    if element.vr == "AT":
        texts = [f"{int(tag):08X}" for tag in identifier.all(element.tag)]
    elif VRS[element.vr].kind == "bulk":
        return ""
    elif element.vr in (*ONE_VALUE_VRS, "UC"):  # blanks at their start count
        texts = ["" if value is None else str(value).rstrip(" \0") for value in identifier.all(element.tag)]
    else:
        texts = [part.strip(" \0") for part in element.text.split("\\")]
    if element.vr in WILDCARD_VRS:
        texts = [text if text.strip("*") else "" for text in texts]
    values = tuple(dict.fromkeys(texts))
    if "" in values and (element.vr != "UI" or len(values) == 1):  # anything, or one of the others
        return ""
    values = tuple(value for value in values if value)
    return values[0] if len(values) == 1 else values or ""


def _element(keyword: str, key: Key) -> Element:
    """Make the element of a key, which need not be a value of its VR: ``DOE*``, ``20240101-``."""
    tag, vr = Tag.of(keyword), key_vr(keyword)
    if not key:
        return Element.of(tag, None)
    if isinstance(key, Keys):
        return Element(tag, vr, (DataSet([_element(inner, value) for inner, value in key]),))
    texts = [key] if isinstance(key, str) else list(key)
    if VRS[vr].kind == "binary":
        return Element.of(tag, [number_of(vr, text) for text in texts])
    if vr == "AT":
        return Element.of(tag, texts)
    raw = "\\".join(texts).encode()
    raw += VRS[vr].pad[: len(raw) % 2]
    return Element(tag, vr, decode_value(vr, raw, charset=UTF8), raw)


def _is_ascii(key: Key) -> bool:
    if isinstance(key, Keys):
        return all(_is_ascii(entry) for _, entry in key)
    return all(part.isascii() for part in ((key,) if isinstance(key, str) else key))
