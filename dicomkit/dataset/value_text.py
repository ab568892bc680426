"""A value of an element as one line of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dicomkit.display.text import one_line, shorten


def value_text(value: Any, width: int = 80) -> str:
    """Show a value in at most ``width`` characters.

    Examples
    --------
    >>> value_text((0.5, 0.5)), value_text(None), value_text(bytes(100))
    ('0.5 \\\\ 0.5', '', '<100 bytes> 00 00 00 00 00 00 00 00 …')
    """
    if value is None:
        return ""
    if isinstance(value, bytes):
        head = value[:8].hex(" ")
        return f"<{len(value):,} bytes> {head}{' …' if len(value) > 8 else ''}"
    if isinstance(value, tuple):
        if value and isinstance(value[0], Mapping):
            return f"{len(value)} item{'s' if len(value) != 1 else ''}"
        shown = [value_text(part, width) for part in value[: width // 2]]
        return shorten(" \\ ".join(shown), width)
    if isinstance(value, float):
        return f"{value:g}" if value == float(f"{value:g}") else repr(value)
    return shorten(one_line(str(value)), width)
