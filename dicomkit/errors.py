"""Every error that dicomkit raises belongs to one tree, and says where the trouble is and what to do.

::

    DicomError
    ├── ReadError                bytes that can't be parsed as DICOM
    │   └── TruncatedError       they end too early
    ├── SourceError              a path, URL or archive member can't be opened or read   (also OSError)
    ├── ValueFormatError         a value breaks the rules of its VR                      (also ValueError)
    ├── MissingElementError      an element that is not there                            (also KeyError, AttributeError)
    ├── PixelError               a frame can't be described or decoded
    ├── GeometryError            slices don't make a volume
    ├── QueryError               a query that can't be understood
    ├── UnsupportedError         known to DICOM, not supported here
    └── MissingFeatureError      an optional dependency is not installed                 (also ImportError)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


class DicomError(Exception):
    """The root of the tree: a message, and where known the tag, byte offset, path and a hint of what to do.

    Examples
    --------
    >>> print(DicomError("value runs past the end", tag=0x00100010, offset=132))
    value runs past the end [tag (0010,0010), offset 132]
    """

    def __init__(
        self,
        message: str,
        *,
        tag: int | None = None,
        offset: int | None = None,
        path: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.tag = tag
        self.offset = offset
        self.path = path
        self.hint = hint

    def __str__(self) -> str:
        places = []
        if self.tag is not None:
            places.append(f"tag ({self.tag >> 16:04X},{self.tag & 0xFFFF:04X})")
        if self.offset is not None:
            places.append(f"offset {self.offset}")
        if self.path is not None:
            places.append(f"path {self.path}")
        text = f"{self.message} [{', '.join(places)}]" if places else self.message
        return f"{text}; {self.hint}" if self.hint else text

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.__dict__)


def _rebuild(kind: type[DicomError], state: dict[str, Any]) -> DicomError:
    """Make an unpickled error, whatever arguments its class takes."""
    error = kind.__new__(kind, state.get("message", ""))
    error.__dict__.update(state)
    return error


class ReadError(DicomError):
    """Bytes that can't be parsed as DICOM."""


class TruncatedError(ReadError):
    """Bytes that end before the structure they announce."""


class SourceError(DicomError, OSError):
    """A path, URL or archive member that can't be opened or read, or that changed since it was."""


class ValueFormatError(DicomError, ValueError):
    """A value that breaks the rules of its value representation (PS3.5 6.2)."""


class MissingElementError(DicomError, KeyError, AttributeError):
    """An element, item or attribute that is not in the data set."""

    __str__ = DicomError.__str__


class PixelError(DicomError):
    """A frame that can't be described or decoded; ``frame`` is its index, from 0."""

    def __init__(self, message: str, *, frame: int | None = None, **where: Any) -> None:
        super().__init__(message if frame is None else f"frame {frame}: {message}", **where)
        self.frame = frame


class GeometryError(DicomError):
    """Slices that don't make one regular volume; ``table`` shows what is irregular."""

    def __init__(self, message: str, *, table: pd.DataFrame | None = None, **where: Any) -> None:
        super().__init__(message, **where)
        self.table = table


class QueryError(DicomError):
    """A query whose keys or values can't be understood."""


class UnsupportedError(DicomError):
    """Something that DICOM knows and this library does not support; the message names it."""


class MissingFeatureError(DicomError, ImportError):
    """An optional dependency that is not installed; names the feature and the extra that brings it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional dependency", hint=f"pip install 'dicomkit[{extra}]'")
        self.feature = feature
        self.extra = extra
