"""An archive in a folder: a file for each instance, named by a template, and an index beside them."""

from __future__ import annotations

import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain, islice

from dicomkit.archive.answers import COMPUTED, answering, asks_about_group, wanted_keywords
from dicomkit.archive.cards import make_card, read_card
from dicomkit.archive.encoded_answers import encoded_answering
from dicomkit.archive.errors import ArchiveFullError, DuplicateInstanceError
from dicomkit.archive.folder_receipt import Before, FolderReceipt
from dicomkit.archive.index import Index
from dicomkit.archive.index_conditions import decides
from dicomkit.archive.index_tables import Row
from dicomkit.archive.place import DEFAULT_TEMPLATE, placing
from dicomkit.archive.protocol import IRREGULAR, Check, StoredInstance
from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.outgoing import outgoing
from dicomkit.display.html import Markup, card
from dicomkit.encoding.writer import iter_part10
from dicomkit.errors import DicomError, SourceError
from dicomkit.files.read import read
from dicomkit.new_file import PREFIX, NewFile, remove_unfinished
from dicomkit.opening import Readable
from dicomkit.query import Query, matcher
from dicomkit.sources import Bulk
from dicomkit.tables.find_files import find_files

INDEX_NAME = ".dicomkit-index.sqlite"
_DIRTY_NAME = PREFIX + "pending"
_FLUSH_AFTER = 0.05
_MOST_PENDING, _MOST_GROUPS = 1024, 256
_FIRST_BATCH = 32
_LOCKS = 64


