"""DICOM JSON both ways: what each VR looks like, real files, peers' output, streams, and bad documents."""

from __future__ import annotations

import base64
import io
import json
import math
import pickle
import subprocess
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_strategies import data_sets
from realdata import DATA, all_dicom_files, needs_data, peer, real_file

import dicomkit as dk
from dicomkit.encoding.dicom_json import from_json, iter_json, json_chunks, to_json, to_json_model
from dicomkit.errors import DicomError, ReadError, SourceError, ValueFormatError
from dicomkit.values.decode import decode_value
from dicomkit.values.fragments import Fragments
from dicomkit.values.tag import Tag


def element(vr: str, value: object, tag: int = 0x00091001) -> dk.DataSet:
    if vr in ("DS", "IS") and isinstance(value, str):  # as a file has it, legal or not
        raw = value.encode()
        return dk.DataSet([dk.Element(Tag(tag), vr, decode_value(vr, raw), raw)])
    return dk.DataSet([dk.Element.of(tag, value, vr)])


def one(vr: str, **content: object) -> dk.Element:
    """Read a data set of one private element."""
    return from_json({"00091001": {"vr": vr, **content}}).element(0x00091001)


# What is written.


@pytest.mark.parametrize(
    ("vr", "value", "written"),
    [
        ("AE", "STORE", '"Value":["STORE"]'),
        ("AT", (0x00100010, 0x7FE00010), '"Value":["00100010","7FE00010"]'),
        ("CS", ("A", "", "B"), '"Value":["A",null,"B"]'),
        ("DA", ("20240131", None), '"Value":["20240131",null]'),
        ("DS", "1.50", '"Value":[1.50]'),
        ("DS", "-.5\\+1.5E2\\ 3 ", '"Value":[-0.5,150.0,3.0]'),
        ("DS", "9007199254740993", '"Value":["9007199254740993"]'),
        ("DS", "1E-400", '"Value":["1E-400"]'),
        ("FD", (math.nan, math.inf, -math.inf, 0.1), '"Value":["NaN","Infinity","-Infinity",0.1]'),
        ("FL", 0.5, '"Value":[0.5]'),
        ("IS", "007", '"Value":[7]'),
        ("IS", (1, 2, 3), '"Value":[1,2,3]'),
        ("UT", 'a"b\n', '"Value":["a\\"b\\n"]'),
        ("LT", "one\\ two\r\n", '"Value":["one\\\\ two\\r\\n"]'),
        ("OB", b"\x01\x02\x03\x04", '"InlineBinary":"AQIDBA=="'),
        (
            "PN",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
            '"Value":[{"Alphabetic":"Yamada^Tarou","Ideographic":"山田^太郎","Phonetic":"やまだ^たろう"}]',
        ),
        ("PN", ("A^B", "=王"), '"Value":[{"Alphabetic":"A^B"},{"Ideographic":"王"}]'),
        ("SQ", [dk.DataSet(), dk.DataSet(Rows=1)], '"Value":[{},{"00280010":{"vr":"US","Value":[1]}}]'),
        ("SV", (-(2**63), 5), '"Value":["-9223372036854775808",5]'),
        ("UI", "1.2.3", '"Value":["1.2.3"]'),
        ("UV", 2**64 - 1, '"Value":["18446744073709551615"]'),
    ],
)
def test_each_vr_as_text(vr: str, value: object, written: str) -> None:
    ds = element(vr, value)
    assert to_json(ds) == f'{{"00091001":{{"vr":"{vr}",{written}}}}}'
    assert from_json(to_json(ds)) == ds


@pytest.mark.parametrize("vr", ["LO", "US", "PN", "OB", "DS", "SQ", "UN"])
def test_an_empty_element_has_a_vr_only(vr: str) -> None:
    ds = element(vr, None)
    assert to_json(ds) == f'{{"00091001":{{"vr":"{vr}"}}}}'
    assert from_json(to_json(ds)) == ds


def test_tags_ascend_and_meta_and_group_lengths_are_left_out() -> None:
    ds = dk.read(real_file("01_pydicom_core/CT_small.dcm"))
    ds = ds.assign([dk.Element(Tag(0x00080000), "UL", 4), dk.Element(Tag(0x00020010), "UI", "1.2")])
    assert "TransferSyntaxUID" in ds.meta
    model = to_json_model(ds)
    assert list(model) == sorted(model) == [f"{int(tag):08X}" for tag in ds if tag.element and tag.group != 2]


