"""Value fields there and back for every VR and both byte orders, and what bad bytes and bad values give."""

from __future__ import annotations

import array
import contextlib
import datetime
import decimal
import math
import pickle
import struct

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from dicomkit.errors import DicomError, ValueFormatError
from dicomkit.values.age import Age
from dicomkit.values.charset import DEFAULT, Charset
from dicomkit.values.date_times import DateTime
from dicomkit.values.dates import Date
from dicomkit.values.decode import decode_problems, decode_value
from dicomkit.values.encode import encode_value
from dicomkit.values.numbers import format_ds
from dicomkit.values.person_name import PersonName
from dicomkit.values.tag import Tag
from dicomkit.values.times import Time
from dicomkit.values.uid import UID
from dicomkit.values.vr import VRS

UTF8 = Charset.of("ISO_IR 192")
CHARSETS = [DEFAULT, UTF8, Charset.of("ISO_IR 100"), Charset.of("\\ISO 2022 IR 87"), Charset.of("GB18030")]

# Legal values of each VR, as decode_value gives them.
graphic = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\\")
letters = st.characters(codec="ascii", exclude_categories=["Cc"], exclude_characters="\\")
name_letters = st.characters(codec="iso8859-1", exclude_categories=["Cc"], exclude_characters="\\^=")


def trimmed(alphabet: st.SearchStrategy[str], most: int) -> st.SearchStrategy[str]:
    return st.text(alphabet, max_size=most).map(lambda text: text.strip(" ")).filter(bool)


def trailing_trimmed(alphabet: st.SearchStrategy[str], most: int) -> st.SearchStrategy[str]:
    return st.text(alphabet, max_size=most).map(lambda text: text.rstrip(" ")).filter(bool)


