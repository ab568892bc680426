"""JPEG XL decoded by djxl, the program of libjxl."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
from realdata import peer


def by_djxl(data: bytes, shape: tuple[int, ...], bits: int, folder: Path) -> np.ndarray:
    """Decode a grey or colour image to integers of ``bits`` bits."""
    (folder / "a.jxl").write_bytes(data)
    target = folder / ("a.ppm" if len(shape) == 3 else "a.pgm")
    subprocess.run([peer("djxl"), str(folder / "a.jxl"), str(target)], check=True, capture_output=True)
    content = target.read_bytes()
    words = content.split(None, 4)
    assert words[0] in (b"P5", b"P6")
    peak = int(words[3])
    wide = peak > 255
    cells = content[-int(np.prod(shape)) * (2 if wide else 1) :]
    theirs = np.frombuffer(cells, ">u2" if wide else "u1").reshape(shape).astype(int)
    mask = (1 << bits) - 1  # some releases fill 16 bits, whatever the header says
    return np.rint(theirs * mask / 65535).astype(int) if theirs.max() > mask else theirs
