"""JPEG XL decoded by djxl, the program of libjxl."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
from realdata import peer


def by_djxl(data: bytes, shape: tuple[int, ...], bits: int, folder: Path) -> np.ndarray:
    """Decode a grey or colour image to integers of ``bits`` bits."""
    theirs = _cells(data, shape, folder)
    mask = (1 << bits) - 1
    return np.rint(theirs * mask / 65535).astype(int) if bits > 8 and _fills_words(folder) else theirs


def _fills_words(folder: Path) -> bool:
    """Whether this djxl fills 16 bits, whatever its header says, as releases before 0.8 do."""
    import imagecodecs

    white = imagecodecs.jpegxl_encode(np.array([[4095]], np.uint16), lossless=True, bitspersample=12)
    return bool(_cells(bytes(white), (1, 1), folder) > 4095)


def _cells(data: bytes, shape: tuple[int, ...], folder: Path) -> np.ndarray:
    """What djxl writes."""
    (folder / "a.jxl").write_bytes(data)
    target = folder / ("a.ppm" if len(shape) == 3 else "a.pgm")
    subprocess.run([peer("djxl"), str(folder / "a.jxl"), str(target)], check=True, capture_output=True)
    content = target.read_bytes()
    words = content.split(None, 4)
    assert words[0] in (b"P5", b"P6")
    wide = int(words[3]) > 255
    cells = content[-int(np.prod(shape)) * (2 if wide else 1) :]
    return np.frombuffer(cells, ">u2" if wide else "u1").reshape(shape).astype(int)
