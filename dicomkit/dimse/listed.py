"""Reports that are sequences of what they tell of."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import TypeVar, overload

T = TypeVar("T")


class Listed(Sequence[T]):
    """A sequence of what a value of a subclass lists.

    Examples
    --------
    >>> class Word(Listed[str]):
    ...     @property
    ...     def _listed(self):
    ...         return ("a", "b", "c")
    >>> len(Word()), Word()[0], Word()[1:], list(Word())
    (3, 'a', ('b', 'c'), ['a', 'b', 'c'])
    """

    __slots__ = ()

    @property
    @abstractmethod
    def _listed(self) -> tuple[T, ...]:
        """What is listed."""

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        return self._listed[index]

    def __len__(self) -> int:
        return len(self._listed)

    def __iter__(self) -> Iterator[T]:
        return iter(self._listed)
