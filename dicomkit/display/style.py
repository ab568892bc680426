"""The style sheet of all HTML output, as a `style` element whose classes start with `dk-`."""

from __future__ import annotations

import re
from functools import cache


@cache
def style_element() -> str:
    """Give the packaged style sheet without comments and blanks.

    Examples
    --------
    >>> style_element()[:15]
    '<style>.dk-out{'
    """
    from importlib.resources import files

    css = files("dicomkit.display").joinpath("style.css").read_text(encoding="utf-8")
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    return "<style>" + re.sub(r"\s*([{};,])\s*", r"\1", css).strip() + "</style>"
