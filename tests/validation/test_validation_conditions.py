"""The language of conditions: reading it, and whether a condition holds."""

from __future__ import annotations

import pytest

import dicomkit as dk
from dicomkit.errors import ValueFormatError
from dicomkit.standard.attributes import tag_of
from dicomkit.standard.conditions import Every, FirstItem, Not, Present, Some, holds, parse_condition, text_of
from dicomkit.standard.tables import table_text
from dicomkit.values.tag import Tag

ROWS, COLUMNS = tag_of("Rows"), tag_of("Columns")


def met(text: str, *, item: int = 0, **attributes: object) -> bool:
    ds = dk.DataSet(attributes)
    return holds(parse_condition(text), lambda tag: ds.all(tag) if tag in ds else None, item=item)


def test_and_binds_more_tightly_than_or():
    assert parse_condition("Rows or Columns and no Modality") == Some(
        (Present(ROWS), Every((Present(COLUMNS), Not(Present(tag_of("Modality"))))))
    )
    assert parse_condition("( Rows or Columns ) and first item") == Every(
        (Some((Present(ROWS), Present(COLUMNS))), FirstItem())
    )


@pytest.mark.parametrize(
    ("text", "attributes", "expected"),
    [
        ("Modality", {"Modality": ""}, True),
        ("no Modality", {}, True),
        ("no Modality", {"Modality": "CT"}, False),
        ("ImageType[1] = ORIGINAL / MIXED", {"ImageType": ["ORIGINAL", "PRIMARY"]}, True),
        ("ImageType[2] = ORIGINAL / MIXED", {"ImageType": ["ORIGINAL", "PRIMARY"]}, False),
        ("ImageType = PRIMARY", {"ImageType": ["ORIGINAL", "PRIMARY"]}, True),
        ("ImageType[9] = PRIMARY", {"ImageType": ["ORIGINAL", "PRIMARY"]}, False),
        ("PhotometricInterpretation = PALETTE COLOR", {"PhotometricInterpretation": "PALETTE COLOR"}, True),
        ("SamplesPerPixel > 1", {"SamplesPerPixel": 3}, True),
        ("SamplesPerPixel > 1", {"SamplesPerPixel": 1}, False),
        ("SamplesPerPixel > 1", {}, False),
        ("DimensionOrganizationType != TILED_FULL", {}, True),
        ("DimensionOrganizationType != TILED_FULL", {"DimensionOrganizationType": "TILED_FULL"}, False),
        ("FrameIncrementPointer = 00181063", {"FrameIncrementPointer": Tag(0x00181063)}, True),
        ("BitsAllocated = 8 / 16", {"BitsAllocated": 16}, True),
        (
            "ViewCodeSequence : 1^DCM / 2^SCT",
            {"ViewCodeSequence": [{"CodeValue": "2", "CodingSchemeDesignator": "SCT"}]},
            True,
        ),
        (
            "ViewCodeSequence : 1^DCM / 2^SCT",
            {"ViewCodeSequence": [{"CodeValue": "2", "CodingSchemeDesignator": "DCM"}]},
            False,
        ),
        ("ViewCodeSequence : 1^DCM", {"ViewCodeSequence": []}, False),
    ],
)
def test_conditions_hold(text, attributes, expected):
    assert met(text, **attributes) is expected


def test_first_item():
    assert met("first item")
    assert not met("first item", item=1)
    assert met("first item and Rows", Rows=1)


@pytest.mark.parametrize("text", ["", "NoSuchKeyword", "Rows and", "( Rows", "Rows )", "Rows Columns", "Rows ~ 1"])
def test_what_is_no_condition_is_an_error(text):
    with pytest.raises(ValueFormatError):
        parse_condition(text)


def test_every_condition_of_the_tables_can_be_read():
    texts = {cell for line in table_text("conditions.tsv").split("\n") for cell in line.split("\t")}
    texts |= {line.split("\t")[2] for line in table_text("values.tsv").split("\n")}
    for text in texts - {"?", "*", ""}:
        parse_condition(text)
    assert len(texts) > 600


def test_values_as_text():
    assert [text_of(value) for value in ("A", 3, 3.0, 0.5, Tag(0x00181063))] == ["A", "3", "3", "0.5", "00181063"]
