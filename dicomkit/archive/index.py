"""The index of an archive: a row for each instance, series and study, in any database that SQLAlchemy knows."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from dicomkit.archive.errors import IndexFailedError
from dicomkit.archive.index_conditions import narrowed
from dicomkit.archive.index_tables import Row, make_tables, path_of, plain, row_of, values_of
from dicomkit.errors import MissingFeatureError
from dicomkit.query import Query

if TYPE_CHECKING:
    from sqlalchemy import Engine, Select, Table

_STUDY_LEVEL = ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate", "AccessionNumber")
_SERIES_LEVEL = ("SeriesInstanceUID", "StudyInstanceUID", "Modality")
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
_MOST_ROWS_AT_ONCE = 4000
_EXCLUSIVELY = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": "LOCK TABLE instances IN SHARE ROW EXCLUSIVE MODE",
}
"""How a transaction keeps others from changing the tables, and not from reading them."""
GroupUids: TypeAlias = "tuple[str, str, str]"
"""Patient ID, study UID and series UID."""


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
        self._sa, self._is_sqlite = sa, url.startswith("sqlite")
        self._tables = make_tables(sa)
        self._instances = self._tables.instances
        try:
            self._engine = _engine(sa, url)
            self._tables.metadata.create_all(self._engine)
        except sa.exc.SQLAlchemyError as error:
            raise _failed(error) from error
        self._by_uid = sa.select(self._instances).where(self._instances.c.sop_uid == sa.bindparam("uid"))
        self._by_uid_text = str(self._by_uid.compile(dialect=self._engine.dialect))
        self._lock = threading.Lock()
        self._local = threading.local()

    # ---- changing ----------------------------------------------------------------------------------------------

    def add(self, rows: Sequence[Row]) -> None:
        """Add instances; one that is there already is replaced."""
        with self._changing() as connection:
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                self._add(connection, rows[start : start + _ROWS_AT_ONCE])

    @contextmanager
    def _changing(self) -> Iterator[Any]:
        """Let nobody else change the tables meanwhile, here or in another process: what changes depends on them."""
        with self._lock, self._engine.begin() as connection:
            exclusively = _EXCLUSIVELY.get(self._engine.dialect.name)
            if exclusively:
                connection.exec_driver_sql(exclusively)
            yield connection

    def _add(self, connection: Any, rows: Sequence[Row]) -> None:
        """Add or replace; what is replaced keeps its number, and with it its place in the order of answers."""
        sa, instances = self._sa, self._instances
        values = {value["sop_uid"]: value for value in map(values_of, rows)}
        columns = (instances.c.sop_uid, instances.c.id, *(instances.c[name] for _, name in self._tables.groups))
        known = {
            found.sop_uid: found for found in connection.execute(sa.select(*columns).where(columns[0].in_(values)))
        }
        new = [value for uid, value in values.items() if uid not in known]
        if new:
            connection.execute(sa.insert(instances), new)
        if known:
            changed = [{**values[uid], "known_id": found.id} for uid, found in known.items()]
            connection.execute(sa.update(instances).where(instances.c.id == sa.bindparam("known_id")), changed)
        for table, name in self._tables.groups:
            wanted, column = {value[name] for value in values.values()}, table.c[name]
            there = set(connection.scalars(sa.select(column).where(column.in_(wanted))))
            touched = {uid for found in known.values() for uid in (getattr(found, name), values[found.sop_uid][name])}
            self._settle(connection, table, name, (wanted - there) | touched)

    def remove(self, sop_uids: Iterable[str]) -> None:
        """Forget instances, and the series and studies that they were the last of."""
        sa, instances = self._sa, self._instances
        uids = list(map(plain, sop_uids))
        with self._changing() as connection:
            for start in range(0, len(uids), _ROWS_AT_ONCE):
                some = instances.c.sop_uid.in_(uids[start : start + _ROWS_AT_ONCE])
                columns = [instances.c[name] for _, name in self._tables.groups]
                touched = connection.execute(sa.select(*columns).where(some).distinct()).all()
                connection.execute(sa.delete(instances).where(some))
                for place, (table, name) in enumerate(self._tables.groups):
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
        with self._changing() as connection:
            for table in (self._instances, self._tables.series, self._tables.studies):
                connection.execute(self._sa.delete(table))

    # ---- asking ------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        with self._engine.connect() as connection:
            return int(connection.scalar(self._sa.select(self._sa.func.count()).select_from(self._instances)) or 0)

    def find(self, sop_uid: str) -> Row | None:
        """Return the row of an instance."""
        if self._is_sqlite:
            found = self._found(sop_uid)
            return row_of(found[0]) if found else None
        with self._engine.connect() as connection:
            row = connection.execute(self._by_uid, {"uid": plain(sop_uid)}).first()
        return None if row is None else row_of(row)

    def _found(self, sop_uid: str) -> list[tuple[Any, ...]]:
        """Ask SQLite itself, over a connection of this thread: it is asked for each instance that comes."""
        local = self._local
        if not hasattr(local, "connection"):
            local.connection = self._engine.raw_connection()
            local.connection.detach()  # those of a pool are few, and threads may be many
            local.cursor = local.connection.cursor()
        try:
            found: list[tuple[Any, ...]] = local.cursor.execute(self._by_uid_text, (plain(sop_uid),)).fetchall()
        except self._engine.dialect.loaded_dbapi.Error as error:
            raise _failed(error) from error
        return found

    def paths(self) -> Iterator[str]:
        """Give the paths of all instances."""
        with self._engine.connect() as connection:
            yield from map(path_of, connection.scalars(self._sa.select(self._instances.c.path)))

    def rows(self, query: Query) -> Iterator[Row]:
        """Give the instances that the columns of the index don't exclude."""
        statement = self._sa.select(self._instances)
        for keyword, key in query.keys:
            statement = narrowed(statement, self._instances, keyword, key)
        return map(row_of, self._pages(statement))

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
            firsts = firsts if patient is None else narrowed(firsts, instances, "PatientID", patient)
            statement = statement.where(instances.c.id.in_(firsts))
        elif level != "IMAGE":
            table = self._tables.series if level == "SERIES" else self._tables.studies
            statement = statement.join_from(table, instances, table.c.first == instances.c.id)
        for keyword, key in query.keys:
            # What is told of a group is what its first instance says: a table of groups repeats some of it.
            table = instances
            if level == "STUDY" and keyword in _STUDY_LEVEL:
                table = self._tables.studies
            elif level == "SERIES" and keyword in _SERIES_LEVEL:
                table = self._tables.series
            statement = narrowed(statement, table, keyword, key)
        return (tuple(row[:4]) for row in self._pages(statement))

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


