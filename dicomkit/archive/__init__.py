"""Archives: where instances are kept and found, in memory, or in a folder with an index; worklists and steps."""

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
from dicomkit.archive.performed_steps import MemorySteps, SqliteSteps
from dicomkit.archive.protocol import Archive, Receipt, StoredInstance
from dicomkit.archive.transactions import Transactions
from dicomkit.archive.workitems import Workitems
from dicomkit.archive.worklist import FolderWorklist, MemoryWorklist

__all__ = [
    "Archive",
    "ArchiveError",
    "ArchiveFullError",
    "DuplicateInstanceError",
    "FolderArchive",
    "FolderWorklist",
    "IndexFailedError",
    "MemoryArchive",
    "MemorySteps",
    "MemoryWorklist",
    "MismatchError",
    "NotUnderstoodError",
    "Receipt",
    "SqliteSteps",
    "StoredInstance",
    "Transactions",
    "Workitems",
]