def test_an_edited_data_set_is_written_in_order() -> None:
    ds = dk.read(real_file("01_pydicom_core/CT_small.dcm"))
    edited = ds.assign(PatientName="ROE", AcquisitionNumber=None).drop("PixelData", "OtherPatientIDsSequence")
    model = to_json_model(edited)
    assert list(model) == sorted(model)
    assert not {"7FE00010", "00101002"} & set(model)
    assert model["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "ROE"}]}
    assert model["00200012"] == {"vr": "IS"}
    assert from_json(model) == edited


def test_several_data_sets_make_an_array() -> None:
    several = [dk.DataSet(Rows=1), dk.DataSet(), dk.DataSet(Rows=2)]
    assert from_json(to_json(several)) == several
    assert b"".join(json_chunks(several)).decode() == to_json(several)
    assert to_json([]) == "[]" == b"".join(json_chunks([])).decode()


def test_indented_text_means_the_same() -> None:
    ds = dk.DataSet(PatientName="Müller^Jörg", PixelSpacing=("0.50", "0.5"))
    assert "\n" in to_json(ds, indent=2)
    assert from_json(to_json(ds, indent=2)) == ds


def test_what_is_no_value_of_its_vr_is_refused_with_the_tag() -> None:
    with pytest.raises(ValueFormatError, match=r"'x' is no value of VR US .*\(0028,0010\)"):
        to_json(dk.DataSet([dk.Element(Tag(0x00280010), "US", "x")]))
    with pytest.raises(ValueFormatError, match=r"OB.*\(7FE0,0010\)"):
        to_json(dk.DataSet([dk.Element(Tag(0x7FE00010), "OB", "text")]))


def test_a_lone_surrogate_is_no_character() -> None:
    with pytest.raises(ValueFormatError, match="instance 0"):
        list(json_chunks([dk.DataSet([dk.Element(Tag(0x00100020), "LO", "\ud800")])]))


# Bulk data.


def test_bulk_data_by_uri_or_inline() -> None:
    ds = dk.DataSet(
        PixelData=bytes(100), ContentSequence=[{"PixelData": b"\1\0"}], RedPaletteColorLookupTableData=b"ab"
    )
    seen = []

    def name(path: tuple[int, ...], found: dk.Element) -> str | None:
        seen.append(path)
        return "/".join(f"{step:X}" for step in path) if found.keyword == "PixelData" else None

    model = to_json_model(ds, bulk=name)
    assert seen == [(0x00281201,), (0x0040A730, 0, 0x7FE00010), (0x7FE00010,)]
    assert all(path in ds for path in seen)
    assert model["7FE00010"] == {"vr": "OW", "BulkDataURI": "7FE00010"}
    assert model["00281201"] == {"vr": "OW", "InlineBinary": "YWI="}

    asked = []

    def resolve(uri: str) -> bytes:
        asked.append(uri)
        return bytes(ds[tuple(int(step, 16) for step in uri.split("/"))])

    back = from_json(model, resolve=resolve)
    assert asked == []
    assert back.PixelData.uri == "7FE00010"
    assert bytes(back.PixelData) == bytes(100)
    assert len(back.PixelData) == 100
    assert asked == ["7FE00010"]
    assert back == ds


def test_an_unresolved_uri_stays_a_value_that_says_what_is_missing() -> None:
    ds = from_json({"7FE00010": {"vr": "OW", "BulkDataURI": "http://pacs/bulk/1"}})
    assert "http://pacs/bulk/1" in repr(ds.PixelData)
    assert to_json_model(ds) == {"7FE00010": {"vr": "OW", "BulkDataURI": "http://pacs/bulk/1"}}
    for use in (bytes, len, lambda bulk: bulk.read(0, 1), lambda bulk: list(bulk.chunks())):
        with pytest.raises(SourceError, match=r"not here.*http://pacs/bulk/1.*resolve="):
            use(ds.PixelData)
    assert ds.PixelData == from_json({"7FE00010": {"vr": "OW", "BulkDataURI": "http://pacs/bulk/1"}}).PixelData


def test_a_data_set_with_a_uri_can_be_shown_edited_and_pickled() -> None:
    ds = from_json({"00280010": {"vr": "US", "Value": [1]}, "7FE00010": {"vr": "OW", "BulkDataURI": "http://x/1"}})
    assert "http://x/1" in str(ds)
    assert "http://x/1" in ds._repr_html_()
    assert pickle.loads(pickle.dumps(ds)).assign(Rows=2).PixelData.uri == "http://x/1"
    resolved = from_json(to_json_model(ds), resolve=_two_bytes)
    assert bytes(pickle.loads(pickle.dumps(resolved)).PixelData) == b"\0\1"


def _two_bytes(uri: str) -> bytes:
    return b"\0\1"


@pytest.mark.parametrize("answer", [None, "text", 3])
def test_a_resolver_that_gives_no_bytes_is_an_error(answer: object) -> None:
    ds = from_json({"7FE00010": {"vr": "OW", "BulkDataURI": "u"}}, resolve=lambda uri: answer)  # type: ignore[arg-type,return-value]
    with pytest.raises(SourceError, match="not bytes"):
        bytes(ds.PixelData)


def test_a_resolver_that_fails_is_an_error_of_ours() -> None:
    def resolve(uri: str) -> bytes:
        raise OSError("connection refused")

    ds = from_json({"7FE00010": {"vr": "OW", "BulkDataURI": "u"}}, resolve=resolve)
    with pytest.raises(SourceError, match="connection refused"):
        bytes(ds.PixelData)


def test_texts_and_numbers_by_uri_are_fetched_where_they_can_be() -> None:
    model = {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 100"]},
        "0040A160": {"vr": "UT", "BulkDataURI": "text"},
        "00660016": {"vr": "FD", "BulkDataURI": "numbers"},
    }
    answers = {"text": "Müller".encode("latin-1"), "numbers": bytes(8) * 2}
    ds = from_json(model, resolve=answers.__getitem__)
    assert (ds.TextValue, ds[0x00660016]) == ("Müller", (0.0, 0.0))
    assert from_json(model)["TextValue"].uri == "text"


def test_inline_binary_of_numbers_and_of_text() -> None:
    # PS3.18 F.2.7: a look-up table may be InlineBinary whatever its VR.
    assert one("US", InlineBinary=base64.b64encode(b"\1\0\2\0").decode()).value == (1, 2)
    assert one("LO", InlineBinary=base64.b64encode(b"a\\b").decode()).value == ("a", "b")


def test_large_inline_binary_is_bulk_and_lines_are_let_pass() -> None:
    data = bytes(range(256)) * 400
    text = base64.encodebytes(data).decode()
    value = one("OB", InlineBinary=text).value
    assert (len(value), bytes(value)) == (len(data), data)


def test_encapsulated_pixel_data_is_its_value_field() -> None:
    ds = dk.DataSet([dk.Element.of("PixelData", Fragments.of([b"ab", b"cdef"], b"\0\0\0\0"), "OB")])
    raw = base64.b64decode(to_json_model(ds)["7FE00010"]["InlineBinary"])
    assert raw == bytes.fromhex("feff00e0 04000000 00000000 feff00e0 02000000") + b"ab" + bytes.fromhex(
        "feff00e0 04000000"
    ) + b"cdef" + bytes.fromhex("feffdde0 00000000")
    back = from_json(to_json(ds)).PixelData
    assert isinstance(back, Fragments)
    assert ([bytes(part) for part in back.parts], back.offset_table, back.item_offsets) == (
        [b"ab", b"cdef"],
        b"\0\0\0\0",
        (0, 10),
    )
    native = dk.DataSet([dk.Element.of("PixelData", b"\xfe\xff\x00\xe0" + bytes(60), "OB")])
    assert from_json(to_json(native)) == native


# What is read.


@pytest.mark.parametrize(
    ("vr", "values", "value"),
    [
        ("US", ["3"], 3),
        ("US", [3.0, 4], (3, 4)),
        ("UV", ["18446744073709551615"], 2**64 - 1),
        ("DS", ["1.50"], 1.5),
        ("DS", [1], 1.0),
        ("DS", [1, "2.5", None], (1.0, 2.5, None)),
        ("DS", ["1,5"], "1,5"),
        ("IS", ["07"], 7),
        ("IS", [7.0], 7),
        ("IS", [1.5], 1.5),
        ("FL", [0.1], 0.10000000149011612),
        ("FD", ["-Infinity"], -math.inf),
        ("FD", ["inf", 1], (math.inf, 1.0)),
        ("AT", ["0010001e"], Tag(0x0010001E)),
        ("PN", ["DOE^JANE"], "DOE^JANE"),
        ("PN", [{}], None),
        ("PN", [{"Alphabetic": "A"}, None], ("A", "")),
        ("PN", [{"Phonetic": "p"}], "==p"),
        ("LO", ["a\\b"], ("a", "b")),
        ("LO", [" a "], "a"),
        ("LO", [""], None),
        ("LT", [" a\\b "], " a\\b"),
        ("UT", [None], None),
        ("DA", ["20240131", ""], ("20240131", None)),
        ("OB", [], None),
    ],
)
def test_values_as_peers_write_them(vr: str, values: list[object], value: object) -> None:
    found = one(vr, Value=values).value
    assert found == value
    assert type(found) is type(value) or isinstance(found, str)


def test_the_text_of_a_number_is_kept() -> None:
    assert one("DS", Value=["1.50", "2"]).text == "1.50\\2"
    assert one("IS", Value=["007"]).raw == b"007"


def test_a_lookup_table_descriptor_is_unsigned_at_both_ends() -> None:
    ds = from_json({"00281101": {"vr": "SS", "Value": [-1, -5, 16]}})
    assert ds.RedPaletteColorLookupTableDescriptor == (65535, -5, 16)
    assert to_json_model(ds)["00281101"]["Value"] == [-1, -5, 16]


def test_what_is_tolerated_is_reported() -> None:
    ds = from_json(
        {
            "00020010": {"vr": "UI", "Value": ["1.2.840.10008.1.2.1"]},
            "00080000": {"vr": "UL", "Value": [4]},
            "00100020": {"Value": ["A-17"]},
            "00091001": {"vr": "XX", "InlineBinary": "AAE="},
            "00280107": {"Value": [4095]},
            "7fe00010": {"vr": "OW", "Value": [{"InlineBinary": "AAE="}]},
        }
    )
    assert (ds.PatientID, ds.PixelData, ds[0x00091001], ds.LargestImagePixelValue) == ("A-17", b"\0\1", b"\0\1", 4095)
    assert ds.meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert list(ds) == [0x00091001, 0x00100020, 0x00280107, 0x7FE00010]
    assert [(str(repair.tag), repair.assumed) for repair in ds.repairs] == [
        ("(0008,0000)", "left out"),
        ("(0010,0020)", "taken as LO"),
        ("(0009,1001)", "taken as UN"),
        ("(0028,0107)", "taken as US"),
        ("(7FE0,0010)", "taken as the whole value"),
    ]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("null", "object in JSON, not None"),
        ("[[]]", "instance 0: a data set is an object"),
        ('{"0010": {"vr": "LO"}}', "'0010' is no tag"),
        ('{"PatientName": {"vr": "PN"}}', "is no tag"),
        ('{"00100010": []}', r"attribute is an object.*\(0010,0010\)"),
        ('{"00100010": {"vr": "PN", "Value": "x"}}', r"array, not 'x' \[tag \(0010,0010\)"),
        ('{"00100010": {"vr": "PN", "Value": [5]}}', r"5 is no name \[tag \(0010,0010\)"),
        ('{"00100010": {"vr": "PN", "Value": [{"Alphabetic": 5}]}}', r"\(0010,0010\)"),
        ('{"00100020": {"vr": "LO", "Value": [5]}}', r"no text \[tag \(0010,0020\)"),
        ('{"00100020": {"vr": "LO", "Value": [["a"]]}}', "no text"),
        ('{"00280010": {"vr": "US", "Value": [70000]}}', r"not within 0 and 65535 \[tag \(0028,0010\)"),
        ('{"00280010": {"vr": "US", "Value": [1.5]}}', "no integer"),
        ('{"00280010": {"vr": "US", "Value": [true]}}', "no integer"),
        ('{"00280010": {"vr": "US", "Value": ["x"]}}', "invalid literal"),
        ('{"00280010": {"vr": "US", "Value": [1, null]}}', "None is no integer"),
        ('{"00180050": {"vr": "DS", "Value": [{}]}}', "no number"),
        ('{"00200013": {"vr": "IS", "Value": [1' + "0" * 30 + "]}}", "too large"),
        ('{"00189073": {"vr": "FD", "Value": [1' + "0" * 400 + "]}}", "too large"),
        ('{"00189073": {"vr": "FL", "Value": [1e300]}}', r"too large.*\(0018,9073\)"),
        ('{"00280010": {"vr": "US", "Value": [1' + "0" * 5000 + "]}}", "no JSON: Exceeds the limit"),
        ('{"00091001": {"vr": "XY", "Value": ["a"]}}', "'XY' is no VR"),
        ('{"00091001": {"vr": ["LO"], "Value": ["a"]}}', "no VR"),
        ('{"00091001": {"vr": "AT", "Value": ["zz"]}}', r"not.*a tag|neither.*\(0009,1001\)"),
        ('{"00091001": {"vr": "SQ", "Value": ["a"]}}', r"item 0 of \(0009,1001\): a data set is an object"),
        ('{"00091001": {"vr": "SQ", "InlineBinary": "AA=="}}', "sequence can't be in InlineBinary"),
        ('{"00091001": {"vr": "OB", "Value": [1, 2]}}', "not in Value"),
        ('{"00091001": {"vr": "OB", "InlineBinary": "A"}}', r"no base64.*\(0009,1001\)"),
        ('{"00091001": {"vr": "OB", "InlineBinary": 5}}', "is a text"),
        ('{"00091001": {"vr": "OB", "BulkDataURI": {}}}', "is a text"),
        ('{"00091001": {"vr": "OB", "BulkDataURI": "a", "InlineBinary": "AA=="}}', "both InlineBinary and BulkDataURI"),
        ('{"00091001": {"vr": "LO", "BulkDataURI": "a", "Value": ["b"]}}', "both Value and BulkDataURI"),
        ('{"00280010": {"vr": "US"}, "00280010": {"vr": "US"}}', "'00280010' is there twice"),
        ('{"0008103E": {"vr": "LO"}, "0008103e": {"vr": "LO"}}', r"twice \[tag \(0008,103E\)"),
        ('{"00280010": {"vr": "US", "vr": "SS"}}', "'vr' is there twice"),
        ('{"00100020": {"vr": "LO", "Value": ["\\ud800"]}}', "no UTF-8"),
        (b'{"00100020": {"vr": "LO", "Value": ["\xff"]}}', "no UTF-8"),
        ("{}".encode("utf-16"), "no UTF-8"),
        ('{"00100020": {"vr": "LO", "Value": ["\ud800"]}}', "no UTF-8"),
        ("[" * 100_000, "nested too deep"),
        ('{"0040A730":{"vr":"SQ","Value":[' * 20_000, "nested too deep"),
        ('{"0040A730":{"vr":"SQ","Value":[' * 101 + "{}" + "]}}" * 101, "more than 100 deep"),
    ],
)  # fmt: skip
def test_bad_documents_are_errors_that_say_where(document: str | bytes, message: str) -> None:
    with pytest.raises(ReadError, match=message):
        from_json(document)


