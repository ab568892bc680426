"""Text from a peer, made safe for a log line, an error and a terminal."""

from __future__ import annotations

_SLACK = 4


def printable(text: object, limit: int = 64) -> str:
    r"""Write what came from the wire on one line: what can't be printed is escaped, and the length is bounded.

    Line breaks, escape sequences, marks that change the direction of text and bytes that are no UTF-8 can then neither
    forge a line of a log nor act on a terminal.

    Parameters
    ----------
    text
        A text, bytes, or any value, whose text is taken.
    limit
        The most characters of the result; the last one is an ellipsis where something was left out.

    Returns
    -------
    str
        Printable characters only; a backslash of the text is doubled, so that nothing can look like an escape.

    Examples
    --------
    >>> printable("STORE\nroot logged in\x1b[2J")
    'STORE\\nroot logged in\\x1b[2J'
    >>> printable(b"ABC\xff"), printable("x" * 100, 8)
    ('ABC\\xff', 'xxxxxxx…')
    """
    if isinstance(text, bytes | bytearray | memoryview):
        given = bytes(text[: limit * _SLACK]).decode("utf-8", "surrogateescape")
    else:
        given = str(text)
    cut = given[: limit + 1]
    if not cut.isprintable() or "\\" in cut:
        cut = "".join(map(_escaped, cut))
    return cut if len(cut) <= limit else cut[: max(limit - 1, 0)] + "…"


def _escaped(char: str) -> str:
    if 0xDC80 <= ord(char) <= 0xDCFF:
        return f"\\x{ord(char) - 0xDC00:02x}"
    if char.isprintable() and char != "\\":
        return char
    return char.encode("unicode_escape").decode("ascii")