paragraphs = st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\r\n\t\f\\")
offsets = st.integers(-12 * 60, 14 * 60).map(
    lambda minutes: f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}{abs(minutes) % 60:02d}"
)
dates = st.dates().map(Date.of)
times = st.times().map(Time.of) | st.sampled_from(["00", "2359", "235960", "235959.9"]).map(Time)
groups = st.lists(st.text(name_letters, max_size=12), max_size=5).map("^".join).map(str.strip)
LEGAL: dict[str, st.SearchStrategy[object]] = {
    "AE": trimmed(letters, 16),
    "AS": st.builds(Age.of, st.integers(0, 999), st.sampled_from("DWMY")),
    "AT": st.integers(0, 2**32 - 1).map(Tag),
    "CS": trimmed(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ "), 16),
    "DA": dates,
    "DS": st.floats(allow_nan=False, allow_infinity=False).map(format_ds).map(float),
    "DT": st.builds(lambda day, time, offset: DateTime(day + time + offset), dates, times, offsets | st.just(""))
    | st.datetimes().map(DateTime.of),
    "FD": st.floats(allow_nan=False),
    "FL": st.floats(allow_nan=False, width=32),
    "IS": st.integers(-(2**31), 2**31 - 1),
    "LO": trimmed(graphic, 64),
    "LT": trailing_trimmed(paragraphs, 100),
    "OB": st.binary(min_size=1).map(lambda raw: raw + raw[: len(raw) % 2]),
    "OD": st.lists(st.binary(min_size=8, max_size=8), min_size=1).map(b"".join),
    "OF": st.lists(st.binary(min_size=4, max_size=4), min_size=1).map(b"".join),
    "OL": st.lists(st.binary(min_size=4, max_size=4), min_size=1).map(b"".join),
    "OV": st.lists(st.binary(min_size=8, max_size=8), min_size=1).map(b"".join),
    "OW": st.lists(st.binary(min_size=2, max_size=2), min_size=1).map(b"".join),
    "PN": st.lists(groups, min_size=1, max_size=3).map("=".join).map(str.strip).filter(bool).map(PersonName),
    "SH": trimmed(graphic, 16),
    "SL": st.integers(-(2**31), 2**31 - 1),
    "SS": st.integers(-(2**15), 2**15 - 1),
    "ST": trailing_trimmed(paragraphs, 100),
    "SV": st.integers(-(2**63), 2**63 - 1),
    "TM": times,
    "UC": trailing_trimmed(graphic, 200),
    "UI": st.lists(st.integers(0, 10**9).map(str), min_size=2, max_size=6).map(".".join).map(UID),
    "UL": st.integers(0, 2**32 - 1),
    "UN": st.binary(min_size=1).map(lambda raw: raw + raw[: len(raw) % 2]),
    "UR": st.text(st.sampled_from("abcXYZ019-._~:/?#[]@!$&'()*+,;=%"), min_size=1),
    "US": st.integers(0, 2**16 - 1),
    "UT": trailing_trimmed(paragraphs, 100),
    "UV": st.integers(0, 2**64 - 1),
}


def test_every_vr_has_a_strategy() -> None:
    assert set(LEGAL) == set(VRS) - {"SQ"}


@pytest.mark.parametrize("vr", LEGAL)
@settings(max_examples=50)
@given(data=st.data(), big_endian=st.booleans())
def test_legal_values_there_and_back(vr: str, data: st.DataObject, big_endian: bool) -> None:
    values = data.draw(st.lists(LEGAL[vr], min_size=1, max_size=4 if VRS[vr].multi else 1))
    value = values[0] if len(values) == 1 else tuple(values)
    raw = encode_value(vr, value, big_endian=big_endian, charset=UTF8)
    assert len(raw) % 2 == 0
    decoded = decode_value(vr, raw, big_endian=big_endian, charset=UTF8)
    assert decoded == value
    for one, other in zip(decoded if isinstance(decoded, tuple) else (decoded,), values, strict=True):
        assert type(one) is type(other)
    assert decode_value(vr, memoryview(raw), big_endian=big_endian, charset=UTF8) == value
    assert decode_problems(vr, raw, big_endian=big_endian, charset=UTF8) == ()
    assert encode_value(vr, decoded, big_endian=big_endian, charset=UTF8) == raw


@pytest.mark.parametrize("vr", [*VRS, "??", ""])
@settings(max_examples=60)
@given(
    raw=st.binary() | st.text("0123456789.eE+-^=\\ \0_nainfDWMY:", max_size=30).map(str.encode),
    big_endian=st.booleans(),
    charset=st.sampled_from(CHARSETS),
)
@example(raw=b"9" * 5000, big_endian=False, charset=DEFAULT)
@example(raw=b"1e400\\-1e400\\nan\\inf", big_endian=False, charset=DEFAULT)
def test_bad_bytes_never_raise(vr: str, raw: bytes, big_endian: bool, charset: Charset) -> None:
    value = decode_value(vr, raw, big_endian=big_endian, charset=charset)
    problems = decode_problems(vr, raw, big_endian=big_endian, charset=charset, tag=0x00080005, vm="1-2")
    assert all(isinstance(problem, str) and len(problem) < 300 for problem in problems)
    if value is None and b"\x1b" not in raw:  # an escape sequence alone is no text either
        assert not raw.strip(b" \0\\") or len(raw) < VRS[vr].itemsize
    repr(value)
    # Whatever is read can be asked for its parts, and either be written again or be refused with the reason.
    for one in value if isinstance(value, tuple) else (value,):
        for name in ("components", "precision", "is_valid", "utc_offset", "years", "groups", "keyword"):
            getattr(one, name, None)
        for name in ("to_date", "to_time", "to_datetime", "to_timedelta", "earliest", "latest", "formatted"):
            with contextlib.suppress(ValueFormatError):
                getattr(one, name, str)()
    if vr in VRS and vr != "SQ":
        try:
            encode_value(vr, value, big_endian=big_endian, charset=charset)
        except ValueFormatError:
            # Infinities and huge numbers that a text gave, code points above 7F in ASCII: nothing else breaks no rule.
            assert problems or vr in ("DS", "IS")


@pytest.mark.parametrize("vr", sorted(set(VRS) - {"SQ"}))
@given(
    value=st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=20)
    | st.dates()
    | st.decimals()
    | st.lists(st.integers() | st.text(max_size=3), max_size=3).map(tuple)
    | st.dictionaries(st.text(max_size=2), st.integers(), max_size=2)
    | st.complex_numbers()
)
@settings(max_examples=60)
def test_what_is_written_is_legal_or_refused(vr: str, value: object) -> None:
    for strict in (True, False):
        try:
            raw = encode_value(vr, value, charset=UTF8, strict=strict)
        except DicomError:
            continue
        assert len(raw) % 2 == 0
        assert not strict or not decode_problems(vr, raw, charset=UTF8)