def _engine(sa: Any, url: str) -> Engine:
    """Make what gives connections to a database."""
    more: dict[str, Any] = {"pool_pre_ping": True}  # a server may have been started anew
    if url.startswith("sqlite"):
        more = {"connect_args": {"timeout": 30, "check_same_thread": False}}
    try:
        engine: Engine = sa.create_engine(url, **more)
    except ImportError as error:
        kind = url.split(":")[0].split("+")[0]
        raise MissingFeatureError(f"an index in {kind} ({error.name})", kind) from error
    if url.startswith("sqlite"):
        sa.event.listen(engine, "connect", _set_up_sqlite)
    sa.event.listen(engine, "handle_error", _tell)
    return engine


def _set_up_sqlite(connection: Any, _: Any) -> None:
    """Let readers and a writer work at once, and a commit wait for no disk: the files tell what is there."""
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "case_sensitive_like=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _tell(context: Any) -> None:
    """Let what is wrong with a database be one of our errors."""
    context.chained_exception = _failed(context.original_exception)


def _failed(error: BaseException) -> IndexFailedError:
    """Say what is wrong; what the database says of itself is none of the message, which peers may read."""
    return IndexFailedError(
        "the index of the archive can't be used",
        hint=f"the database says: {str(getattr(error, 'orig', error))[:200]}; if it is damaged, it can be deleted, and"
        " reindex() makes it again from the files",
    )
