"""A coded entry: the item that says what something is by a code and its scheme (PS3.3 8.8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.errors import ValueFormatError

CodeLike: TypeAlias = "DataSet | Mapping[str, Any] | tuple[str, str, str]"
"""An item, its elements by keyword, or value, scheme and meaning."""


def code_item(code: CodeLike) -> DataSet:
    """Make the item of a coded entry.

    Raises
    ------
    ValueFormatError
        When it isn't value, scheme and meaning.

    Examples
    --------
    >>> code_item(("110513", "DCM", "Discontinued for unspecified reason")).CodeValue
    '110513'
    """
    if isinstance(code, DataSet):
        return code
    if isinstance(code, Mapping):
        return DataSet(code)
    if isinstance(code, str) or len(code) != 3:
        raise ValueFormatError(f"{code!r} is no code", hint='write ("110513", "DCM", "what it means")')
    value, scheme, meaning = code
    return DataSet(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def code_items(codes: CodeLike | Iterable[CodeLike] | None) -> tuple[DataSet, ...]:
    """Make the items of one code or of several.

    Examples
    --------
    >>> [item.CodeValue for item in code_items([("1", "99X", "one"), ("2", "99X", "two")])]
    ['1', '2']
    """
    if codes is None:
        return ()
    if isinstance(codes, Mapping):
        return (code_item(codes),)
    several: list[Any] = list(codes)
    return (code_item((several[0], several[1], several[2])),) if _is_triple(several) else tuple(map(code_item, several))


def _is_triple(parts: list[Any]) -> bool:
    return len(parts) == 3 and all(isinstance(part, str) for part in parts)