@pytest.mark.parametrize(
    ("vr", "raw", "value"),
    [
        ("CS", b"ORIGINAL\\PRIMARY ", ("ORIGINAL", "PRIMARY")),
        ("CS", b" CT \0", "CT"),
        ("AE", b"  PACS  ", "PACS"),
        ("LO", b" a b ", "a b"),
        ("LO", b"a\\\\b ", ("a", "", "b")),
        ("SH", b"a\0\\b\0", ("a", "b")),
        ("UC", b" a \\ b ", (" a", " b")),
        ("ST", b" a\\b ", " a\\b"),
        ("LT", b" a\r\n ", " a\r\n"),
        ("UR", b"http://a/b\\c ", "http://a/b\\c"),
        ("PN", b" Doe^J \\X", (" Doe^J", "X")),
        ("PN", b"A\\\\B ", ("A", "", "B")),
        ("UI", b"1.2.3\0\\1.2 \0", ("1.2.3", "1.2")),
        ("UI", b" 1.2.3", "1.2.3"),
        ("DA", b"20240131\\20240201 ", ("20240131", "20240201")),
        ("DA", b"20240131\\\\", ("20240131", None, None)),
        ("TM", b"1010  ", "1010"),
        ("AS", b"018M", "018M"),
        ("DS", b" 1.50 ", 1.5),
        ("DS", b"1\\\\2 ", (1.0, None, 2.0)),
        ("DS", b".5\0", 0.5),
        ("DS", b"1,5\\2 ", ("1,5", 2.0)),
        ("DS", b"1_0 ", "1_0"),
        ("DS", b"1\\1_0 ", (1.0, "1_0")),
        ("DS", b"inf ", math.inf),
        ("DS", b"1e400 ", math.inf),
        ("IS", b"+07 ", 7),
        ("IS", b"1.5 ", 1.5),
        ("IS", b"2.0\\3 ", (2, 3)),
        ("IS", b"99999999999999999999", 99999999999999999999),
        ("IS", b"nan ", "nan"),
        ("IS", b"1\\\\x ", (1, None, "x")),
        ("IS", b"1_0\\2", ("1_0", 2)),
        ("US", b"\1\0\2\0\3", (1, 2)),
        ("US", b"\1", None),
        ("AT", b"\x10\0\x20\0\x28", 0x00100020),
        ("OB", b"\1\2\3", b"\1\2\3"),
        ("??", b"\1\2", b"\1\2"),
    ],
)
def test_decoded(vr: str, raw: bytes, value: object) -> None:
    assert decode_value(vr, raw) == value


@pytest.mark.parametrize("vr", VRS)
def test_nothing_is_none(vr: str) -> None:
    assert decode_value(vr, b"") is None
    assert decode_problems(vr, b"") == ()
    if VRS[vr].kind in ("text", "number_text"):
        assert decode_value(vr, b"  ") is None
        assert decode_value(vr, b"\0\0") is None
        if VRS[vr].multi:
            assert decode_value(vr, b"\\ ") is None  # delimiters alone are an empty value (PS3.5 6.4)
    if vr != "SQ":
        assert encode_value(vr, None) == encode_value(vr, ()) == b""


