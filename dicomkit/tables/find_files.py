"""Which files a folder, glob pattern, zip archive, list or DICOMDIR stands for."""

from __future__ import annotations

import glob
import os
import zipfile
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from dicomkit.errors import SourceError
from dicomkit.files.fileset import read_fileset

Place: TypeAlias = "str | os.PathLike[str]"


def find_files(where: Place | Iterable[Place], *, dicomdir: str = "ignore") -> list[str]:
    """List the paths of files, in a stable order: folders and archives deeply, each folder's files by name.

    Parameters
    ----------
    where
        A folder, file, glob pattern (``**`` goes deep), zip archive, fsspec URL, or several of these.
    dicomdir
        ``"ignore"``: take every file of a folder. ``"use"``: in a folder with a DICOMDIR take the files it lists.

    Raises
    ------
    SourceError
        When there is no such file or folder.
    """
    places = [where] if isinstance(where, (str, os.PathLike)) else where
    return list(dict.fromkeys(path for place in places for path in _files_of(os.fspath(place), dicomdir)))


def _files_of(place: str, dicomdir: str) -> Iterator[str]:
    if "://" in place or ".zip!/" in place.lower():
        yield place
    elif os.path.isdir(place):
        listed = os.path.join(place, "DICOMDIR")
        if dicomdir == "use" and os.path.isfile(listed):
            yield from read_fileset(listed).files(missing="keep")
        else:
            yield from _walk(place)
    elif os.path.isfile(place):
        if zipfile.is_zipfile(place) and not _starts_as_dicom(place):
            with zipfile.ZipFile(place) as archive:
                names = sorted(info.filename for info in archive.infolist() if not info.is_dir())
            yield from (f"{place}!/{name}" for name in names)
        elif dicomdir == "use" and os.path.basename(place).upper() == "DICOMDIR":
            yield from read_fileset(place).files(missing="keep")
        else:
            yield place
    elif glob.has_magic(place):
        yield from (path for path in sorted(glob.iglob(place, recursive=True)) if os.path.isfile(path))
    else:
        raise SourceError("there is no such file or folder", path=place)


def _walk(folder: str) -> Iterator[str]:
    """The files below a folder; links to folders are not followed, so that there are no circles."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise SourceError(f"can't list the folder: {error.strerror}", path=folder) from error
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)
        elif entry.is_file():
            yield entry.path


def _starts_as_dicom(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(132)[128:] == b"DICM"
