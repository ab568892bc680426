"""Archives: where instances are kept and found, in memory, or in a folder with an index."""

from dicomkit.archive.errors import (
    ArchiveError,
    ArchiveFullError,
    DuplicateInstanceError,
    IndexFailedError,
    MismatchError,
    NotUnderstoodError,
)
from dicomkit.archive.folder import FolderArchive
from dicomkit.archive.memory import MemoryArchive
from dicomkit.archive.protocol import Archive, Receipt, StoredInstance

__all__ = [
    "Archive",
    "ArchiveError",
    "ArchiveFullError",
    "DuplicateInstanceError",
    "FolderArchive",
    "IndexFailedError",
    "MemoryArchive",
    "MismatchError",
    "NotUnderstoodError",
    "Receipt",
    "StoredInstance",
]