def test_big_endian() -> None:
    assert decode_value("US", b"\0\2\0\3", big_endian=True) == (2, 3)
    assert decode_value("AT", b"\0\x10\0\x20", big_endian=True) == Tag(0x00100020)
    assert decode_value("FD", struct.pack(">d", 1.5), big_endian=True) == 1.5
    assert decode_value("OW", b"\1\2\3\4\5", big_endian=True) == b"\2\1\4\3\5"
    assert decode_value("OD", bytes(range(8)), big_endian=True) == bytes(range(7, -1, -1))
    assert decode_value("OB", b"\1\2", big_endian=True) == b"\1\2"
    assert encode_value("OL", b"\1\2\3\4", big_endian=True) == b"\4\3\2\1"
    assert encode_value("UN", b"\1\2\3", big_endian=True) == b"\1\2\3\0"


def test_nan_there_and_back() -> None:
    for vr in ("FL", "FD"):
        found = decode_value(vr, encode_value(vr, (math.nan, -math.inf)))
        assert isinstance(found, tuple)
        assert math.isnan(found[0])
        assert found[1] == -math.inf


@pytest.mark.parametrize(
    ("vr", "value", "raw"),
    [
        ("DA", datetime.date(2024, 1, 31), b"20240131"),
        ("DA", datetime.datetime(2024, 1, 31, 10), b"20240131"),
        ("TM", datetime.time(9, 5), b"090500"),
        ("TM", datetime.timedelta(hours=9, microseconds=5), b"090000.000005 "),
        ("TM", datetime.datetime(2024, 1, 31, 10), b"100000"),
        ("DT", datetime.date(2024, 1, 31), b"20240131"),
        ("DT", datetime.datetime(2024, 1, 31, tzinfo=datetime.UTC), b"20240131000000+0000 "),
        ("DS", 1, b"1 "),
        ("DS", 1.0, b"1 "),
        ("DS", " 1.50", b" 1.50 "),
        ("DS", decimal.Decimal("1.50"), b"1.50"),
        ("DS", [1, None, "2.00"], b"1\\\\2.00 "),
        ("DS", 10**20, b"1e20"),
        ("IS", 3.0, b"3 "),
        ("IS", "+3", b"+3"),
        ("US", 3.0, b"\3\0"),
        ("US", range(3), b"\0\0\1\0\2\0"),
        ("FL", 1, struct.pack("<f", 1)),
        ("AT", "PatientName", b"\x10\0\x10\0"),
        ("AT", (0x00100010, "Rows"), b"\x10\0\x10\0\x28\0\x10\0"),
        ("UI", "1.2", b"1.2\0"),
        ("UI", ("1.2", "1.3"), b"1.2\\1.3\0"),
        ("LO", ("a", None, "b"), b"a\\\\b"),
        ("ST", "a\\b", b"a\\b "),
        ("OB", bytearray(b"abc"), b"abc\0"),
        ("OW", array.array("H", [1, 2]), b"\1\0\2\0"),
        ("OB", memoryview(b"ab"), b"ab"),
        ("OF", array.array("f", [1.5]), struct.pack("<f", 1.5)),
    ],
)
def test_encoded(vr: str, value: object, raw: bytes) -> None:
    assert encode_value(vr, value) == raw


