"""To and from pydicom, so that what people already have keeps working."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.encoding.writer import to_part10
from dicomkit.errors import DicomError, MissingFeatureError, ReadError
from dicomkit.files.read import read

if TYPE_CHECKING:
    import pydicom


def to_pydicom(ds: DataSet) -> pydicom.Dataset:
    """Turn a DataSet into a pydicom Dataset, with file meta information.

    Values that nobody changed go over byte for byte.

    Parameters
    ----------
    ds
        It is encoded in its own transfer syntax, pixel data included.

    Returns
    -------
    pydicom.FileDataset

    Raises
    ------
    ReadError
        When pydicom can't read it.
    MissingFeatureError
        When pydicom is not installed.

    Examples
    --------
    >>> to_pydicom(DataSet(PatientName="DOE^JANE", Rows=2)).PatientName.family_name
    'DOE'
    """
    module, encoded = _pydicom(), to_part10(ds, anonymous=True)
    try:
        dataset: pydicom.Dataset = module.dcmread(BytesIO(encoded))
    except Exception as error:
        raise ReadError(f"pydicom can't read this data set: {error}", path=ds.path) from error
    return dataset


def from_pydicom(dataset: pydicom.Dataset) -> DataSet:
    """Turn a pydicom Dataset into a DataSet, with its file meta information where it has one.

    Parameters
    ----------
    dataset
        A Dataset, FileDataset or FileMetaDataset; it isn't changed.

    Returns
    -------
    DataSet

    Raises
    ------
    ReadError
        When pydicom can't encode it.
    MissingFeatureError
        When pydicom is not installed.

    Examples
    --------
    >>> import pydicom
    >>> given = pydicom.Dataset()
    >>> given.PatientID = "A-17"
    >>> from_pydicom(given).PatientID
    'A-17'
    """
    module = _pydicom()
    buffer = BytesIO()
    meta = getattr(dataset, "file_meta", None)
    try:
        if meta is not None and "TransferSyntaxUID" in meta:
            module.dcmwrite(buffer, dataset, enforce_file_format="MediaStorageSOPInstanceUID" in meta)
            return read(buffer.getvalue())
        implicit, little = _encoding_of(dataset)
        module.dcmwrite(buffer, dataset, implicit_vr=implicit, little_endian=little)
        syntax = "ImplicitVRLittleEndian" if implicit else "ExplicitVRLittleEndian" if little else "ExplicitVRBigEndian"
        return read(buffer.getvalue(), transfer_syntax=syntax) if len(dataset) else DataSet()
    except DicomError:
        raise
    except Exception as error:
        raise ReadError(f"pydicom can't encode this data set: {error}") from error


def _encoding_of(dataset: Any) -> tuple[bool, bool]:
    """The (implicit VR, little endian) that a Dataset was read in; explicit little-endian for a new one."""
    implicit, little = dataset.original_encoding
    return (False, True) if implicit is None or little is None else (implicit, little)


def _pydicom() -> Any:
    try:
        import pydicom
    except ImportError:
        raise MissingFeatureError("exchange with pydicom", "pydicom") from None
    return pydicom
