"""In what two data sets differ, element by element."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.dataset.equality import same
from dicomkit.dataset.value_text import value_text
from dicomkit.display.html import table
from dicomkit.errors import ValueFormatError

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["added", "removed", "changed"]
COLUMNS = ("path", "vr", "kind", "before", "after")


class Difference(NamedTuple):
    """One element that is only in one of two data sets, or has another value.

    Attributes
    ----------
    path
        Keywords (tags, where there is none) and item numbers.
    before, after
        The values; None where the element is missing or empty.
    """

    path: tuple[int | str, ...]
    vr: str
    kind: Kind
    before: Any
    after: Any

    @property
    def place(self) -> str:
        """The path as text."""
        return " > ".join(map(str, self.path))


class Differences(tuple[Difference, ...]):
    """All differences of two data sets, in the order of paths; empty when they are equal."""

    __slots__ = ()

    def to_table(self) -> pd.DataFrame:
        """Return a DataFrame with the columns path, vr, kind, before and after."""
        import pandas as pd

        rows = [(d.place, d.vr, d.kind, value_text(d.before), value_text(d.after)) for d in self]
        return pd.DataFrame(rows, columns=list(COLUMNS)).astype("string")

    def __repr__(self) -> str:
        counts = [f"{sum(d.kind == kind for d in self)} {kind}" for kind in ("added", "removed", "changed")]
        return f"Differences({', '.join(counts)})"

    def _repr_html_(self) -> str:
        rows = [(d.place, d.vr, d.kind, value_text(d.before), value_text(d.after)) for d in self]
        return table(("Path", "VR", "Kind", "Before", "After"), rows, caption=repr(self))


def diff(before: DataSet, after: DataSet) -> Differences:
    """Compare two data sets, items of sequences one by one, private elements and bulk data included.

    Raises
    ------
    ValueFormatError
        When one of them is none.

    Parameters
    ----------
    before, after
        What is only in the first was removed, what is only in the second was added.

    Returns
    -------
    Differences
        A tuple of `Difference` in the order of the tags, that shows itself as a table.

    Examples
    --------
    >>> found = diff(DataSet(PatientID="1", Rows=2), DataSet(PatientID="2", Columns=3))
    >>> [(d.place, d.kind, d.before, d.after) for d in found]
    [('PatientID', 'changed', '1', '2'), ('Rows', 'removed', 2, None), ('Columns', 'added', None, 3)]
    """
    for ds in (before, after):
        if not isinstance(ds, DataSet):
            raise ValueFormatError(f"a {type(ds).__name__} is no DataSet", hint="dicomkit.read(path) gives one")
    return Differences(_differences(before, after, ()))


def _differences(before: DataSet, after: DataSet, path: tuple[int | str, ...]) -> Iterator[Difference]:
    for tag in sorted({*before, *after}):
        old = before.element(tag) if tag in before else None
        new = after.element(tag) if tag in after else None
        here = (*path, tag.keyword or tag)
        if new is None or old is None:
            known = _known(old, new)
            kind: Kind = "removed" if new is None else "added"
            yield Difference(here, known.vr, kind, old.value if old else None, new.value if new else None)
        elif old.vr == "SQ" and new.vr == "SQ":
            yield from _item_differences(old.value, new.value, here)
        elif not same(old, new):
            yield Difference(here, new.vr, "changed", old.value, new.value)


def _known(old: Element | None, new: Element | None) -> Element:
    element = old or new
    assert element is not None
    return element


def _item_differences(
    old: tuple[DataSet, ...], new: tuple[DataSet, ...], path: tuple[int | str, ...]
) -> Iterator[Difference]:
    for number in range(max(len(old), len(new))):
        here = (*path, number)
        if number >= len(new):
            yield Difference(here, "SQ", "removed", (old[number],), None)
        elif number >= len(old):
            yield Difference(here, "SQ", "added", None, (new[number],))
        else:
            yield from _differences(old[number], new[number], here)
