"""The index of an archive: a row for each instance, series and study, in any database that SQLAlchemy knows."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from dicomkit.archive.cards import Card
from dicomkit.archive.errors import IndexFailedError
from dicomkit.errors import MissingFeatureError
from dicomkit.query import EMPTY, Key, Query
from dicomkit.values.temporal_range import TemporalRange

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select, Table

_COLUMNS = {
    "PatientID": "patient_id",
    "StudyInstanceUID": "study_uid",
    "SeriesInstanceUID": "series_uid",
    "SOPInstanceUID": "sop_uid",
    "SOPClassUID": "sop_class",
    "Modality": "modality",
    "AccessionNumber": "accession",
    "StudyDate": "study_date",
    "PatientName": "patient_name",
}
"""Which attributes have a column of their own; what else is asked for is looked up on the cards."""
_EXACT = (
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "SOPClassUID",
    "Modality",
    "PatientID",
    "AccessionNumber",
)
_STUDY_LEVEL = ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate", "AccessionNumber")
_SERIES_LEVEL = ("SeriesInstanceUID", "StudyInstanceUID", "Modality")
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
_COUNTS = {
    "patient_id": {
        "NumberOfPatientRelatedStudies": "study_uid",
        "NumberOfPatientRelatedSeries": "series_uid",
        "NumberOfPatientRelatedInstances": "id",
    },
    "study_uid": {"NumberOfStudyRelatedSeries": "series_uid", "NumberOfStudyRelatedInstances": "id"},
    "series_uid": {"NumberOfSeriesRelatedInstances": "id"},
}
"""What is counted of a patient, a study and a series."""
_LISTS = {"ModalitiesInStudy": "modality", "SOPClassesInStudy": "sop_class"}
_ROWS_AT_ONCE = 500
_IS_THERE = "SELECT 1 FROM instances WHERE sop_uid = ?"
_MOST_ROWS_AT_ONCE = 4000
_MOST_LISTED, _MOST_PATTERNS, _LONGEST_PATTERN = 10_000, 100, 1000
"""How much of a query a database is asked, which all have limits; the cards tell the rest."""
GroupUids: TypeAlias = "tuple[str, str, str]"
"""Patient ID, study UID and series UID."""


class Row(NamedTuple):
    """An instance as the index knows it."""

    card: Card
    transfer_syntax_uid: str
    path: str
    offset: int
    size: int


class Index:
    """The tables, and a connection to them for each thread.

    Parameters
    ----------
    url
        Of the database, as SQLAlchemy writes it.

    Raises
    ------
    MissingFeatureError
        When SQLAlchemy isn't installed.
    """

    def __init__(self, url: str) -> None:
        try:
            import sqlalchemy as sa
        except ImportError as error:
            raise MissingFeatureError("an archive with an index", "archive") from error
        self._sa = sa
        connect_args = {"timeout": 30, "check_same_thread": False} if url.startswith("sqlite") else {}
        self._engine = sa.create_engine(url, connect_args=connect_args)
        if url.startswith("sqlite"):
            sa.event.listen(self._engine, "connect", _set_up_sqlite)
        sa.event.listen(self._engine, "handle_error", _tell)
        try:
            self._instances = self._tables()
        except sa.exc.SQLAlchemyError as error:
            raise _failed(error) from error
        self._lock = threading.Lock()
        self._local = threading.local()
        self._is_sqlite = url.startswith("sqlite")

    def _tables(self) -> Table:
        sa = self._sa
        metadata = sa.MetaData()
        text = sa.Text
        instances = sa.Table(
            "instances",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("sop_uid", text, nullable=False, unique=True),
            sa.Column("series_uid", text, nullable=False),
            sa.Column("study_uid", text, nullable=False),
            sa.Column("patient_id", text, nullable=False),
            sa.Column("patient_name", text, nullable=False),
            sa.Column("study_date", text, nullable=False),
            sa.Column("accession", text, nullable=False),
            sa.Column("modality", text, nullable=False),
            sa.Column("sop_class", text, nullable=False),
            sa.Column("transfer_syntax", text, nullable=False),
            sa.Column("path", text, nullable=False),
            sa.Column("offset", sa.Integer, nullable=False),
            sa.Column("size", sa.BigInteger, nullable=False),
            sa.Column("attributes", sa.LargeBinary, nullable=False),
        )
        sa.Index("by_series", instances.c.series_uid, instances.c.sop_uid)
        sa.Index("by_patient", instances.c.patient_id, instances.c.study_uid, instances.c.series_uid)
        sa.Index("by_study", instances.c.study_uid, instances.c.series_uid, instances.c.modality)
        self._studies = sa.Table(
            "studies",
            metadata,
            sa.Column("study_uid", text, primary_key=True),
            sa.Column("patient_id", text, nullable=False, index=True),
            sa.Column("patient_name", text, nullable=False, index=True),
            sa.Column("study_date", text, nullable=False, index=True),
            sa.Column("accession", text, nullable=False, index=True),
            sa.Column("first", sa.Integer, nullable=False),
        )
        self._series = sa.Table(
            "series",
            metadata,
            sa.Column("series_uid", text, primary_key=True),
            sa.Column("study_uid", text, nullable=False, index=True),
            sa.Column("modality", text, nullable=False),
            sa.Column("first", sa.Integer, nullable=False),
        )
        metadata.create_all(self._engine)
        table: Table = instances
        return table

    # ---- changing ----------------------------------------------------------------------------------------------

    def add(self, rows: Sequence[Row]) -> None:
        """Add instances; one that is there already is replaced."""
        with self._lock, self._engine.begin() as connection:
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                self._add(connection, rows[start : start + _ROWS_AT_ONCE])

    def _add(self, connection: Any, rows: Sequence[Row]) -> None:
        """Add or replace; what is replaced keeps its number, and with it its place in the order of answers."""
        sa, instances = self._sa, self._instances
        values = {row.card.sop_instance_uid: _values(row) for row in rows}
        columns = (instances.c.sop_uid, instances.c.id, *(instances.c[name] for _, name in self._grouped()))
        known = {
            found.sop_uid: found for found in connection.execute(sa.select(*columns).where(columns[0].in_(values)))
        }
        new = [value for uid, value in values.items() if uid not in known]
        if new:
            connection.execute(sa.insert(instances), new)
        if known:
            changed = [{**values[uid], "known_id": found.id} for uid, found in known.items()]
            connection.execute(sa.update(instances).where(instances.c.id == sa.bindparam("known_id")), changed)
        for table, name in self._grouped():
            wanted, column = {value[name] for value in values.values()}, table.c[name]
            there = set(connection.scalars(sa.select(column).where(column.in_(wanted))))
            touched = {uid for found in known.values() for uid in (getattr(found, name), values[found.sop_uid][name])}
            self._settle(connection, table, name, (wanted - there) | touched)

    def _grouped(self) -> tuple[tuple[Table, str], ...]:
        return (self._studies, "study_uid"), (self._series, "series_uid")

    def remove(self, sop_uids: Iterable[str]) -> None:
        """Forget instances, and the series and studies that they were the last of."""
        sa, instances = self._sa, self._instances
        uids = list(sop_uids)
        with self._lock, self._engine.begin() as connection:
            for start in range(0, len(uids), _ROWS_AT_ONCE):
                some = instances.c.sop_uid.in_(uids[start : start + _ROWS_AT_ONCE])
                columns = [instances.c[name] for _, name in self._grouped()]
                touched = connection.execute(sa.select(*columns).where(some).distinct()).all()
                connection.execute(sa.delete(instances).where(some))
                for place, (table, name) in enumerate(self._grouped()):
                    self._settle(connection, table, name, {row[place] for row in touched})

    def _settle(self, connection: Any, table: Table, name: str, uids: Collection[str]) -> None:
        """Make the rows of groups right: what is told of one is what its first instance says."""
        if not uids:
            return
        sa, instances = self._sa, self._instances
        group = instances.c[name]
        firsts = sa.select(sa.func.min(instances.c.id)).where(group.in_(uids)).group_by(group)
        names = [column.name for column in table.columns if column.name != "first"]
        of_first = sa.select(*(instances.c[each] for each in names), instances.c.id).where(instances.c.id.in_(firsts))
        connection.execute(sa.delete(table).where(table.c[name].in_(uids)))
        connection.execute(sa.insert(table).from_select([*names, "first"], of_first))

    def clear(self) -> None:
        """Forget everything."""
        with self._lock, self._engine.begin() as connection:
            for table in (self._instances, self._series, self._studies):
                connection.execute(self._sa.delete(table))

    # ---- asking ------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        with self._engine.connect() as connection:
            return int(connection.scalar(self._sa.select(self._sa.func.count()).select_from(self._instances)) or 0)

    def find(self, sop_uid: str) -> Row | None:
        """Return the row of an instance."""
        local = self._local
        if not hasattr(local, "connection"):  # one for each thread, as this is asked for each instance that comes
            local.connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            local.connection.detach()  # those of a pool are few, and threads may be many
            local.statement = self._sa.select(self._instances).where(
                self._instances.c.sop_uid == self._sa.bindparam("uid")
            )
        # Most are new: that is seen quicker without a statement of SQLAlchemy.
        if self._is_sqlite and local.connection.exec_driver_sql(_IS_THERE, (sop_uid,)).first() is None:
            return None
        found = local.connection.execute(local.statement, {"uid": sop_uid}).first()
        return None if found is None else _row(found)

    def paths(self) -> Iterator[str]:
        """Give the paths of all instances."""
        with self._engine.connect() as connection:
            yield from connection.scalars(self._sa.select(self._instances.c.path))

    def rows(self, query: Query) -> Iterator[Row]:
        """Give the instances that the columns of the index don't exclude."""
        statement = self._sa.select(self._instances)
        for keyword, key in query.keys:
            statement = self._where(statement, self._instances, keyword, key)
        return map(_row, self._pages(statement))

    def _pages(self, statement: Select[Any]) -> Iterator[Any]:
        """Give rows in the order of their numbers; no connection is held while they are looked at, however long."""
        number, last, size = self._instances.c.id, None, _ROWS_AT_ONCE
        while True:
            page = statement if last is None else statement.where(number > last)
            with self._engine.connect() as connection:
                found = connection.execute(page.order_by(number).limit(size)).all()
            yield from found
            if len(found) < size:
                return
            last, size = found[-1].id, min(2 * size, _MOST_ROWS_AT_ONCE)

    def groups(self, query: Query) -> Iterator[tuple[Any, ...]]:
        """Give what the columns don't exclude of the groups of a level: attributes of the first instance, and its UIDs.

        The UIDs are those of patient, study and series.
        """
        sa, instances = self._sa, self._instances
        level = query.level or "IMAGE"
        columns = (instances.c.attributes, instances.c.patient_id, instances.c.study_uid, instances.c.series_uid)
        statement = sa.select(*columns, instances.c.id)
        if level == "PATIENT":
            firsts = sa.select(sa.func.min(instances.c.id)).group_by(instances.c.patient_id)
            patient = query.get("PatientID")
            firsts = firsts if patient is None else self._where(firsts, instances, "PatientID", patient)
            statement = statement.where(instances.c.id.in_(firsts))
        elif level != "IMAGE":
            table = self._series if level == "SERIES" else self._studies
            statement = statement.join_from(table, instances, table.c.first == instances.c.id)
        for keyword, key in query.keys:
            # What is told of a group is what its first instance says: a table of groups repeats some of it.
            table = instances
            if level == "STUDY" and keyword in _STUDY_LEVEL:
                table = self._studies
            elif level == "SERIES" and keyword in _SERIES_LEVEL:
                table = self._series
            statement = self._where(statement, table, keyword, key)
        return (tuple(row[:4]) for row in self._pages(statement))

    def decides(self, query: Query) -> bool:
        """Whether the columns exclude all that doesn't match, so that nothing else has to be looked at."""
        return all(
            keyword in _UIDS and isinstance(key, (str, tuple)) and _is_listed(key) for keyword, key in query.keys if key
        )

    def _where(self, statement: Select[Any], table: Table, keyword: str, key: Key) -> Select[Any]:
        """Narrow a statement by a key, as far as a column can tell; never beyond what the key means."""
        name = _COLUMNS.get(keyword)
        if name is None or name not in table.c or not key or not isinstance(key, (str, tuple)):
            return statement
        values = (key,) if isinstance(key, str) else key
        if keyword in _EXACT and _is_listed(key):
            return statement.where(table.c[name].in_([str(value) for value in values]))
        if len(values) > _MOST_PATTERNS or any(len(str(value)) > _LONGEST_PATTERN for value in values):
            return statement
        conditions = [self._condition(table.c[name], keyword, str(value)) for value in values]
        known = [condition for condition in conditions if condition is not None]
        return statement.where(self._sa.or_(*known)) if len(known) == len(conditions) else statement

    def _condition(self, column: ColumnElement[str], keyword: str, value: str) -> ColumnElement[bool] | None:
        if value == EMPTY:
            return None
        if keyword in _EXACT:
            return self._pattern(column, value) if "*" in value or "?" in value else column == value
        if keyword == "PatientName":
            start = value.split("=")[0].split("*")[0].split("?")[0].strip(" ").rstrip("^ ").upper()
            # What begins with it lies between it and its successor; other groups of a name may match too.
            return self._pattern(column, f"*{start}*") if start.isascii() and start else None
        try:
            bounds = TemporalRange.of(value, "DA")
        except ValueError:
            return None
        start_text, end_text = str(bounds.start or ""), str(bounds.end or "")
        if len(start_text) not in (0, 8) or len(end_text) not in (0, 8):
            return None
        conditions = [column >= start_text] if start_text else []
        if end_text:
            conditions.append(column <= end_text)
        return self._sa.or_(self._sa.and_(*conditions), self._sa.func.length(column) != 8)

    def _pattern(self, column: ColumnElement[str], value: str) -> ColumnElement[bool]:
        escaped = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return column.like(escaped.replace("*", "%").replace("?", "_"), escape="\\")

    def facts(self, wanted: Collection[str], groups: Sequence[GroupUids]) -> list[dict[str, Any]]:
        """Compute what is told of each of some groups, by the keywords that are wanted: a statement for each level."""
        found: list[dict[str, Any]] = [{} for _ in groups]
        if not wanted:
            return found
        with self._engine.connect() as connection:
            for position, (name, counts) in enumerate(_COUNTS.items()):
                uids = {group[position] for group in groups}
                for keyword, facts in self._facts(connection, name, counts, set(wanted), uids).items():
                    for group, row in zip(groups, found, strict=True):
                        row[keyword] = facts.get(group[position])
        return (
            found
            if "InstanceAvailability" not in wanted
            else [{**row, "InstanceAvailability": "ONLINE"} for row in found]
        )

    def _facts(
        self, connection: Any, name: str, counts: dict[str, str], wanted: set[str], uids: Collection[str]
    ) -> dict[str, dict[str, Any]]:
        """Compute the facts of groups of one kind, by keyword and UID."""
        sa, columns = self._sa, self._instances.c
        group = columns[name]
        facts: dict[str, dict[str, Any]] = {}
        counted = [keyword for keyword in counts if keyword in wanted]
        if counted:
            what = [
                sa.func.count() if counts[word] == "id" else sa.func.count(columns[counts[word]].distinct())
                for word in counted
            ]
            rows = connection.execute(sa.select(group, *what).where(group.in_(uids)).group_by(group)).all()
            for place, keyword in enumerate(counted, 1):
                facts[keyword] = {row[0]: row[place] for row in rows}
        for keyword, listed in _LISTS.items() if name == "study_uid" else ():
            if keyword in wanted:
                values: dict[str, list[str]] = {}
                statement = sa.select(group, columns[listed]).where(group.in_(uids), columns[listed] != "").distinct()
                for uid, value in connection.execute(statement):
                    values.setdefault(uid, []).append(value)
                facts[keyword] = {uid: sorted(entries) for uid, entries in values.items()}
        return facts

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


