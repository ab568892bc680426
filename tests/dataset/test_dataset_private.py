"""Private elements: blocks are reserved, reused and left out; written ones are read by pydicom."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realdata import DATA, needs_data, real_file

import dicomkit as dk
from dicomkit.dataset.private import private_names, with_private, without_private
from dicomkit.encoding.writer import to_part10


def test_the_first_free_block_is_reserved() -> None:
    ds = with_private(dk.DataSet(), "ONE", {1: "x"}, vrs={1: "LO"})
    ds = with_private(ds, "TWO", {1: 5}, vrs={1: "UL"})
    ds = with_private(ds, "ONE", {2: "y"}, vrs={2: "SH"})
    assert [(str(e.tag), e.vr, e.value) for e in ds.elements()] == [
        ("(0009,0010)", "LO", "ONE"),
        ("(0009,0011)", "LO", "TWO"),
        ("(0009,1001)", "LO", "x"),
        ("(0009,1002)", "SH", "y"),
        ("(0009,1101)", "UL", 5),
    ]


def test_a_block_with_elements_but_no_creator_is_not_free() -> None:
    ds = dk.DataSet([dk.Element.of((0x0009, 0x1001), "orphan", "LO")])
    assert with_private(ds, "A", {1: "x"}, vrs={1: "LO"}).private_creators() == {"A": (0x00090011,)}


def test_an_element_in_the_second_block_of_a_creator_is_replaced_there() -> None:
    creators = [dk.Element.of((0x0009, block), "A", "LO") for block in (0x10, 0x11)]
    ds = dk.DataSet([*creators, dk.Element.of((0x0009, 0x1105), 3, "US")])
    changed = with_private(ds, "A", {5: 4, 6: 1}, vrs={6: "US"})
    assert (changed[0x0009, 0x1105], changed[0x0009, 0x1006], len(changed)) == (4, 1, 4)


def test_vrs_come_from_the_element_and_from_the_dictionary() -> None:
    ds = with_private(dk.DataSet(), "SIEMENS MR HEADER", {0x0C: "1000", 0x0E: (0.0, 0.6, 0.8)}, group=0x0019)
    assert [e.vr for e in ds.elements()] == ["LO", "IS", "FD"]
    assert private_names(ds)["SIEMENS MR HEADER"]["B_value"].value == 1000
    element = dk.Element.of((0x0011, 0x1001), b"1234", "OB")
    assert with_private(ds, "SIEMENS MR HEADER", {0xF0: element}).private("SIEMENS MR HEADER")[0xF0].vr == "OB"


@pytest.mark.parametrize(
    ("values", "group", "match"),
    [
        ({1: "x"}, 0x0009, "no private dictionary"),
        ({1: "x"}, 0x0010, "not for private"),
        ({1: "x"}, 0x0001, "not for private"),
        ({0x100: "x"}, 0x0009, "last byte"),
    ],
)
def test_what_can_not_be_written(values: dict[int, str], group: int, match: str) -> None:
    with pytest.raises(dk.errors.ValueFormatError, match=match):
        with_private(dk.DataSet(), "A", values, group=group)


def test_all_blocks_taken() -> None:
    ds = dk.DataSet([dk.Element.of((0x0009, block), f"C{block}", "LO") for block in range(0x10, 0x100)])
    with pytest.raises(dk.errors.ValueFormatError, match="all blocks"):
        with_private(ds, "A", {})
    with pytest.raises(dk.errors.ValueFormatError):
        with_private(dk.DataSet(), "A" * 65, {})


def test_private_elements_go_from_nested_items_too() -> None:
    inner = with_private(with_private(dk.DataSet(Rows=1), "A", {1: "x"}, vrs={1: "LO"}), "B", {1: "y"}, vrs={1: "LO"})
    ds = with_private(dk.DataSet(ContentSequence=[inner]), "A", {2: [inner]}, vrs={2: "SQ"})
    assert without_private(ds) == dk.DataSet(ContentSequence=[{"Rows": 1}])
    kept = without_private(ds, keep=["A"])
    assert set(kept["ContentSequence", 0].private_creators()) == {"A"}
    assert set(kept.private("A")[2].value[0].private_creators()) == {"A"}
    plain = dk.DataSet(Rows=1, ContentSequence=[{"Rows": 1}])
    assert without_private(plain) is plain


@given(
    st.dictionaries(
        st.sampled_from(["ACME 1", "ACME 2", "Ünic"]),
        st.dictionaries(st.integers(0, 255), st.integers(0, 65535), min_size=1, max_size=5),
    )
)
def test_round_trip_through_a_file(blocks: dict[str, dict[int, int]]) -> None:
    ds = dk.DataSet(SpecificCharacterSet="ISO_IR 192", SOPClassUID="1.2.840.10008.5.1.4.1.1.7", SOPInstanceUID="2.25.1")
    for creator, values in blocks.items():
        ds = with_private(ds, creator, values, group=0x0011, vrs=dict.fromkeys(values, "US"))
    again = dk.read(to_part10(ds))
    assert again == ds
    for creator, values in blocks.items():
        assert {last: element.value for last, element in again.private(creator).items()} == values


def test_pydicom_finds_the_blocks() -> None:
    pydicom = pytest.importorskip("pydicom")
    ds = dk.DataSet(SOPClassUID="1.2.840.10008.5.1.4.1.1.7", SOPInstanceUID="2.25.1")
    ds = with_private(with_private(ds, "A", {1: "x"}, vrs={1: "LO"}), "B", {1: 2.5}, vrs={1: "FD"})
    theirs = pydicom.dcmread(io.BytesIO(to_part10(ds)))
    assert theirs.private_block(0x0009, "A")[1].value == "x"
    assert theirs.private_block(0x0009, "B")[1].value == 2.5


@needs_data
def test_known_blocks_of_vendors_by_name() -> None:
    names: dict[str, set[str]] = {}
    for path in sorted((DATA / "01_pydicom_core").rglob("*.dcm")):
        try:
            found = private_names(dk.read(path))
        except dk.DicomError:
            continue
        for creator, elements in found.items():
            names.setdefault(creator, set()).update(elements)
    named = [creator for creator, keys in names.items() if any(key[4:7] != ",xx" for key in keys)]
    assert any(creator.startswith("GEMS_") for creator in named)
    assert not without_private(dk.read(real_file("09_private_tags/0.dcm"))).private_creators()
