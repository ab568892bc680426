"""Where in a frame something is burned in: rectangles, all outside of ultrasound regions, detected text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from dicomkit.errors import ValueFormatError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dicomkit.dataset.dataset import DataSet


class Rectangle(NamedTuple):
    """Rows from ``top`` to before ``bottom``, columns from ``left`` to before ``right``, from 0."""

    top: int
    left: int
    bottom: int
    right: int


@runtime_checkable
class Redaction(Protocol):
    """What a rule has to offer; your own may be put in beside those below."""

    def areas(self, ds: DataSet, frame: NDArray[Any]) -> NDArray[np.bool_] | None:
        """Return what to blank of a frame, (rows, columns) of bool; None where the rule says nothing about it."""


@dataclass(frozen=True, slots=True)
class Blank:
    """Blank fixed rectangles.

    Parameters
    ----------
    rectangles : tuple of Rectangle
        ``(top, left, bottom, right)``; negative numbers count from the lower right corner, and what lies outside of
        the image is no error.
    modality, model : str, optional
        Only in images of this modality, or of this manufacturer's model.

    Examples
    --------
    >>> import dicomkit as dk, numpy as np
    >>> Blank([(0, 0, 1, 2)]).areas(dk.DataSet(), np.zeros((2, 3))).astype(int).tolist()
    [[1, 1, 0], [0, 0, 0]]
    """

    rectangles: tuple[Rectangle, ...]
    modality: str | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        try:
            rectangles = tuple(Rectangle(*map(int, rectangle)) for rectangle in self.rectangles)
        except (TypeError, ValueError):
            hint = "give a list of (top, left, bottom, right)"
            raise ValueFormatError(f"{self.rectangles!r} are no rectangles", hint=hint) from None
        object.__setattr__(self, "rectangles", rectangles)

    def areas(self, ds: DataSet, frame: NDArray[Any]) -> NDArray[np.bool_] | None:
        """Return the rectangles."""
        if self.modality is not None and ds.get("Modality") != self.modality:
            return None
        if self.model is not None and ds.get("ManufacturerModelName") != self.model:
            return None
        return _painted(frame, self.rectangles)


@dataclass(frozen=True, slots=True)
class OutsideUltrasoundRegions:
    """Blank all but the calibrated regions of an ultrasound image (PS3.3 C.8.5.5).

    Parameters
    ----------
    margin : int
        How many pixels around the regions are kept as well.
    """

    margin: int = 0

    def areas(self, ds: DataSet, frame: NDArray[Any]) -> NDArray[np.bool_] | None:
        """Return what lies outside of the regions; None where there are none."""
        corners = (
            "RegionLocationMinY0",
            "RegionLocationMinX0",
            "RegionLocationMaxY1",
            "RegionLocationMaxX1",
        )
        regions = []
        for item in ds.all("SequenceOfUltrasoundRegions"):
            top, left, bottom, right = (item.get(keyword) for keyword in corners)
            if not all(isinstance(number, int) for number in (top, left, bottom, right)):
                continue
            first = (max(0, top - self.margin), max(0, left - self.margin))
            if bottom >= top and right >= left:
                regions.append(Rectangle(*first, bottom + 1 + self.margin, right + 1 + self.margin))
        return ~_painted(frame, regions) if regions else None


@dataclass(frozen=True, slots=True)
class DetectedText:
    """Blank the rectangles that a function finds, such as a reader of characters.

    Parameters
    ----------
    find : callable
        Takes a frame as stored, (rows, columns[, samples]), and returns rectangles (top, left, bottom, right).
    """

    find: Callable[[NDArray[Any]], Iterable[tuple[int, int, int, int]]]

    def areas(self, ds: DataSet, frame: NDArray[Any]) -> NDArray[np.bool_] | None:
        """Return what the function found."""
        try:
            return _painted(frame, (Rectangle(*map(int, found)) for found in self.find(frame)))
        except (TypeError, ValueError) as error:
            hint = "it has to return rectangles (top, left, bottom, right)"
            raise ValueFormatError(f"the text detection failed: {error}", hint=hint) from error


def _painted(frame: NDArray[Any], rectangles: Iterable[Rectangle]) -> NDArray[np.bool_]:
    """A mask of the size of a frame in which rectangles are True."""
    import numpy as np

    rows, columns = frame.shape[:2]
    mask = np.zeros((rows, columns), bool)
    for top, left, bottom, right in rectangles:
        mask[
            _from_start(top, rows) : _from_start(bottom, rows), _from_start(left, columns) : _from_start(right, columns)
        ] = True
    return mask


def _from_start(number: int, size: int) -> int:
    return max(0, number + size) if number < 0 else number
