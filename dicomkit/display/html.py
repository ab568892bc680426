"""Trees, tables, cards and galleries as HTML: no script, nothing fetched, every value escaped, every size bounded."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape as _escape
from typing import Literal

from dicomkit.display.style import style_element
from dicomkit.display.text import alignment, display_width, one_line, shorten, take
from dicomkit.display.tree_row import Level, TreeRow, cut

__all__ = [
    "Markup",
    "TreeRow",
    "badge",
    "card",
    "escape",
    "gallery",
    "image",
    "image_data_uri",
    "stack",
    "table",
    "tree",
]

MAX_TITLE = 2000
MAX_CELL = 160
_COLUMN_CELLS = 42
_SIGNATURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}
_ALIGN = {"r": ' class="dk-right"', "c": ' class="dk-center"'}


class Markup(str):
    """Finished HTML, which `escape` leaves as it is: the functions of this module return it and take it as a value."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(self)


def escape(value: object) -> str:
    """Turn a value into HTML text; `Markup` stays markup (without its style sheet, which the outermost part brings).

    Parameters
    ----------
    value : object
        None gives an empty text.

    Returns
    -------
    str
        Text for an element's content or a quoted attribute.

    Examples
    --------
    >>> escape("DOE^J</style><script>")
    'DOE^J&lt;/style&gt;&lt;script&gt;'
    >>> escape(badge("CT"))
    '<span class="dk-badge">CT</span>'
    """
    if isinstance(value, Markup):
        return value.removeprefix(style_element())
    return _escape(one_line(value))


def tree(
    rows: Iterable[TreeRow],
    *,
    columns: Sequence[str] = (),
    caption: str = "",
    max_children: int = 250,
    max_rows: int = 1000,
    max_chars: int = MAX_CELL,
) -> Markup:
    """Draw a collapsible tree whose columns line up at every depth.

    All shown rows are in the page as plain text, also those in collapsed branches, so that a browser's search finds
    them.

    Parameters
    ----------
    rows : iterable of TreeRow
        The top level.
    columns : sequence of str
        Headings; the second column is accented (the VR of an element).
    caption : str or Markup
        The line that folds the whole tree.
    max_children, max_rows : int
        Rows shown of one level, and altogether; a last row says how many are left out.
    max_chars : int
        Characters of a cell; a longer text has its beginning (up to 2,000 characters) in its tooltip.

    Returns
    -------
    Markup
        HTML for `_repr_html_`.

    Examples
    --------
    >>> row = TreeRow(("(0010,0020)", "LO", "PatientID", "A-17"), hover="offset 836, 4 bytes")
    >>> 'title="offset 836, 4 bytes"' in tree([row], columns=("Tag", "VR", "Name", "Value"))
    True
    """
    level = cut(rows, max_children=max_children, max_rows=max_rows)
    widths, depth = _measure(level)
    widths = [max(w, display_width(one_line(c))) for w, c in zip(widths, columns, strict=False)] + widths[
        len(columns) :
    ]
    widths = [min(width, _COLUMN_CELLS) for width in widths[:-1]]
    sizes = [f"{width}ch" for width in widths]
    if sizes:
        sizes[0] = f"calc({widths[0]}ch + {1.2 + depth:g}em)"
    parts = [f'<div class="dk-scroll"><div class="dk-grid" style="--dk-cols:{" ".join([*sizes, "minmax(24ch,1fr)"])}">']
    if columns:
        parts.append('<div class="dk-row dk-head">' + _spans(columns, max_chars) + "</div>")
    _draw(level, 0, max_chars, parts)
    parts.append("</div></div>")
    body = "".join(parts)
    if caption:
        body = f'<details open><summary class="dk-cap">{escape(caption)}</summary>{body}</details>'
    return _out("dk-tree", body)


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    caption: str = "",
    max_rows: int = 60,
    align: str | None = None,
    max_chars: int = MAX_CELL,
) -> Markup:
    """Draw a table.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    rows : iterable of sequence
        Values, written with `str`; None as an empty cell; Markup (a badge, an image) as it is.
    caption : str or Markup
        A line above the table.
    max_rows : int
        Rows shown; a last row says how many are left out.
    align : str, optional
        One letter of "l", "r", "c" for each column; without it columns that hold only numbers stand to the right.
    max_chars : int
        Characters of a cell; a longer text has its beginning in its tooltip.

    Returns
    -------
    Markup
        HTML for `_repr_html_`.

    Examples
    --------
    >>> '<td class="dk-right">24</td>' in table(["Modality", "Images"], [("MR", 24)])
    True
    """
    taken, note = take(rows, max_rows)
    letters = (align or alignment(taken, len(columns))).ljust(len(columns), "l")
    styles = [_ALIGN.get(letter, "") for letter in letters]
    parts = [f'<div class="dk-cap">{escape(caption)}</div>'] if caption else []
    parts.append('<div class="dk-scroll"><table class="dk-table"><thead><tr>')
    parts += [f"<th{style}>{escape(column)}</th>" for column, style in zip(columns, styles, strict=True)]
    parts.append("</tr></thead><tbody>")
    for row in taken:
        cells = [*row, *[None] * (len(columns) - len(row))]
        parts.append("<tr>")
        parts += [_cell("td", value, max_chars, style) for value, style in zip(cells, styles, strict=False)]
        parts.append("</tr>\n")
    if note:
        parts.append(f'<tr><td class="dk-more" colspan="{len(columns)}">{note}</td></tr>')
    parts.append("</tbody></table></div>")
    return _out("dk-tablebox", "".join(parts))


