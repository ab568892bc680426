"""The style sheet of all HTML output, as a `style` element whose classes start with `dk-`."""

from __future__ import annotations

import re
from importlib.resources import files


def _style_element() -> str:
    css = files("dicomkit.display").joinpath("style.css").read_text(encoding="utf-8")
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    return "<style>" + re.sub(r"\s*([{};,])\s*", r"\1", css).strip() + "</style>"


STYLE = _style_element()
