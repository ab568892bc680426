"""One level of an object that is being validated: a data set or item, what it has to hold, and what is around it."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.functional_groups import PER_FRAME, SHARED
from dicomkit.validation.findings import Path
from dicomkit.validation.plan import Plan

_MISSING = object()

Kind = Literal["object", "item", "shared", "frame"]


class Level:
    """A data set with its plan.

    Attributes
    ----------
    kind
        ``"shared"`` or ``"frame"`` for an item of functional groups.
    number
        Which item of its sequence it is, from 0.
    """

    def __init__(
        self, ds: DataSet, plan: Plan, path: Path = (), outer: Level | None = None, kind: Kind = "item", number: int = 0
    ) -> None:
        self.ds = ds
        self.plan = plan
        self.path = path
        self.outer = outer
        self.kind = kind
        self.number = number

    def values(self, tag: int) -> tuple[Any, ...] | None:
        """Give the values of the attribute that a condition means: here, of the frame, or further outside.

        Returns
        -------
        tuple or None
            None where it is missing; an empty tuple where it has no value.
        """
        found = self.ds.get(tag, _MISSING)
        if found is not _MISSING:
            return _tuple(found)
        if tag in self.plan.attributes:
            return None
        if self.kind in ("shared", "frame") and (in_groups := self._in_groups(tag)) is not None:
            return in_groups
        if self.outer is not None:
            return self.outer.values(tag)
        return self._in_frames.get(tag)

    def _in_groups(self, tag: int) -> tuple[Any, ...] | None:
        """Look into the functional groups of this frame, then into the shared ones (or the other way round)."""
        top = self.outer.ds if self.outer is not None else self.ds
        other = top.all(SHARED if self.kind == "frame" else PER_FRAME)[:1]
        for item in (self.ds, *other):
            if isinstance(item, DataSet):
                for sequence in item:
                    for group in _items(item, sequence)[:1]:
                        found = group.get(tag, _MISSING)
                        if found is not _MISSING:
                            return _tuple(found)
        return None

    @cached_property
    def _in_frames(self) -> dict[int, tuple[Any, ...]]:
        """The values that any frame has, of all attributes in functional groups."""
        found: dict[int, dict[Any, None]] = {}
        for item in (*_items(self.ds, SHARED), *_items(self.ds, PER_FRAME)):
            for sequence in item:
                groups = _items(item, sequence)
                if groups:
                    found.setdefault(sequence, {})
                for group in groups[:1]:
                    for tag in group:
                        value = group[tag]
                        known = found.setdefault(tag, {})
                        if isinstance(value, (str, int, float, tuple)):
                            known.update(dict.fromkeys(_tuple(value)))
        return {tag: tuple(values) for tag, values in found.items()}


def _tuple(value: Any) -> tuple[Any, ...]:
    return () if value is None else value if isinstance(value, tuple) else (value,)


def _items(ds: DataSet, key: int | str) -> tuple[DataSet, ...]:
    """The items of a sequence; none where it is something else."""
    value = ds.get(key)
    return tuple(item for item in value if isinstance(item, DataSet)) if isinstance(value, tuple) else ()
