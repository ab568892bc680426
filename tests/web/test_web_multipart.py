"""Multipart messages: any chunking, any boundary, what servers get wrong, limits, parts on disk, and the builder."""

from __future__ import annotations

import email
import email.policy
import gc
import io
import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomkit.errors import DicomError, ReadError, SourceError, TruncatedError, ValueFormatError
from dicomkit.web.media_types import MediaType
from dicomkit.web.multipart import (
    DEFAULT_LIMITS,
    Limits,
    MessageEnded,
    MultipartParser,
    PartData,
    PartEnded,
    PartStarted,
)
from dicomkit.web.multipart_writer import NewPart, multipart_related
from dicomkit.web.parts import Part, PartCollector, read_parts

RELATED = 'multipart/related; type="application/dicom"; boundary="{}"'


def chopped(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def parsed(
    chunks: list[bytes], boundary: str | None = "b", limits: Limits = DEFAULT_LIMITS
) -> list[tuple[object, bytes]]:
    """Parse a message to pairs of headers and body, with the events in the only order that they may have."""
    parser = MultipartParser(boundary, limits)
    found: list[tuple[object, bytes]] = []
    within = ended = False
    for chunk in chunks:
        for event in parser.feed(chunk):
            assert not ended
            if isinstance(event, PartStarted):
                assert not within
                within = True
                found.append((event.headers, b""))
            elif isinstance(event, PartData):
                assert within
                assert len(event.data)
                found[-1] = found[-1][0], found[-1][1] + event.data
            elif isinstance(event, PartEnded):
                assert within
                within = False
            else:
                assert isinstance(event, MessageEnded)
                ended = True
    parser.close()
    assert ended
    return found


# Pieces that look like boundaries, line ends and headers, but make no boundary wherever they meet.
pieces = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b"-", b"--", b" --b", b"\r\n-", b"\r\n--c", b"\r\n--bx", b"b", b"\x00\xff"]
)
bodies = (
    st.lists(pieces, max_size=8)
    .map(b"".join)
    .filter(lambda body: b"\n--b" not in (b"\n" + body).replace(b"\n--bx", b""))
)


@given(
    st.lists(bodies, max_size=4),
    st.lists(st.integers(1, 40), min_size=1, max_size=6),
    st.sampled_from([b"", b"This is a preamble\r\n--c\r\n", b"\r\n", b"\n"]),
    st.sampled_from([b"", b"\r\n", b"\r\nepilogue\r\n--b\r\n\r\nx\r\n--b--"]),
    st.sampled_from([b"\r\n", b" \t\r\n"]),
)
@settings(max_examples=300)
def test_any_chunking_gives_the_same_parts(
    written: list[bytes], sizes: list[int], preamble: bytes, epilogue: bytes, line_end: bytes
) -> None:
    data = preamble
    for body in written:
        data += b"--b" + line_end + b"Content-Type: a/b\r\nX: 1\r\n\r\n" + body + b"\r\n"
    data += b"--b--" + epilogue
    chunks, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        chunks.append(data[at : at + size])
        at, turn = at + size, turn + 1
    expected = [((("Content-Type", "a/b"), ("X", "1")), body) for body in written]
    assert parsed(chunks) == parsed([data]) == expected
    if written and b"--c" not in preamble:
        assert parsed(chunks, None) == expected


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("boundary", ["b", "--", "=_(1, 2)'+/?:.", "a" * 70, "----=_Part_1_2.3"])
def test_any_boundary(boundary: str, size: int) -> None:
    media_type, chunks = multipart_related([NewPart("a/b", b"one"), NewPart("c/d", b"")], "a/b", boundary=boundary)
    message = b"".join(chunks)
    found = read_parts(str(media_type), chopped(message, size))
    assert [(str(part.media_type), part.read()) for part in found] == [("a/b", b"one"), ("c/d", b"")]