def card(title: object, pairs: Iterable[tuple[str, object]], *, max_pairs: int = 60, max_chars: int = 600) -> Markup:
    """Draw a box with a title and a list of names and values.

    Parameters
    ----------
    title : str or Markup
        Heading; may be empty.
    pairs : iterable of (str, object)
        Name and value; Markup as it is.
    max_pairs : int
        Pairs shown.
    max_chars : int
        Characters of a value.

    Returns
    -------
    Markup
        HTML for `_repr_html_`.

    Examples
    --------
    >>> "<dt>Modality</dt> <dd>CT</dd>" in card("Series 3", [("Modality", "CT")])
    True
    """
    taken, note = take(pairs, max_pairs)
    parts = [f'<div class="dk-cap">{escape(title)}</div>'] if title else []
    parts.append('<dl class="dk-pairs">')
    for name, value in taken:
        parts.append(f"<dt>{escape(name)}</dt> {_cell('dd', value, max_chars)}\n")
    parts.append("</dl>")
    if note:
        parts.append(f'<div class="dk-more">{note}</div>')
    return _out("dk-card", "".join(parts))


def badge(text: object, kind: Literal["", "good", "warn", "bad"] = "", *, hover: str = "") -> Markup:
    """Draw a short text in a pill: `good`, `warn` and `bad` in the theme's colours.

    Examples
    --------
    >>> badge("2 repairs", "warn")
    '<span class="dk-badge dk-warn">2 repairs</span>'
    """
    names = f"dk-badge dk-{kind}" if kind else "dk-badge"
    return Markup(f'<span class="{names}"{_title(hover)}>{escape(text)}</span>')


def image_data_uri(data: bytes) -> str:
    """Write an encoded image (PNG, JPEG or GIF, told by its first bytes) as a data URI.

    Examples
    --------
    >>> image_data_uri(b"\\xff\\xd8\\xff")
    'data:image/jpeg;base64,/9j/'
    """
    kind = next((kind for start, kind in _SIGNATURES.items() if data.startswith(start)), "application/octet-stream")
    return f"data:{kind};base64,{b64encode(data).decode('ascii')}"


def image(data: bytes, *, alt: str = "", width: int | None = None, hover: str = "") -> Markup:
    """Draw an encoded image.

    Parameters
    ----------
    data : bytes
        A PNG, JPEG or GIF file.
    alt : str
        What the image shows, in words.
    width : int, optional
        Width in CSS pixels; the image's own where it is not given.
    hover : str
        Tooltip.

    Returns
    -------
    Markup
        An `img` element that carries its data.

    Examples
    --------
    >>> image(b"GIF8", alt="slice 3", width=64)
    '<img class="dk-image" alt="slice 3" width="64" src="data:image/gif;base64,R0lGOA==">'
    """
    size = "" if width is None else f' width="{int(width)}"'
    return Markup(f'<img class="dk-image" alt="{escape(alt)}"{size}{_title(hover)} src="{image_data_uri(data)}">')


