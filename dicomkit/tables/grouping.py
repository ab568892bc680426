"""From a table of instances to tables of series, studies and patients."""

from __future__ import annotations

import pandas as pd

_FACTS = {
    "PatientID": ("PatientName",),
    "StudyInstanceUID": ("PatientID", "PatientName", "StudyDate", "StudyTime", "StudyDescription"),
    "SeriesInstanceUID": (
        "StudyInstanceUID",
        "PatientID",
        "Modality",
        "SeriesNumber",
        "SeriesDescription",
        "Manufacturer",
        "Rows",
        "Columns",
    ),
}


def series(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per series of a scan, with how many instances, frames and bytes it has.

    Files without Series Instance UID make one row together; unreadable ones are left out.

    Parameters
    ----------
    table
        What `scan` gives, or `to_table` with the columns that are to be grouped.

    Returns
    -------
    pandas.DataFrame
        In the order in which the series appear.

    Examples
    --------
    >>> from dicomkit.dataset.dataset import DataSet
    >>> from dicomkit.tables.to_table import to_table
    >>> table = to_table([DataSet(SeriesInstanceUID="1.2", Modality="CT")] * 2)
    >>> series(table)[["Modality", "instances"]].values.tolist()
    [['CT', 2]]
    """
    return _grouped(table, "SeriesInstanceUID")


def studies(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per study of a scan, with its series, modalities, instances, frames and bytes.

    Parameters
    ----------
    table
        What `scan` gives, or `to_table` with the columns that are to be grouped.

    Returns
    -------
    pandas.DataFrame
        In the order in which the studies appear.

    Examples
    --------
    >>> from dicomkit.dataset.dataset import DataSet
    >>> from dicomkit.tables.to_table import to_table
    >>> table = to_table([DataSet(StudyInstanceUID="1.2", Modality=modality) for modality in ("CT", "CT", "SR")])
    >>> studies(table)[["modalities", "instances"]].values.tolist()
    [['CT\\\\SR', 3]]
    """
    return _grouped(table, "StudyInstanceUID")


def patients(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per patient of a scan, with studies, series, instances, frames and bytes.

    Parameters
    ----------
    table
        What `scan` gives, or `to_table` with the columns that are to be grouped.

    Returns
    -------
    pandas.DataFrame
        In the order in which the patients appear.

    Examples
    --------
    >>> from dicomkit.dataset.dataset import DataSet
    >>> from dicomkit.tables.to_table import to_table
    >>> table = to_table([DataSet(PatientID="A-17"), DataSet(PatientID="A-17")])
    >>> patients(table)[["PatientID", "instances"]].values.tolist()
    [['A-17', 2]]
    """
    return _grouped(table, "PatientID")


def _grouped(table: pd.DataFrame, key: str) -> pd.DataFrame:
    readable = table[table["error"].isna()] if "error" in table else table
    groups = readable.groupby(key, sort=False, dropna=False)
    result = groups[[name for name in _FACTS[key] if name in readable]].first()
    if key != "SeriesInstanceUID" and "Modality" in readable:
        result["modalities"] = groups["Modality"].agg(lambda m: "\\".join(sorted(m.dropna().unique()))).astype("string")
    for name, column in (("studies", "StudyInstanceUID"), ("series", "SeriesInstanceUID")):
        if column in readable and column != key and column not in _FACTS[key]:
            result[name] = groups[column].nunique()
    result["instances"] = groups.size()
    if "NumberOfFrames" in readable:
        frames = readable["NumberOfFrames"].fillna(1).astype("int64")
        result["frames"] = frames.groupby(readable[key], sort=False, dropna=False).sum()
    if "size" in readable:
        result["size"] = groups["size"].sum()
    return result.reset_index()