@pytest.mark.parametrize(
    ("vr", "value", "reason"),
    [
        ("AE", "x" * 17, "17 characters"),
        ("AE", "a\\b", "ASCII without backslash"),
        ("AS", "18Y", "not an age"),
        ("CS", "Primary", "'r' can't be in a CS"),
        ("CS", "A\\B", "can't be in a CS"),
        ("DA", "20240230", "not a date"),
        ("DA", "2024.01.31", "not a date"),
        ("DA", 20240131, "not int"),
        ("DS", "1,5", "not a decimal number"),
        ("DS", "1.23456789012345678", "19 characters"),
        ("DS", math.nan, "finite"),
        ("DS", True, "not bool"),
        ("DS", decimal.Decimal("NaN"), "finite"),
        ("DS", 10**400, "too large"),
        ("DT", "2024-13", "not a date and time"),
        ("FD", "1.5", "is a number, not str"),
        ("FL", 1e300, "32 bits"),
        ("IS", 2**31, "within"),
        ("IS", "99999999999", "not within"),
        ("IS", 1.5, "not float"),
        ("LO", "a\nb", r"no control characters"),
        ("LO", "a\\b", "separates values"),
        ("LO", "x" * 65, "65 characters"),
        ("LO", "é", "U\\+00E9"),
        ("LO", 5, "not int"),
        ("LT", ("a", "b"), "one value only"),
        ("LT", "\x07", "no control characters but"),
        ("OB", "text", "is bytes, not str"),
        ("OW", b"abc", "no multiple of 2"),
        ("OW", array.array("d", [1]), "items have 8 bytes"),
        ("PN", "A=B=C=D", "4 component groups"),
        ("PN", "A^B^C^D^E^F", "6 components in the alphabetic"),
        ("PN", "x" * 65, "65 characters in the alphabetic"),
        ("SH", "x" * 17, "17 characters"),
        ("SQ", (), "data sets"),
        ("TM", "2400", "not a time"),
        ("TM", datetime.timedelta(days=1), "time of a day"),
        ("UI", "1.02", "not a UID"),
        ("UI", "1." + "2" * 63, "65 characters|not a UID"),
        ("UR", "http://a b", "percent-encode"),
        ("US", -1, "16 bits"),
        ("US", 65536, "16 bits"),
        ("US", None, None),
        ("US", (1, None), "not NoneType"),
        ("AT", "NoSuchKeyword", "neither a keyword"),
        ("??", b"", "no value representation"),
    ],
)
def test_refused(vr: str, value: object, reason: str | None) -> None:
    if reason is None:
        assert encode_value(vr, value) == b""
        return
    with pytest.raises(ValueFormatError, match=reason):
        encode_value(vr, value)


def test_huge_integers_are_refused_too() -> None:
    for vr, reason in {"US": "a huge int", "IS": "must be within", "FD": "too large", "DS": "too large"}.items():
        with pytest.raises(ValueFormatError, match=reason):
            encode_value(vr, 10**5000)


def test_lenient_writing_is_for_query_keys() -> None:
    assert encode_value("DA", "20240101-20240131", strict=False) == b"20240101-20240131 "
    assert encode_value("CS", '""', strict=False) == b'""'
    assert encode_value("UI", "1.2.*", strict=False) == b"1.2.*\0"
    with pytest.raises(ValueFormatError):
        encode_value("LO", "é", strict=False)


def test_alphabetic_group_of_a_name() -> None:
    japanese = Charset.of("\\ISO 2022 IR 87")
    for charset in (japanese, UTF8):
        with pytest.raises(ValueFormatError, match="'=山田'"):
            encode_value("PN", "山田", charset=charset)
        assert encode_value("PN", "=山田", charset=charset)
        assert encode_value("PN", "山田", charset=charset, strict=False)
    assert encode_value("PN", "Ἀριστοτέλης=", charset=UTF8)
    assert encode_value("PN", "Müller^Jürgen", charset=Charset.of("ISO_IR 100"))


