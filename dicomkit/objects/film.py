"""How a film is divided into image boxes, and how large it is (PS3.3 C.13.3)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

from dicomkit.errors import ValueFormatError

LayoutKind: TypeAlias = Literal["STANDARD", "ROW", "COL", "SLIDE", "SUPERSLIDE"]

MOST_BOXES = 1024
FILM_SIZES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "8INX10IN": (203.2, 254.0),
        "8_5INX11IN": (215.9, 279.4),
        "10INX12IN": (254.0, 304.8),
        "10INX14IN": (257.0, 364.0),
        "11INX14IN": (279.4, 355.6),
        "11INX17IN": (279.4, 431.8),
        "14INX14IN": (355.6, 355.6),
        "14INX17IN": (355.6, 431.8),
        "24CMX24CM": (240.0, 240.0),
        "24CMX30CM": (240.0, 300.0),
        "A4": (210.0, 297.0),
        "A3": (297.0, 420.0),
    }
)
"""Width and height in mm of upright films."""
_MOUNT = 50.0
"""The side in mm of what a slide is mounted in."""
_SLIDES: Mapping[str, tuple[float, float]] = MappingProxyType({"SLIDE": (36.0, 24.0), "SUPERSLIDE": (40.0, 40.0)})
_GRID = re.compile(r"([0-9]{1,4}) *[xX,] *([0-9]{1,4})")
_HINT = 'give (rows, columns), "2x3" (rows by columns), or a display format such as "STANDARD\\\\3,2" or "ROW\\\\1,2"'


class Place(NamedTuple):
    """A rectangle on a film: its left and upper edge, width and height in mm."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    r"""An Image Display Format: how a film is divided into image boxes.

    Parameters
    ----------
    kind
        ``"STANDARD"``, ``"ROW"``, ``"COL"``, ``"SLIDE"`` or ``"SUPERSLIDE"``.
    counts
        For STANDARD the columns and the rows, as the standard has them; for ROW and COL how many boxes each row or
        column has; none for slides, of which there are as many as fit.

    Raises
    ------
    ValueFormatError
        When there is no such layout.

    Examples
    --------
    >>> Layout.of((2, 3))
    <Layout STANDARD\3,2: 2 rows, 3 columns>
    >>> Layout.of("2x3") == Layout.of("STANDARD\\3,2")
    True
    >>> Layout.of("ROW\\1,2").boxes()
    3
    """

    kind: LayoutKind
    counts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        slides = self.kind in _SLIDES
        if not slides and self.kind not in ("STANDARD", "ROW", "COL"):
            raise ValueFormatError(f"no display format {self.kind!r}", hint=_HINT)
        wrong = bool(self.counts) if slides else not self.counts or min(self.counts) < 1
        if wrong or (self.kind == "STANDARD" and len(self.counts) != 2):
            raise ValueFormatError(f"{self.kind} with the counts {self.counts}", hint=_HINT)
        most = math.prod(self.counts) if self.kind == "STANDARD" else sum(self.counts)
        if most > MOST_BOXES:
            raise ValueFormatError(f"a film with {most} image boxes", hint=f"at most {MOST_BOXES}")

    @classmethod
    def of(cls, layout: Layout | str | Sequence[int]) -> Layout:
        """Return the layout that a pair (rows, columns), ``"2x3"`` or a display format stands for."""
        if isinstance(layout, Layout):
            return layout
        if not isinstance(layout, str):
            if len(layout) != 2:
                raise ValueFormatError(f"layout={layout!r}", hint=_HINT)
            rows, columns = layout
            return cls("STANDARD", (int(columns), int(rows)))
        grid = _GRID.fullmatch(layout.strip())
        if grid is not None:
            return cls("STANDARD", (int(grid[2]), int(grid[1])))
        name, _, rest = layout.strip().upper().partition("\\")
        kinds: dict[str, LayoutKind] = {
            "STANDARD": "STANDARD",
            "ROW": "ROW",
            "COL": "COL",
            "SLIDE": "SLIDE",
            "SUPERSLIDE": "SUPERSLIDE",
        }
        try:
            counts = tuple(int(part) for part in rest[:10_000].split(",")) if rest else ()
        except ValueError:
            counts = (0,)
        if name not in kinds:
            raise ValueFormatError(f"no display format {layout[:80]!r}", hint=_HINT)
        return cls(kinds[name], counts)

    @property
    def display_format(self) -> str:
        """The value of Image Display Format (2010,0010)."""
        return "\\".join([self.kind, *([",".join(map(str, self.counts))] if self.counts else [])])

    def boxes(self, width: float = 355.6, height: float = 431.8) -> int:
        """Return how many image boxes there are; for slides that depends on the size of the film in mm."""
        if self.kind == "STANDARD":
            return self.counts[0] * self.counts[1]
        return sum(self.counts) if self.counts else math.prod(self._slides(width, height))

    def places(self, width: float, height: float, gap: float = 2.0) -> tuple[Place, ...]:
        r"""Return where the image boxes are, in the order of their positions.

        Parameters
        ----------
        width, height
            Of the part of a film that has images, in mm.
        gap
            Between boxes and around them, in mm.

        Examples
        --------
        >>> [place.left for place in Layout.of((1, 2)).places(202, 102)]
        [2.0, 102.0]
        """
        if self.kind in _SLIDES:
            return self._slide_places(width, height)
        if self.kind == "COL":
            return tuple(_turned(place) for place in _lines(self.counts, height, width, gap))
        lines = self.counts if self.kind == "ROW" else (self.counts[0],) * self.counts[1]
        return tuple(_lines(lines, width, height, gap))

    def _slides(self, width: float, height: float) -> tuple[int, int]:
        """Rows and columns of mounts that fit."""
        return max(1, int(height // _MOUNT)), max(1, int(width // _MOUNT))

    def _slide_places(self, width: float, height: float) -> tuple[Place, ...]:
        rows, columns = self._slides(width, height)
        wide, high = width / columns, height / rows
        slide_width, slide_height = (
            min(side, room) for side, room in zip(_SLIDES[self.kind], (wide, high), strict=True)
        )
        return tuple(
            Place(
                column * wide + (wide - slide_width) / 2,
                row * high + (high - slide_height) / 2,
                slide_width,
                slide_height,
            )
            for row in range(rows)
            for column in range(columns)
        )

    def __repr__(self) -> str:
        if self.kind == "STANDARD":
            return f"<Layout {self.display_format}: {self.counts[1]} rows, {self.counts[0]} columns>"
        return f"<Layout {self.display_format}>"


def _lines(counts: Sequence[int], width: float, height: float, gap: float) -> list[Place]:
    """Divide a film into lines of equal height, and each into as many boxes as it is to have."""
    high = (height - gap) / len(counts)
    places = []
    for line, count in enumerate(counts):
        wide = (width - gap) / count
        places += [
            Place(gap + column * wide, gap + line * high, max(wide - gap, 0.1), max(high - gap, 0.1))
            for column in range(count)
        ]
    return places


def _turned(place: Place) -> Place:
    """Exchange across and down."""
    return Place(place.top, place.left, place.height, place.width)


def film_size(name: str, orientation: str = "PORTRAIT") -> tuple[float, float]:
    """Return the width and height of a film in mm.

    Parameters
    ----------
    name
        A Film Size ID, as ``"14INX17IN"`` or ``"A4"``.
    orientation
        ``"PORTRAIT"`` or ``"LANDSCAPE"``.

    Raises
    ------
    ValueFormatError
        When there is no such size or orientation.

    Examples
    --------
    >>> film_size("A4", "LANDSCAPE")
    (297.0, 210.0)
    """
    if name not in FILM_SIZES:
        raise ValueFormatError(f"no film size {name[:40]!r}", hint=f"choose one of {', '.join(FILM_SIZES)}")
    if orientation not in ("PORTRAIT", "LANDSCAPE"):
        raise ValueFormatError(f"no film orientation {orientation[:40]!r}", hint="choose PORTRAIT or LANDSCAPE")
    width, height = FILM_SIZES[name]
    return (height, width) if orientation == "LANDSCAPE" else (width, height)
