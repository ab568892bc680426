"""Why an archive doesn't take an instance, with the status that says so on the wire (PS3.4 B.2.3, PS3.7 C.5)."""

from __future__ import annotations

from dicomkit.errors import DicomError


class ArchiveError(DicomError):
    """An instance that an archive doesn't take; ``status`` is the answer of a provider."""

    status = 0xC000


class ArchiveFullError(ArchiveError):
    """There is no room for it."""

    status = 0xA700


class IndexFailedError(ArchiveError):
    """Its database can't be read or written."""

    status = 0xA700


class DuplicateInstanceError(ArchiveError):
    """It is there already, and the archive was told to refuse it then."""

    status = 0x0111


class MismatchError(ArchiveError):
    """Its data set says that it is something else than was announced."""

    status = 0xA900


class NotUnderstoodError(ArchiveError):
    """Its data set can't be read, or lacks a UID that it must have."""

    status = 0xC000
