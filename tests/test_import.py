"""`import dicomkit` is light, and so is reading a file."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("numpy", "pandas", "xarray", "matplotlib", "httpx", "ipywidgets", "imagecodecs")
FILE = "bytes.fromhex('0800600043530200' + '4354')"


@pytest.mark.parametrize("statement", ["import dicomkit", f"import dicomkit as dk; dk.read({FILE}).Modality"])
def test_nothing_heavy_is_loaded(statement: str) -> None:
    code = f"{statement}\nimport sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_name_of_the_facade_is_there() -> None:
    import dicomkit as dk

    assert [name for name in dir(dk) if not hasattr(dk, name)] == []
    with pytest.raises(AttributeError, match="no attribute"):
        _ = dk.nothing_of_the_kind