@pytest.mark.parametrize(
    ("message", "bodies"),
    [
        (b"--b\n\none\n--b\nX: 1\n\ntwo\n--b--\n", [b"one", b"two"]),  # lines without CR
        (b"--b\r\n\r\n\r\n--b--", [b""]),
        (b"--b\r\n\r\n--b--", [b""]),  # no line end of its own
        (b"--b\r\n\r\n\r\n\r\n--b--", [b"\r\n"]),
        (b"--b--", []),
        (b"--b\r\nX: a\r\n b\r\n\tc\r\n\r\none\r\n--b--", [b"one"]),
        (b"--b\r\n\r\none\r\n--b--garbage", [b"one"]),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_messages_as_servers_send_them(message: bytes, bodies: list[bytes], size: int) -> None:
    assert [body for _, body in parsed(chopped(message, size))] == bodies


def test_folded_headers_and_their_names() -> None:
    (part,) = read_parts("multipart/mixed; boundary=b", b"--b\r\nCONTENT-type :a/b;\r\n x=1\r\nX:\r\n\r\n\r\n--b--")
    assert part.headers == (("CONTENT-type", "a/b; x=1"), ("X", ""))
    assert part.media_type == MediaType("a", "b", (("x", "1"),))
    assert (part.header("x"), part.header("y"), part.location) == ("", None, None)


def test_a_part_of_no_or_no_legible_type_is_octets() -> None:
    message = b"--b\r\n\r\n\r\n--b\r\nContent-Type: nonsense\r\n\r\n\r\n--b--"
    assert [str(part.media_type) for part in read_parts("multipart/mixed; boundary=b", message)] == [
        "application/octet-stream"
    ] * 2


@pytest.mark.parametrize(
    ("content_type", "type_"),
    [("application/dicom", "application/dicom"), ("application/dicom+json; charset=utf-8", "application/dicom+json")],
)
def test_a_single_part_where_multipart_was_asked_for(content_type: str, type_: str) -> None:
    (part,) = read_parts(content_type, [b"DI", b"CM"], headers=(("Content-Location", "/x"),))
    assert (part.media_type.essence, part.read(), part.location) == (type_, b"DICM", "/x")
    assert list(read_parts(content_type, [])) == []


def test_the_boundary_is_found_where_the_header_has_none() -> None:
    message = b"preamble\r\n--abc  \r\nX: 1\r\n\r\none\r\n--abc--\r\n"
    assert [part.read() for part in read_parts("multipart/related; type=a/b", chopped(message, 3))] == [b"one"]


def test_nested_messages() -> None:
    inner, chunks = multipart_related([NewPart("a/b", b"one"), NewPart("a/b", b"two")], "a/b")
    outer, chunks = multipart_related([NewPart("x/y", b"zero"), NewPart(inner, b"".join(chunks))], "x/y")
    first, second = read_parts(str(outer), chunks)
    assert first.read() == b"zero"
    assert [part.read() for part in second.parts()] == [b"one", b"two"]


@pytest.mark.parametrize(
    ("message", "where"),
    [
        (b"", "before the first boundary"),
        (b"hello", "before the first boundary"),
        (b"--b\r\n", "before the first boundary"),
        (b"--b\r\nX: 1\r\n\r\none", "within part 1"),
        (b"--b\r\n\r\none\r\n--b", "within part 1"),
        (b"--b\r\n\r\none\r\n--b\r\n", "within part 1"),
        (b"--b\r\n\r\none\r\n--b-", "within part 1"),
    ],
)
def test_a_message_that_ends_too_early(message: bytes, where: str) -> None:
    with pytest.raises(TruncatedError, match=rf"{where} \[offset {len(message)}\]"):
        parsed([message])


@pytest.mark.parametrize(
    ("message", "limits", "error"),
    [
        (b"--b\r\nno header\r\n\r\n\r\n--b--", Limits(), "no header of a part: 'no header'"),
        (b"--b\r\nX: 1\r\n--b\r\n\r\n", Limits(), "no header of a part: '--b'"),
        (b"--b\r\n" + b"X: 1\r\n" * 9 + b"\r\n\r\n--b--", Limits(headers=8), "more than 8 headers"),
        (b"--b\r\nX: " + b"a" * 99, Limits(header_bytes=50), "headers of more than 50 bytes"),
        (b"--b\r\n\r\n" + b"a" * 99, Limits(part_bytes=50), "a part of more than 50 bytes"),
        (b"--b\r\n\r\n\r\n" * 9 + b"--b--", Limits(parts=8), "more than 8 parts"),
        (b"a" * 99, Limits(preamble_bytes=50), "a preamble of more than 50 bytes"),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_bad_messages_and_limits(message: bytes, limits: Limits, error: str, size: int) -> None:
    with pytest.raises(ReadError, match=error):
        parsed(chopped(message, size), limits=limits)


def test_limits_of_a_message_that_is_no_multipart() -> None:
    with pytest.raises(ReadError, match="more than 10 bytes"):
        list(read_parts("application/dicom", [b"a" * 6] * 2, limits=Limits(part_bytes=10)))
    with pytest.raises(ReadError, match="no boundary within"):
        list(read_parts("multipart/related", [b"a" * 1000] * 100))
    with pytest.raises(ReadError, match="no media type"):
        list(read_parts("nonsense", []))


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_are_read_or_refused(data: bytes, size: int) -> None:
    for boundary in ("b", None):
        try:
            parsed(chopped(data.replace(b"\x00", b"--b\r\n").replace(b"\x01", b"\r\n\r\n"), size), boundary)
        except DicomError:
            continue


# Parts.


def test_large_bodies_go_to_disk() -> None:
    small, large = b"s" * 100, os.urandom(5000)
    media_type, chunks = multipart_related([NewPart("a/b", small), NewPart("a/b", large)], "a/b")
    first, second = read_parts(str(media_type), chopped(b"".join(chunks), 700), spool_size=1000)
    assert isinstance(first._body, bytes)
    assert not isinstance(second._body, bytes)
    assert second.read() == second.read() == b"".join(second.chunks(999)) == large
    assert (len(first), len(second), second.path) == (100, 5000, None)
    second.close()
    del first, second
    gc.collect()


def test_large_bodies_in_a_folder_stay(tmp_path) -> None:
    (part,) = read_parts("application/dicom", [b"a" * 100] * 20, spool_size=1000, folder=tmp_path)
    path = part.path
    assert path is not None
    assert part.read() == b"a" * 2000
    del part
    gc.collect()
    with open(path, "rb") as file:
        assert file.read() == b"a" * 2000


def test_a_disk_that_takes_nothing_is_an_error_of_ours(tmp_path) -> None:
    with pytest.raises(SourceError, match="can't write a large part"):
        list(read_parts("application/dicom", [b"a" * 2000], spool_size=1000, folder=tmp_path / "missing"))


def test_a_collector_is_fed_by_hand() -> None:
    collector = PartCollector(RELATED.format("b"))
    assert collector.feed(b"--b\r\nContent-Location: /1\r\n\r\non") == []
    (part,) = collector.feed(b"e\r\n--b\r\n\r\n")
    assert repr(part) == "<Part application/octet-stream, 3 bytes at /1>"
    assert isinstance(part, Part)
    (part,) = collector.feed(b"\r\n--b--")
    assert collector.close() == []


def test_messages_from_a_file() -> None:
    message = b"--b\r\n\r\none\r\n--b--"
    for source in (message, io.BytesIO(message), bytearray(message)):
        assert [part.read() for part in read_parts(RELATED.format("b"), source)] == [b"one"]


# The builder.


def test_python_reads_what_is_built() -> None:
    parts = [
        NewPart("application/dicom+json", b"[]"),
        NewPart("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1", [b"a", b"b"], location="/bulk/1"),
        NewPart("text/plain", b"x", headers=(("Content-ID", "<1>"),)),
    ]
    media_type, chunks = multipart_related(parts, "application/dicom+json; transfer-syntax=1.2.3")
    assert media_type["transfer-syntax"] == "1.2.3"
    raw = f"Content-Type: {media_type}\r\n\r\n".encode() + b"".join(chunks)
    message = email.message_from_bytes(raw, policy=email.policy.HTTP)
    assert [part.get_content_type() for part in message.iter_parts()] == [
        "application/dicom+json", "application/octet-stream", "text/plain",
    ]  # fmt: skip
    assert [part["Content-Location"] for part in message.iter_parts()] == [None, "/bulk/1", None]
    assert [part.get_payload(decode=True) for part in message.iter_parts()] == [b"[]", b"ab", b"x"]


def test_two_messages_have_two_boundaries() -> None:
    made = {str(multipart_related([], "a/b")[0]["boundary"]) for _ in range(5)}
    assert len(made) == 5
    assert b"".join(multipart_related([], "a/b", boundary="b")[1]) == b"--b--\r\n"


@pytest.mark.parametrize("boundary", ["a" * 71, "a ", "é", "a\r\nb", '"'])
def test_bad_boundaries_are_refused(boundary: str) -> None:
    with pytest.raises(ValueFormatError, match="can't be a boundary"):
        multipart_related([], "a/b", boundary=boundary)


def test_headers_can_not_be_smuggled_in() -> None:
    for part in (NewPart("a/b", b"", location="/x\r\nEvil: 1"), NewPart("a/b", b"", headers=(("X y", "1"),))):
        _, chunks = multipart_related([part], "a/b")
        with pytest.raises(ValueFormatError, match="can't be a header"):
            list(chunks)


def test_the_parser_is_fast() -> None:
    """Far more than 500 MB/s on a quiet machine; a tenth of it must be there always."""
    body = os.urandom(1 << 20)
    media_type, chunks = multipart_related([NewPart("application/dicom", body)] * 40, "application/dicom")
    message = chopped(b"".join(chunks), 1 << 16)
    parser = MultipartParser(media_type["boundary"])
    start = time.process_time()
    count = sum(len(event.data) for chunk in message for event in parser.feed(chunk) if isinstance(event, PartData))
    spent = time.process_time() - start
    assert count == 40 << 20
    assert count / max(spent, 1e-3) > 50e6
