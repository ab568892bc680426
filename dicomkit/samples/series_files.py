"""Write sample series as DICOM files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from dicomkit.encoding.writer import to_part10

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet


def write_series(datasets: Iterable[DataSet], folder: str | Path) -> list[Path]:
    """Write DataSets into a folder, as Part 10 files in Explicit VR Little Endian.

    Parameters
    ----------
    datasets : iterable of DataSet
        What to write; each needs SOP Class UID and SOP Instance UID.
    folder : str or pathlib.Path
        Made where it does not exist.

    Returns
    -------
    list of pathlib.Path
        One path per DataSet, in their order: modality, series and instance number, ".dcm".

    Examples
    --------
    >>> import tempfile
    >>> from dicomkit.samples import ct_series
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in write_series(ct_series(slices=2, size=16), folder)]
    ['CT-003-0001.dcm', 'CT-003-0002.dcm']
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for ds in datasets:
        path = folder / f"{ds.Modality}-{ds.SeriesNumber:03d}-{ds.InstanceNumber:04d}.dcm"
        path.write_bytes(to_part10(ds))
        paths.append(path)
    return paths
