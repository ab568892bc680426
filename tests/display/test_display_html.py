"""HTML output: hostile values stay text, elements are balanced, sizes are bounded, nothing is fetched or run."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomkit.display.html import (
    Markup,
    TreeRow,
    badge,
    card,
    escape,
    gallery,
    image,
    image_data_uri,
    stack,
    table,
    tree,
)
from dicomkit.display.style import style_element

HOSTILE = [
    "</style><script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "' onfocus='alert(1)",
    "<img src=x onerror=alert(1)>",
    "</details></div>&lt;",
    "<!--",
    "\x00\x1b[31m\ud800",
]
VOID = {"img", "br"}


class Page(HTMLParser):
    """Collects what a browser would build: elements with their attributes, text, and whether tags are balanced."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(markup)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment")

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def classes(self) -> list[str]:
        return [name for _, attributes in self.elements for name in (attributes.get("class") or "").split()]


def everything(value: str) -> Markup:
    """Put one value in every place that takes one."""
    leaf = TreeRow((value, value, value, value), hover=value)
    return stack(
        tree([TreeRow((value, "SQ"), hover=value, children=(leaf,))], columns=(value, "b", "c", "d"), caption=value),
        table([value, "n"], [(value, 1)], caption=value),
        card(value, [(value, value), ("badge", badge(value, "warn", hover=value))]),
        gallery([(b"GIF8", value), (None, value)], caption=value),
        value,
    )


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_values_stay_text(value: str) -> None:
    plain = Page(everything("harmless"))
    page = Page(everything(value))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in plain.elements]
    names = {name for _, attributes in page.elements for name in attributes}
    assert names <= {"class", "style", "title", "open", "alt", "width", "src", "colspan"}
    assert all("alert" not in (attributes.get("style") or "") for _, attributes in page.elements)


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_text_survives_as_text(value: str) -> None:
    markup = everything(value)
    markup.encode("utf-8")
    Page(markup)


def test_value_is_found_in_collapsed_branches() -> None:
    leaf = TreeRow(("(0008,0104)", "LO", "CodeMeaning", "Femur & <tibia>"))
    page = Page(
        tree([TreeRow(("(0008,2218)", "SQ", "", ""), children=(TreeRow(("Item 1", "", "", ""), children=(leaf,)),))])
    )
    assert "Femur & <tibia>" in page.text
    assert all("open" not in attributes for attributes in page.all("details"))


def test_no_script_and_no_external_resource() -> None:
    markup = everything("x")
    page = Page(markup)
    assert not {"script", "link", "iframe", "object", "a"} & {tag for tag, _ in page.elements}
    assert not {word for word in ("http", "url(", "@import") if word in markup}
    assert all((attributes["src"] or "").startswith("data:image/") for attributes in page.all("img"))


def test_style_sheet_is_scoped_and_brought_once() -> None:
    sheet = style_element().removeprefix("<style>").removesuffix("</style>")
    assert sheet.count("{") == sheet.count("}")
    rules = [rule.split("{")[0] for rule in sheet.replace("@media print{", "").split("}") if "{" in rule]
    assert len(rules) > 20
    assert all(".dk-" in selector for rule in rules for selector in rule.split(","))
    assert everything("x").count("<style>") == 1
    assert table(["picture"], [[card("inner", [])]]).count("<style>") == 1


def test_every_class_is_prefixed() -> None:
    assert all(name.startswith("dk-") for name in Page(everything("x")).classes())


def test_columns_share_one_grid_and_hover_is_the_title() -> None:
    rows = [TreeRow(("(0028,0010)", "US", "Rows", "512"), hover="offset 836, 2 bytes, VR explicit")]
    page = Page(tree(rows, columns=("Tag", "VR", "Name", "Value")))
    shown = [attributes for attributes in page.all("div") if attributes.get("class") == "dk-row"]
    assert [attributes["title"] for attributes in shown] == ["offset 836, 2 bytes, VR explicit"]
    assert sum("--dk-cols" in (attributes.get("style") or "") for attributes in page.all("div")) == 1
    assert page.texts.count("Rows") == 1