def test_an_error_names_the_items_that_lead_to_it() -> None:
    bad = {
        "0040A730": {
            "vr": "SQ",
            "Value": [{}, {"0040A168": {"vr": "SQ", "Value": [{"00080100": {"vr": "SH", "Value": [1]}}]}}],
        }
    }
    with pytest.raises(ReadError) as caught:
        from_json([{}, bad])
    assert str(caught.value).startswith("instance 1: item 1 of (0040,A730): item 0 of (0040,A168): ")
    assert caught.value.tag == 0x00080100


def test_nesting_as_deep_as_allowed_goes_both_ways() -> None:
    ds = dk.DataSet(Rows=1)
    for _ in range(100):
        ds = dk.DataSet([dk.Element(Tag(0x0040A730), "SQ", (ds,))])
    assert from_json(to_json(ds)) == ds


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["LO", "SQ", "US", "AA=="]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["vr", "Value", "InlineBinary", "BulkDataURI", "00100010", "0040A730", "00080005", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
@settings(max_examples=200)
def test_any_json_is_read_or_refused(model: object) -> None:
    for given_ in (json.dumps(model), model):
        try:
            found = from_json(given_)  # type: ignore[call-overload]
            to_json(found)
        except DicomError:
            pass


@given(st.binary(max_size=200), st.integers(0, 400))
def test_damaged_documents_are_read_or_refused(noise: bytes, at: int) -> None:
    whole = to_json(
        dk.DataSet(PatientName="a^b", PixelSpacing=(1, 2), ContentSequence=[{"Rows": 1}], PixelData=b"ab")
    ).encode()
    damaged = whole[: at % len(whole)] + noise + whole[(at + 1) % len(whole) :]
    for read in (from_json, lambda document: list(iter_json([document]))):
        try:
            read(damaged)
        except DicomError:
            continue


# Round trips.


@given(data_sets())
@settings(max_examples=150)
def test_any_data_set_comes_back(ds: dk.DataSet) -> None:
    text = to_json(ds)
    assert from_json(text) == ds
    assert from_json(json.loads(text)) == ds
    assert list(iter_json([text.encode()])) == [ds]


def without_group_lengths(ds: dk.DataSet) -> dk.DataSet:
    return ds.map(lambda element: dk.DROP if element.tag.element == 0 else element)


@needs_data
def test_text_written_from_the_index_is_that_of_the_elements() -> None:
    for path in all_dicom_files():
        try:
            ds = dk.read(path)
        except DicomError:
            continue
        copied = ds._of(ds._records, {tag: ds.element(tag) for tag in ds if ds.element(tag).vr != "SQ"}, {}, None)
        assert to_json(copied) == to_json(ds), path


# Peers.


def comparable(model: dict[str, dict[str, object]]) -> dict[str, object]:
    """Reduce a model to what peers must agree on: numbers as numbers, empty names and values as none."""
    found: dict[str, object] = {}
    for tag, attribute in model.items():
        if tag.endswith("0000") or tag.startswith("0002") or tag == "7FE00010":
            continue  # in encapsulated form pydicom leaves the delimiter out
        vr, values = attribute["vr"], list(attribute.get("Value", ()))  # type: ignore[call-overload]
        if vr == "SQ":
            values = [comparable(item) for item in values]
        elif vr in ("DS", "IS", "FD", "FL", "US", "SS", "UL", "SL", "SV", "UV"):
            values = [number if number is None else str(float(number)) for number in values]
        elif vr == "PN":
            values = [{group: text for group, text in (name or {}).items() if text} or None for name in values]
        elif all(isinstance(value, (str, type(None))) for value in values):
            values = [value and value.strip() for value in values]
        values = [None if value == "" else value for value in values]
        if not any(value is not None for value in values):
            values = []
        found[tag] = (vr, values, attribute.get("InlineBinary") or None)
    return found


@needs_data
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("part", range(3))
def test_pydicom_writes_the_same_and_reads_ours(part: int) -> None:
    pydicom = pytest.importorskip("pydicom")
    compared = 0
    for path in all_dicom_files()[part::24]:
        try:
            ds = dk.read(path).drop("PixelData")
        except DicomError:
            continue
        if ds.transfer_syntax.big_endian or path.name in ("badVR.dcm", "emri_small_jpeg_2k_lossless_too_short.dcm"):
            continue  # pydicom doesn't turn words round; can't read a number; stops at the end of a cut file
        theirs = pydicom.dcmread(path, force=True)
        theirs.pop("PixelData", None)
        assert comparable(to_json_model(ds)) == comparable(json.loads(theirs.to_json())), path
        again = pydicom.Dataset.from_json(to_json(ds))
        assert set(map(int, again.keys())) == {int(tag) for tag in ds if tag.element}
        assert comparable(json.loads(again.to_json())) == comparable(to_json_model(ds)), path
        compared += 1
    assert compared > 15


DCM2JSON = [
    "01_pydicom_core/CT_small.dcm",
    "01_pydicom_core/MR_small_bigendian.dcm",
    "11_sr/pydicom/reportsi.dcm",
    "10_rt/pydicom/rtstruct.dcm",
    "08_charset/chrArab.dcm",
    "08_charset/chrRuss.dcm",
    "17_waveform/waveform_ecg.dcm",
]


@needs_data
@pytest.mark.parametrize("name", DCM2JSON)
def test_dcmtk_writes_the_same(name: str) -> None:
    path = real_file(name)
    done = subprocess.run([peer("dcm2json"), "-q", path], capture_output=True, check=True)
    theirs = from_json(done.stdout)
    ours = from_json(to_json(dk.read(path)))
    assert set(theirs) == set(ours)
    for tag in ours:
        mine, other = ours.element(tag), theirs.element(tag)
        if tag == 0x00080005:
            assert other.value == "ISO_IR 192"  # DCMTK says how the JSON is encoded, we what the data set said
        elif other.vr == "UN" or mine.vr in ("SQ", "FD", "FL", "PN"):
            assert mine.vr == other.vr or tag.is_private  # DCMTK's dictionary of private elements is another
        else:
            assert dk.DataSet([mine]) == dk.DataSet([other]), tag


@needs_data
def test_examples_of_other_servers_are_read() -> None:
    folder = DATA / "20_json_xml"
    metadata = from_json((folder / "dicomweb-client/retrieve_instance_metadata.json").read_bytes())[0]
    assert (metadata.Rows, metadata.SamplesPerPixel) == (10, 3)  # US as strings
    assert metadata.PixelData.uri.endswith("/bulk/7fe00010")
    for name in (
        "search_for_studies",
        "search_for_series",
        "search_for_instances",
        "search_for_studies_limit-2_offset-1",
    ):
        path = folder / f"dicomweb-client/{name}.json"
        whole = from_json(path.read_bytes())
        assert len(whole) >= 1
        with path.open("rb") as stream:
            assert list(iter_json(stream)) == whole
    stored = from_json((folder / "dcm4che_mwl_mpps_ups/stowrsd/response.json").read_bytes())
    assert stored["ReferencedSOPSequence", 0, "ReferencedSOPClassUID"] == "1.2.840.10008.5.1.4.1.1.7"
    synthetic = from_json((folder / "raster_lab/synthetic/syn-ct.json").read_bytes())
    assert synthetic == without_group_lengths(dk.read(folder / "raster_lab/synthetic/syn-ct.dcm"))
    assert len(synthetic.repairs) == 1
    template = from_json((folder / "arc_light_ups/upsCreate.iod.json").read_bytes())
    assert template.element("ProcedureStepLabel").value is None
    for name in ("CLIContracts", "goldens.synthetic", "parity-allowlist"):
        with pytest.raises(ReadError, match="is no tag"):
            from_json((folder / f"raster_lab/{name}.json").read_bytes())


# Streams.


def chopped(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_an_array_in_pieces_of_any_size(size: int) -> None:
    several = [
        dk.DataSet(PatientName="Müller^Jörg=王", Rows=3, DoubleFloatRealWorldValueLastValueMapped=-1.5e-7),
        dk.DataSet(),
    ] * 3
    for text in (to_json(several), to_json(several, indent=1), "\ufeff \n" + to_json(several) + " \n"):
        assert list(iter_json(chopped(text.encode(), size))) == several


@pytest.mark.parametrize(("document", "count"), [(b"", 0), (b" \n", 0), (b"[]", 0), (b"{}", 1), (b"[{}, {}]", 2)])
def test_empty_and_single_answers(document: bytes, count: int) -> None:
    assert len(list(iter_json(io.BytesIO(document)))) == count


@pytest.mark.parametrize(
    ("document", "given_", "message"),
    [
        (b"[{},", 1, "ends too early"),
        (b"[{}", 1, "ends too early"),
        (b"[{},]", 1, "where one of {"),
        (b"[,{}]", 0, r"where one of \{ \]"),
        (b"[{}{}]", 1, "where one of , ]"),
        (b"[{}] x", 1, "where one of nothing"),
        (b"{} {}", 1, "where one of nothing"),
        (b"[1]", 0, "'1' where"),
        (b"[{}, null]", 1, "'n' where"),
        (b'[{}, {"a": tru}]' + b" " * 100, 1, r"no JSON.*offset"),
        (b'[{}, {"a": "x\xff"}]', 0, "no UTF-8"),
        (b'[{}, {"00280010": {"vr": "US", "Value": [-1]}}]', 1, r"instance 1: .*\(0028,0010\)"),
        (b'[{}, {"vr": "US", "vr": "US"}]', 1, "there twice"),
        (b"[{}, {" + b'"0040A730":{"vr":"SQ","Value":[{' * 5000, 1, "no JSON|deep"),
    ],
)
def test_a_bad_stream_gives_what_came_before(document: bytes, given_: int, message: str) -> None:
    found = []
    with pytest.raises(ReadError, match=message):
        found.extend(iter_json(io.BytesIO(document)))
    for size in (1, 5):
        several: list[dk.DataSet] = []
        with pytest.raises(ReadError):
            several.extend(iter_json(chopped(document, size)))
        assert len(several) >= given_


def test_a_stream_of_text_is_an_error() -> None:
    with pytest.raises(SourceError, match="binary mode"):
        list(iter_json(io.StringIO("[]")))  # type: ignore[arg-type]


def test_an_instance_without_end_is_refused_at_the_limit() -> None:
    def endless():
        yield b'[{"00100020":{"vr":"LO","Value":["'
        for _ in range(1000):
            yield b"a" * 65536

    with pytest.raises(ReadError, match="more than 1000000 characters"):
        list(iter_json(endless(), limit=1_000_000))


def test_a_malformed_stream_is_refused_long_before_the_limit() -> None:
    read = 0

    def endless():
        nonlocal read
        yield b'[{"00100020": nonsense, '
        while True:
            read += 65536
            yield b"a" * 65536

    with pytest.raises(ReadError, match="no JSON"):
        list(iter_json(endless()))
    assert read < 1 << 20


def test_a_long_array_is_read_in_the_memory_of_one_instance() -> None:
    one_text = to_json(dk.DataSet(PatientName="a^b", Rows=1, PixelData=bytes(30_000))).encode()

    def array():
        yield b"["
        for _ in range(999):
            yield one_text + b","
        yield one_text + b"]"

    tracemalloc.start()
    count = sum(1 for _ in iter_json(array()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 1000
    assert peak < 20 * len(one_text)


def test_a_large_instance_in_small_pieces_takes_linear_time() -> None:
    text = to_json([dk.DataSet(PixelData=bytes(6_000_000))]).encode()
    start = time.process_time()
    assert len(list(iter_json(chopped(text, 4096)))) == 1
    assert time.process_time() - start < 3


@needs_data
def test_speed_beside_pydicom() -> None:
    """The ratios of the benchmarks are above 5; here they only must not fall apart on a busy machine."""
    pydicom = pytest.importorskip("pydicom")
    path = real_file("05_series_ct/philips_head/S21570/S2010/DIRFILE")
    theirs = pydicom.dcmread(path)
    theirs.pop("PixelData", None)
    text, ds = theirs.to_json(), dk.read(path)
    ds = ds.drop("PixelData")

    def best(work) -> float:
        times = []
        for _ in range(5):
            start = time.process_time()
            work()
            times.append(time.process_time() - start)
        return min(times)

    assert best(lambda: pydicom.Dataset.from_json(text)) > 3 * best(lambda: from_json(text))
    assert best(theirs.to_json) > 2.5 * best(lambda: to_json(ds))


def test_endless_white_space_takes_no_memory() -> None:
    def spaces():
        yield b"[{}"
        for _ in range(200):
            yield b" " * (1 << 16)
        yield b"]"

    tracemalloc.start()
    assert len(list(iter_json(spaces()))) == 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 << 20


@pytest.mark.parametrize("again", [b"UN\0\0\4\0\0\0\1\2\3\4", b"LO\4\0text", b"OB\0\0\4\0\0\0\1\2\3\4"])
def test_of_an_element_that_is_there_twice_the_later_one_counts(again: bytes) -> None:
    """Whatever the VR of the first: here a sequence, whose items nobody looks for then."""
    tag = b"\x09\x00\x01\x10"
    ds = dk.read(tag + b"SQ\0\0\0\0\0\0" + tag + again, transfer_syntax="1.2.840.10008.1.2.1")
    assert ds.repairs
    assert from_json(to_json(ds)) == ds
    nested = dk.read(tag + b"OB\0\0\2\0\0\0ab" + tag + b"UN\0\0\4\0\0\0\1\2\3\4", transfer_syntax="1.2.840.10008.1.2.1")
    assert from_json(to_json(nested)) == nested


def test_documents_in_files(tmp_path: Path) -> None:
    ds = dk.DataSet(PatientName="Müller", Rows=2)
    path = tmp_path / "a.json"
    path.write_text(to_json([ds]), encoding="utf-8")
    assert from_json(path) == [ds]
    with path.open("rb") as binary, path.open(encoding="utf-8") as text:
        assert from_json(binary) == from_json(text) == [ds]
    with pytest.raises(ReadError, match=r"no JSON.*pathlib\.Path"):
        from_json(str(path))
    path.write_text("{")
    with pytest.raises(ReadError) as caught:
        from_json(path)
    assert caught.value.path == str(path)
    with pytest.raises(SourceError, match=r"b\.json"):
        from_json(tmp_path / "b.json")


def test_what_is_no_data_set_is_not_written() -> None:
    with pytest.raises(ValueFormatError, match="no DataSet"):
        to_json("text")  # type: ignore[arg-type]
    with pytest.raises(ValueFormatError, match="no DataSet"):
        to_json([{"Rows": 1}])  # type: ignore[list-item]


def test_an_error_deep_down_is_told_in_a_few_words() -> None:
    with pytest.raises(ReadError, match="more than 100 deep") as caught:
        from_json('{"0040A730":{"vr":"SQ","Value":[' * 101 + "{}" + "]}}" * 101)
    assert str(caught.value).count("item 0 of (0040,A730)") == 8