def _set_up_sqlite(connection: Any, _: Any) -> None:
    """Let readers and a writer work at once, and a commit wait for no disk: the files tell what is there."""
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "case_sensitive_like=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _tell(context: Any) -> None:
    """Let what is wrong with a database be one of our errors."""
    context.chained_exception = _failed(context.original_exception)


def _failed(error: BaseException) -> IndexFailedError:
    return IndexFailedError(
        f"the index of the archive: {str(getattr(error, 'orig', error))[:200]}",
        hint="an index that is damaged can be deleted: reindex() makes it again from the files",
    )


def _is_listed(key: str | tuple[Any, ...]) -> bool:
    """Whether a key is a list of values, as a database compares them."""
    values = [key] if isinstance(key, str) else key
    return len(values) <= _MOST_LISTED and not any(
        value == EMPTY or "*" in str(value) or "?" in str(value) for value in values
    )


def _values(row: Row) -> dict[str, Any]:
    card = row.card
    found = card.to_dataset()
    return {
        "sop_uid": card.sop_instance_uid,
        "series_uid": card.series_instance_uid,
        "study_uid": card.study_instance_uid,
        "patient_id": card.patient_id,
        "patient_name": str(found.get("PatientName") or "").upper(),
        "study_date": str(found.get("StudyDate") or ""),
        "accession": str(found.get("AccessionNumber") or ""),
        "modality": card.modality,
        "sop_class": card.sop_class_uid,
        "transfer_syntax": row.transfer_syntax_uid,
        "path": row.path,
        "offset": row.offset,
        "size": row.size,
        "attributes": card.attributes,
    }


def _row(found: Any) -> Row:
    card = Card(
        found.sop_class,
        found.sop_uid,
        found.series_uid,
        found.study_uid,
        found.patient_id,
        found.modality,
        found.attributes,
    )
    return Row(card, found.transfer_syntax, found.path, found.offset, found.size)