def test_open_rows_and_caption() -> None:
    row = TreeRow(("a",), children=(TreeRow(("b",)),), open=True)
    assert ["open" in attributes for attributes in Page(tree([row])).all("details")] == [True]
    assert Page(tree([row], caption="header")).text.startswith("header")


def test_long_value_is_shortened_with_the_whole_in_the_title() -> None:
    value = "1.5\\" * 200
    page = Page(tree([TreeRow(("t", "DS", "n", value))]))
    assert value not in page.text
    assert value in [attributes.get("title") for attributes in page.all("span")]
    page = Page(table(["v"], [[value]]))
    assert page.all("td")[0]["title"] == value


def endless() -> Iterator[TreeRow]:
    while True:
        yield TreeRow(("x", "y"), children=Endless())


class Endless:
    """Rows without an end, at every depth."""

    def __iter__(self) -> Iterator[TreeRow]:
        return endless()


def test_size_is_bounded_whatever_comes_in() -> None:
    page = Page(tree(Endless(), max_children=20, max_rows=200))
    assert page.classes().count("dk-row") == 200
    assert "… more" in page.text
    huge = TreeRow(tuple("<" * 10_000_000 for _ in range(4)), hover="&" * 10_000_000)
    assert len(tree([huge])) < 100_000
    assert len(table(["a"], [["&" * 10_000_000]])) < 100_000
    assert len(card("t", [("n", "&" * 10_000_000)])) < 100_000


def test_top_level_is_not_starved_by_its_first_branch() -> None:
    big = TreeRow(("first",), children=tuple(TreeRow((f"inner {n}",)) for n in range(500)))
    text = Page(tree([big, *(TreeRow((f"outer {n}",)) for n in range(50))], max_rows=100)).text
    assert "outer 49" in text
    assert "inner 48" in text
    assert "inner 49" not in text
    assert "… 451 more" in text


def test_deep_nesting_is_cut_and_does_not_overflow_the_stack() -> None:
    row = TreeRow(("leaf",))
    for _ in range(5000):
        row = TreeRow(("branch",), children=(row,))
    page = Page(tree([row]))
    assert page.text.count("branch") < 50
    assert "… 1 more" in page.text


def test_table_alignment_and_missing_values() -> None:
    page = Page(table(["Modality", "Images", "Note"], [("CT", 3, None), ("MR", None)], align=None))
    assert [attributes.get("class") for attributes in page.all("td")] == [None, "dk-right", None] * 2
    assert "None" not in page.text
    assert [a.get("class") for a in Page(table(["a", "b"], [(1, 2)], align="lc")).all("td")] == [None, "dk-center"]


def test_table_says_how_many_rows_are_left_out() -> None:
    page = Page(table(["n"], ([n] for n in range(1234)), max_rows=10))
    assert len(page.all("tr")) == 12
    assert page.text.endswith("… 1,224 more rows")


def test_markup_is_a_value_that_is_not_escaped_again() -> None:
    assert escape(badge("a<b")) == '<span class="dk-badge">a&lt;b</span>'
    assert not isinstance(badge("x") + "<script>", Markup)
    assert badge("x")._repr_html_() == badge("x")


def test_image_carries_its_bytes() -> None:
    png = b"\x89PNG\r\n\x1a\n" + bytes(range(50))
    kind, data = image_data_uri(png).split(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(data) == png
    attributes = Page(image(png, alt='a "cat"', width=64)).all("img")[0]
    assert (attributes["alt"], attributes["width"]) == ('a "cat"', "64")


def test_gallery_keeps_caption_lines_and_is_cut() -> None:
    page = Page(gallery([(b"GIF8", "CT\nchest")] * 100, max_pictures=5))
    assert len(page.all("figure")) == 5
    assert "CT\nchest" in page.text
    assert page.text.endswith("… 95 more pictures")