class FolderArchive:
    """Instances in a folder, found through an index.

    An instance is in its place, whole, before it is answered for. Its row follows within a fraction of a second, and
    before any search of this archive; what a crash left without a row is found again when the archive is opened.

    Parameters
    ----------
    folder
        Where the files are; it is made where it doesn't exist.
    index
        URL of the database, as SQLAlchemy writes it; by default an SQLite file in the folder.
    template
        How files are named, by keywords of attributes.
    duplicates
        What becomes of an instance that is there already: ``"keep"`` the first, ``"replace"`` it, ``"refuse"``.
    min_free
        Bytes that must stay free on the disk; below that nothing is taken.
    durable
        Whether to wait until each file is on the disk.

    Raises
    ------
    MissingFeatureError
        When SQLAlchemy isn't installed (extra ``archive``).
    ValueFormatError
        When the template can't be one.

    Examples
    --------
    >>> import tempfile
    >>> from dicomkit.query import query
    >>> from dicomkit.samples import ct_series
    >>> with tempfile.TemporaryDirectory() as folder, FolderArchive(folder) as archive:
    ...     for ds in ct_series(2, 8):
    ...         _ = archive.store(ds)
    ...     [(match.Modality, match.NumberOfStudyRelatedInstances) for match in archive.search(
    ...         query("series", return_keys=["Modality", "NumberOfStudyRelatedInstances"]))]
    [('CT', 2)]
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        index: str | None = None,
        template: str = DEFAULT_TEMPLATE,
        duplicates: str = "keep",
        min_free: int = 64 << 20,
        durable: bool = False,
    ) -> None:
        self.folder = os.path.abspath(os.fspath(folder))
        self.duplicates = duplicates
        self.min_free = min_free
        self.durable = durable
        self._place = placing(template)
        os.makedirs(self.folder, exist_ok=True)
        self._index = Index(index or f"sqlite:///{os.path.join(self.folder, INDEX_NAME)}")
        self._pending: dict[str, Row] = {}
        self._expected = self._written = 0
        self._mark = os.path.join(self.folder, f"{_DIRTY_NAME}-{secrets.token_hex(4)}")
        self._lock = threading.RLock()
        self._of_uid = tuple(threading.Lock() for _ in range(_LOCKS))
        self._flushing = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        self._last_note = 0.0
        self._thread: threading.Thread | None = None
        remove_unfinished(self.folder)
        if self._marks():
            self.reindex(only_new=True)

    # ---- asking ------------------------------------------------------------------------------------------------

    def search(self, query: Query, *, offset: int = 0, limit: int | None = None) -> Iterator[DataSet]:
        """Give a data set for each match on the level of the query, with what it asks for."""
        self._flush()
        return islice(self._matches(query), offset, None if limit is None else offset + limit)

    def search_encoded(self, query: Query, constants: Mapping[str, str]) -> Iterator[bytes] | None:
        """Give the answers of a plain search in Explicit VR Little Endian; None where `search` has to be asked.

        Parameters
        ----------
        constants
            What every answer holds beside what was asked for, by keyword.
        """
        answer = encoded_answering(query, constants)
        if answer is None or not decides(query):
            return None
        self._flush()
        return (answer(row[0]) for row in self._index.groups(query))

    def _matches(self, query: Query) -> Iterator[DataSet]:
        """Give the answers, a batch at a time: what is told of groups is computed for those of a batch at once."""
        answer = answering(query)
        computed = [keyword for keyword in wanted_keywords(query) if keyword in COMPUTED]
        about_group = asks_about_group(query)
        test = matcher(query)
        groups = self._index.groups(query)
        size = _FIRST_BATCH
        while batch := list(islice(groups, size)):
            size = _MOST_GROUPS
            cards = [(read_card(row[0]), (row[1], row[2], row[3])) for row in batch]
            if not about_group:  # nothing is computed for what doesn't match anyway
                cards = [(found, uids) for found, uids in cards if test(found)]
            facts = self._index.facts(computed, [uids for _, uids in cards])
            for (found, _), told in zip(cards, facts, strict=True):
                if (match := answer(found, told)) is not None:
                    yield match

    def fetch(self, query: Query) -> Iterator[StoredInstance]:
        """Give every instance that the keys of a query denote."""
        self._flush()
        test = matcher(query)
        return (self._stored(row) for row in self._index.rows(query) if test(row.card.to_dataset()))

    def _stored(self, row: Row) -> StoredInstance:
        path = os.path.join(self.folder, row.path)
        return StoredInstance(*row.card[:4], row.transfer_syntax_uid, path, row.size, row.offset)

    def __len__(self) -> int:
        self._flush()
        return len(self._index)

    def __repr__(self) -> str:
        return f"<FolderArchive {self.folder!r}: {len(self)} instances>"

    def _repr_html_(self) -> Markup:
        return card(
            "FolderArchive", [("folder", self.folder), ("instances", len(self)), ("duplicates", self.duplicates)]
        )

    # ---- taking ------------------------------------------------------------------------------------------------

    def receive(
        self,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        *,
        calling_ae: str = "",
        check: Check | None = None,
    ) -> FolderReceipt:
        """Begin to receive an instance.

        Raises
        ------
        ArchiveFullError
            When there is too little room on the disk.
        DuplicateInstanceError
            When it is there already, and duplicates are refused.
        """
        if shutil.disk_usage(self.folder).free < self.min_free:
            raise ArchiveFullError("the disk of the archive is full")
        if len(self._pending) >= _MOST_PENDING:  # here, where the peer still sends, it costs nobody time
            self._flush()
        written = self._written  # before looking: rows that are written meanwhile make it look again
        before = Before(self._present(sop_instance_uid), written)
        if before.row is not None and self.duplicates == "refuse":
            raise DuplicateInstanceError("the instance is in the archive already")
        return FolderReceipt(self, check, before, sop_class_uid, sop_instance_uid, transfer_syntax_uid, calling_ae)

    def store(self, instance: DataSet | Readable) -> StoredInstance:
        """Put an instance of one's own into the archive.

        Raises
        ------
        ArchiveError
            When it isn't taken.
        """
        ds = instance if isinstance(instance, DataSet) else read(instance)
        receipt = self.receive(str(ds.get("SOPClassUID")), str(ds.get("SOPInstanceUID")), ds.transfer_syntax.uid)
        try:
            for number, chunk in enumerate(iter_part10(ds)):
                receipt.write([chunk]) if number else receipt.begin(chunk)
            return receipt.commit()
        except BaseException:
            receipt.discard()
            raise

    def place(self, ds: DataSet) -> str:
        """Return where the file of an instance goes, relative to the folder."""
        return self._place(ds)

    def put(self, file: NewFile, row: Row, before: Before) -> StoredInstance:
        """Give the file of an instance its place, and note its row; ``before`` is what was known when it began."""
        uid = row.card.sop_instance_uid
        with self._of_uid[hash(uid) % len(self._of_uid)]:  # the same instance may come twice at once
            known = self._pending.get(uid) or (before.row if before.written == self._written else self._row(uid))
            if known is not None and not os.path.exists(os.path.join(self.folder, known.path)):
                known = None
            if known is not None and self.duplicates == "keep":
                file.discard()
                return self._stored(known)
            if known is not None and self.duplicates == "refuse":
                raise DuplicateInstanceError("the instance is in the archive already")
            self._expect()
            try:
                file.commit(os.path.join(self.folder, row.path), durable=self.durable)
                with self._lock:
                    self._pending[uid] = row
                    self._last_note = time.monotonic()
            finally:
                with self._lock:
                    self._expected -= 1
                    self._settle()
            if known is not None and known.path != row.path and not os.path.isabs(known.path):
                with suppress(OSError):
                    os.unlink(os.path.join(self.folder, known.path))
        self._wake.set()
        return self._stored(row)

    def _row(self, sop_instance_uid: str) -> Row | None:
        return self._pending.get(sop_instance_uid) or self._index.find(sop_instance_uid)

    def _present(self, sop_instance_uid: str) -> Row | None:
        """Return the row of an instance whose file is still there."""
        row = self._row(sop_instance_uid)
        return row if row is not None and os.path.exists(os.path.join(self.folder, row.path)) else None

    # ---- the index ---------------------------------------------------------------------------------------------

    def _expect(self) -> None:
        """Tell whoever opens the archive after a crash that a file may be without its row, before it is."""
        with self._lock:
            self._expected += 1
            if not os.path.exists(self._mark):
                try:
                    with open(self._mark, "wb"):
                        pass
                except OSError as error:
                    self._expected -= 1
                    failure = SourceError(f"can't write a file: {error.strerror}", path=self._mark)
                    failure.errno = error.errno
                    raise failure from error
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_behind, name="dicomkit index", daemon=True)
                self._thread.start()

    def _write_behind(self) -> None:
        """Write the rows that wait once no more come: while they do, whoever brings them writes them."""
        while not self._closed:
            self._wake.wait()
            self._wake.clear()
            while not self._closed and (quiet := time.monotonic() - self._last_note) < _FLUSH_AFTER:
                time.sleep(_FLUSH_AFTER - quiet)
            with suppress(Exception):  # the rows still wait then, and the next search says what is wrong
                self._flush()

    def _flush(self) -> None:
        """Write the rows that wait."""
        with self._flushing:
            with self._lock:
                rows = list(self._pending.values())
            if not rows:
                return
            self._index.add(rows)
            with self._lock:
                for row in rows:
                    if self._pending.get(row.card.sop_instance_uid) is row:
                        del self._pending[row.card.sop_instance_uid]
                self._written += 1
                self._settle()

    def _settle(self) -> None:
        """Take the mark away when no file is without its row."""
        if not self._pending and not self._expected:
            with suppress(OSError):
                os.unlink(self._mark)

    def take_in(self, folder: str | os.PathLike[str]) -> int:
        """Index the files of a folder where they are, without copying them, and return how many there are."""
        return self._index_files(find_files(folder))

    def reindex(self, *, only_new: bool = False) -> int:
        """Make the index again, and return how many instances were added.

        It is made from the files of the folder, and from those elsewhere that were taken in and that it still knows.

        Parameters
        ----------
        only_new
            Whether to leave the rows that there are, and add those that are missing.
        """
        self._flush()
        marks, known = self._marks(), set(self._index.paths())
        elsewhere = [] if only_new else sorted(path for path in known if os.path.isabs(path))
        if not only_new:
            self._index.clear()
            known = set()
        files = (path for path in find_files(self.folder) if not os.path.basename(path).startswith("."))
        added = self._index_files(path for path in chain(files, elsewhere) if self._relative(path) not in known)
        for mark in marks:
            with suppress(OSError):
                os.unlink(mark)
        return added

    def _marks(self) -> list[str]:
        """List what archives left, here and in other processes, that may have files without rows."""
        with os.scandir(self.folder) as entries:
            return [entry.path for entry in entries if entry.name.startswith(_DIRTY_NAME)]

    def _relative(self, path: str) -> str:
        relative = os.path.relpath(os.path.abspath(path), self.folder)
        return os.path.abspath(path) if relative.startswith("..") else relative.replace(os.sep, "/")

    def _index_files(self, files: Iterable[str]) -> int:
        rows: list[Row] = []
        count = 0
        for path in files:
            with suppress(DicomError):
                rows.append(self._row_of(path))
                count += 1
            if len(rows) >= _MOST_PENDING:
                self._index.add(rows)
                rows.clear()
        if rows:
            self._index.add(rows)
        return count

    def _row_of(self, path: str) -> Row:
        ds = read(path, stop_before="PixelData")
        data = outgoing(path).data()
        offset, size = (data.offset, len(data)) if isinstance(data, Bulk) else (IRREGULAR, os.stat(path).st_size)
        return Row(make_card(ds), ds.transfer_syntax.uid, self._relative(path), offset, size)

    def delete(self, query: Query) -> int:
        """Remove every instance that the keys of a query denote, with its file, and return how many there were."""
        found = list(self.fetch(query))
        self._index.remove(stored.sop_instance_uid for stored in found)
        for stored in found:
            if stored.path is not None and stored.path.startswith(self.folder + os.sep):
                with suppress(OSError):
                    os.unlink(stored.path)
        return len(found)

    def close(self) -> None:
        """Write what waits, and let go of the database."""
        self._flush()
        self._closed = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(5)
        self._index.close()

    def __enter__(self) -> FolderArchive:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