@pytest.mark.parametrize(
    ("vr", "raw", "problem"),
    [
        ("LO", b"abc", "odd length 3"),
        ("LO", b"abc\0", "padded by a zero byte instead of a space"),
        ("UI", b"1.2 ", "padded by a space instead of a zero byte"),
        ("UI", b"1.2.3\0\0\0", "padded by 3 zero bytes, of 1 at most"),
        ("US", b"\0\0\0\0\0\0", "3 values, where the VM is 1-2"),
        ("LO", b"a\\b\\c ", "3 values, where the VM is 1-2"),
        ("FL", b"\0\0\0\0\0\0", "6 bytes are no multiple of 4"),
        ("OW", b"\0\0\0", "3 bytes are no multiple of 2"),
        ("DS", b"NaN ", "'NaN' is not a decimal number"),
        ("DS", b"1.2345678901234567", "18 characters, of 16 at most"),
        ("IS", b"1.0 ", "'1.0' is not an integer"),
        ("IS", b"4000000000", "'4000000000' is not within -2147483648 and 2147483647"),
        ("DA", b" 20240131 ", "' 20240131' is not a date: YYYYMMDD"),
        ("CS", b"ORIGINAL\\prim", "the character 'p' can't be in a CS: only A-Z, 0-9, space and underscore"),
        ("SH", b"a\xe9", "bytes above 7F that no set is designated for, read as ISO-IR 100"),
        ("AE", b"a\xe9", "the character 'é' can't be in an AE: only ASCII without backslash and control characters"),
        ("??", b"ab", "'??' is no value representation of PS3.5"),
    ],
)
def test_problems(vr: str, raw: bytes, problem: str) -> None:
    assert problem in decode_problems(vr, raw, vm="1-2")


def test_problems_of_character_sets() -> None:
    assert decode_problems("LO", b"a\xe9", charset=UTF8)
    assert decode_problems("LO", "é".encode(), charset=UTF8) == ()
    assert decode_problems("LO", "\ufffd ".encode(), charset=UTF8) == ()
    assert decode_problems("CS", b"ISO-IR 100", tag=0x00080005)[-1].startswith("'ISO-IR 100' is no defined term")
    assert decode_problems("LO", b"\x1b$B;3ED\x1b(B", charset=Charset.of("\\ISO 2022 IR 87")) == ()
    assert decode_problems("LO", b"\x1b$B;3ED", charset=Charset.of("\\ISO 2022 IR 87"))


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", "<i4", ">f4", "<f8", "float16"])
def test_numpy_values(dtype: str) -> None:
    numpy = pytest.importorskip("numpy")
    numbers = numpy.array([1, 2, 3], dtype)
    assert encode_value("US", numbers.astype("u2")) == b"\1\0\2\0\3\0"
    assert encode_value("US", numbers.astype("u2")[0]) == b"\1\0"
    assert encode_value("DS", numbers) == b"1\\2\\3 "
    assert encode_value("FD", numbers[:1]) == struct.pack("<d", 1)
    assert encode_value("IS", numbers[1]) == b"2 "
    vr = {1: "OB", 2: "OW", 4: "OL", 8: "OV"}[numbers.itemsize]
    little = numbers.astype(numbers.dtype.newbyteorder("<"))
    assert encode_value(vr, numbers) == little.tobytes() + b"\0" * (little.nbytes % 2)
    assert encode_value(vr, numbers[::-2]) == little[::-2].tobytes()
    assert encode_value("DA", numpy.array("2024-01-31", "datetime64[ns]")) == b"20240131"
    assert encode_value("TM", numpy.timedelta64(90, "s")) == b"000130"


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_a_decimal_string_read_and_written_is_stable(value: float) -> None:
    raw = encode_value("DS", value)
    again = decode_value("DS", raw)
    assert isinstance(again, float)
    assume(math.isfinite(again))
    assert encode_value("DS", again) == raw or decode_value("DS", encode_value("DS", again)) == again


def test_values_are_picklable() -> None:
    for vr, raw in {"PN": b"A^B", "UI": b"1.2", "DA": b"20240131", "TM": b"10", "DT": b"2024", "AS": b"018M"}.items():
        value = decode_value(vr, raw)
        copy = pickle.loads(pickle.dumps(value))
        assert copy == value
        assert type(copy) is type(value)
        assert hash(copy) == hash(value)