def gallery(
    pictures: Iterable[tuple[bytes | None, str]], *, caption: str = "", width: int = 128, max_pictures: int = 60
) -> Markup:
    """Draw pictures with a caption below each, flowing from left to right.

    Parameters
    ----------
    pictures : iterable of (bytes or None, str)
        An encoded image and its caption (lines are kept); None draws an empty frame.
    caption : str or Markup
        A line above all.
    width : int
        Width of each picture in CSS pixels.
    max_pictures : int
        Pictures shown; a note says how many are left out.

    Returns
    -------
    Markup
        HTML for `_repr_html_`.

    Examples
    --------
    >>> gallery([(b"GIF8", "CT\\nchest")]).count("<figure")
    1
    """
    taken, note = take(pictures, max_pictures)
    parts = [f'<div class="dk-cap">{escape(caption)}</div>'] if caption else []
    parts.append('<div class="dk-gallery">')
    for data, text in taken:
        lines = "\n".join(shorten(one_line(line), MAX_CELL) for line in str(text).splitlines()[:6])
        empty = Markup(f'<div class="dk-none" style="width:{int(width)}px;height:{int(width)}px">no picture</div>')
        picture = empty if data is None else image(data, alt=lines.replace("\n", ", "), width=width)
        parts.append(f'<figure class="dk-figure">{picture}<figcaption>{_escape(lines)}</figcaption></figure>\n')
    parts.append("</div>")
    if note:
        parts.append(f'<div class="dk-more">{note.replace("row", "picture")}</div>')
    return _out("dk-gallerybox", "".join(parts))


def stack(*parts: object) -> Markup:
    """Put parts one below the other, with one style sheet for all.

    Examples
    --------
    >>> stack(card("A", []), card("B", [])).count("<style>")
    1
    """
    return Markup(style_element() + "".join(f"<div>{escape(part)}</div>" for part in parts if part))


def _out(kind: str, body: str) -> Markup:
    return Markup(f'{style_element()}<div class="dk-out"><div class="{kind}">{body}</div></div>')


def _title(text: str) -> str:
    return f' title="{_escape(shorten(one_line(text), MAX_TITLE))}"' if text else ""


def _cell(element: str, value: object, max_chars: int, attributes: str = "") -> str:
    """Draw a cell whose text is cut, with the whole text as its tooltip."""
    if isinstance(value, Markup):
        return f"<{element}{attributes}>{escape(value)}</{element}>"
    text = one_line(value)
    if len(text) <= max_chars:
        return f"<{element}{attributes}>{_escape(text)}</{element}>"
    return f"<{element}{attributes}{_title(text)}>{_escape(shorten(text, max_chars))}</{element}>"


def _spans(cells: Sequence[str], max_chars: int) -> str:
    # The blanks between cells keep the text readable where a viewer strips the style sheet.
    return " ".join(_cell("span", cell, max_chars) for cell in cells)


def _draw(level: Level, depth: int, max_chars: int, parts: list[str]) -> None:
    """Append the HTML of a level and of all levels below it."""
    for line in level.lines:
        spans, title = _spans(line.row.cells, max_chars), _title(line.row.hover)
        if line.below is None:
            parts.append(f'<div class="dk-row"{title}>{spans}</div>\n')
            continue
        state = " open" if line.row.open else ""
        parts.append(f'<details{state}><summary class="dk-row"{title}>{spans}</summary>')
        parts.append(f'<div style="--dk-depth:{depth + 1}">')
        _draw(line.below, depth + 1, max_chars, parts)
        parts.append("</div></details>\n")
    if level.note:
        parts.append(f'<div class="dk-more">{level.note}</div>\n')


def _measure(level: Level) -> tuple[list[int], int]:
    """Find the widest text of each column, and the depth of the tree."""
    widths: list[int] = []
    depth = 0
    for row, below in level.lines:
        sizes = [display_width(one_line(shorten(cell, MAX_CELL))) for cell in row.cells]
        inner, deeper = _measure(below) if below is not None else ([], -1)
        depth = max(depth, deeper + 1)
        columns = range(max(len(widths), len(sizes), len(inner)))
        widths = [max(_at(widths, n), _at(sizes, n), _at(inner, n)) for n in columns]
    return widths, depth


def _at(sizes: Sequence[int], n: int) -> int:
    return sizes[n] if n < len(sizes) else 0
