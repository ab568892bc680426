"""The tables of an index: a row for each instance, series and study."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from dicomkit.archive.cards import Card

if TYPE_CHECKING:
    from sqlalchemy import MetaData, Table


_BYTES = "\x1bbytes:"


class Row(NamedTuple):
    """An instance as the index knows it."""

    card: Card
    transfer_syntax_uid: str
    path: str
    offset: int
    size: int


class Tables(NamedTuple):
    """The tables; a group, a study or a series, is told of as its first instance is."""

    metadata: MetaData
    instances: Table
    studies: Table
    series: Table

    @property
    def groups(self) -> tuple[tuple[Table, str], ...]:
        """The tables of groups, and their columns of UIDs."""
        return (self.studies, "study_uid"), (self.series, "series_uid")


def make_tables(sa: Any) -> Tables:
    """Make the tables as values of SQLAlchemy."""
    metadata, text = sa.MetaData(), sa.Text
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
    studies = sa.Table(
        "studies",
        metadata,
        sa.Column("study_uid", text, primary_key=True),
        sa.Column("patient_id", text, nullable=False, index=True),
        sa.Column("patient_name", text, nullable=False, index=True),
        sa.Column("study_date", text, nullable=False, index=True),
        sa.Column("accession", text, nullable=False, index=True),
        sa.Column("first", sa.Integer, nullable=False),
    )
    series = sa.Table(
        "series",
        metadata,
        sa.Column("series_uid", text, primary_key=True),
        sa.Column("study_uid", text, nullable=False, index=True),
        sa.Column("modality", text, nullable=False),
        sa.Column("first", sa.Integer, nullable=False),
    )
    return Tables(metadata, instances, studies, series)


def plain(text: str) -> str:
    """Give a text as any database takes it: PostgreSQL has no NUL."""
    return text.replace("\0", "\ufffd") if "\0" in text else text


def _written_path(path: str) -> str:
    """Give a path as text for a database; a name in a folder may be any bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return _BYTES + os.fsencode(path).hex()
    return path


def path_of(written: str) -> str:
    """Read a path as it was written into a table."""
    return os.fsdecode(bytes.fromhex(written.removeprefix(_BYTES))) if written.startswith(_BYTES) else written


def values_of(row: Row) -> dict[str, Any]:
    """Give the values of the columns of an instance."""
    card = row.card
    return {
        "sop_uid": plain(card.sop_instance_uid),
        "series_uid": plain(card.series_instance_uid),
        "study_uid": plain(card.study_instance_uid),
        "patient_id": plain(card.patient_id),
        "patient_name": plain(card.patient_name.upper()),
        "study_date": plain(card.study_date),
        "accession": plain(card.accession_number),
        "modality": plain(card.modality),
        "sop_class": plain(card.sop_class_uid),
        "transfer_syntax": row.transfer_syntax_uid,
        "path": _written_path(row.path),
        "offset": row.offset,
        "size": row.size,
        "attributes": card.attributes,
    }


def row_of(found: Sequence[Any]) -> Row:
    """Read what a SELECT of all columns gave."""
    _, sop, series, study, patient, name, date, accession, modality, sop_class, syntax, path, offset, size, card = found
    found_card = Card(sop_class, sop, series, study, patient, modality, card, name, date, accession)
    return Row(found_card, syntax, path_of(path), offset, size)
