"""Every real file goes out and comes back: byte for byte in its own transfer syntax, equal in others, JSON and XML."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from realdata import DATA, all_dicom_files, needs_data

import dicomkit as dk
from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.encoding.dicom_json import from_json, to_json
from dicomkit.encoding.dicom_xml import from_xml, xml_chunks
from dicomkit.encoding.writer import to_part10
from dicomkit.errors import DicomError, ValueFormatError
from dicomkit.values.fragments import Fragments
from dicomkit.values.vr import VRS

pytestmark = needs_data

DEFLATED = "1.2.840.10008.1.2.1.99"
NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", DEFLATED)

ODD = "a value of odd length, which is padded (PS3.5 7.1.1)"
NOT_EQUAL = {
    "01_pydicom_core/nested_priv_SQ.dcm": ODD,
    "10_rt/pydicom/meta_missing_tsyntax.dcm": ODD,
    "13_seg/dx_image.dcm": ODD,
    "22_deidentification/humans/ctbrain1.dcm": ODD,
}
RE_ENCODED = {
    "02_pixel_codecs/cornerstone_ct_all_ts/CTImage.dcm_DeflatedExplicitVRLittleEndianTransferSyntax"
    "_1.2.840.10008.1.2.1.99.dcm": "deflated: known private elements get their VR in the place of UN",
}
NOT_THE_SAME_IN_JSON = {
    "08_charset/chrX1.dcm": "a name that ends with an equals sign: empty groups are not written (PS3.18 F.2.2)",
    "08_charset/chrX2.dcm": "a name that ends with an equals sign: empty groups are not written (PS3.18 F.2.2)",
}
NOT_THE_SAME_IN_XML = {
    "09_private_tags/decimal_rescale.dcm": "one creator has two blocks, which the model doesn't tell apart",
}


@cache
def readable() -> tuple[tuple[str, Path], ...]:
    """The files that can be read at all, under the names that the manifest has for them."""
    found = []
    for path in all_dicom_files():
        try:
            dk.read(path)
        except DicomError:
            continue
        found.append((path.relative_to(DATA).as_posix(), path))
    assert len(found) > 650
    return tuple(found)


def data_set_bytes(data: bytes, ds: DataSet) -> bytes:
    """What follows the file meta information, inflated where it is deflated."""
    index = ds.meta._records.index
    rest = data[max((index.offset(n) + index.length(n) for n in range(len(index))), default=0) :]
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(rest) if ds.transfer_syntax.deflated else rest


def test_a_conformant_file_is_written_byte_for_byte() -> None:
    compared, different = 0, []
    for name, path in readable():
        ds = dk.read(path)
        if ds.repairs:  # not conformant: an element out of order or twice, a length that lies, no preamble ...
            continue
        written = to_part10(ds, anonymous=True)
        compared += 1
        if data_set_bytes(path.read_bytes(), ds) != data_set_bytes(written, dk.read(written)):
            different.append(name)
    assert compared > 600
    assert set(different) <= RE_ENCODED.keys()


def test_every_file_reads_back_equal_in_its_own_transfer_syntax() -> None:
    """Pixel data in fragments included; not conformant files too, which come back mended."""
    different = {}
    for name, path in readable():
        ds = dk.read(path)
        back = dk.read(to_part10(ds, anonymous=True))
        if back.repairs:
            different[name] = str(back.repairs)
        elif back != ds:
            different[name] = "differs"
    assert different.keys() == NOT_EQUAL.keys(), different


@pytest.mark.parametrize("syntax", NATIVE)
def test_every_file_reads_back_equal_in_every_native_transfer_syntax(syntax: str) -> None:
    different = {}
    for name, path in readable():
        ds = dk.read(path)
        if isinstance(ds.get("PixelData"), Fragments):
            ds = ds.drop("PixelData")
        back = dk.read(to_part10(ds, syntax, anonymous=True))
        if back.repairs:
            different[name] = str(back.repairs)
        elif back != ds and (found := differences(ds, back)):
            different[name] = found[0]
    assert different == {}


def differences(a: DataSet, b: DataSet) -> list[str]:
    """Name what differs besides retired group lengths, odd padding, and VRs that implicit VR can't tell."""
    tags = [{tag for tag in ds if tag.element} for ds in (a, b)]
    found = [f"{tag} is on one side only" for tag in tags[0] ^ tags[1]]
    for tag in sorted(tags[0] & tags[1]):
        one, other = a.element(tag), b.element(tag)
        if one.vr == other.vr == "SQ":
            items = (one.value or ()), (other.value or ())
            found += [f"{tag}: other items"] * (len(items[0]) != len(items[1]))
            found += [f"{tag}.{text}" for pair in zip(*items, strict=False) for text in differences(*pair)]
        elif DataSet([one]) != DataSet([other]) and little_endian(one) != little_endian(other):
            found.append(f"{tag} {one.vr}: {one!r} is {other!r}")
    return found


def little_endian(element: Element) -> bytes:
    """The bytes of a value, padded, in one byte order."""
    raw = bytes(element.raw or b"")
    size = 2 if element.vr == "AT" else VRS[element.vr].itemsize
    if element.origin is not None and element.origin.big_endian and size > 1:
        raw = b"".join(raw[at : at + size][::-1] for at in range(0, len(raw), size))
    return raw + bytes(len(raw) % 2)


def through_json(ds: DataSet) -> DataSet:
    return from_json(to_json(ds))


def through_xml(ds: DataSet) -> DataSet:
    return from_xml(xml_chunks(ds))


@pytest.mark.parametrize(
    ("through", "exceptions"),
    [
        (through_json, NOT_THE_SAME_IN_JSON),
        (through_xml, NOT_THE_SAME_IN_XML),
    ],
)
def test_every_file_comes_back_equal_from_a_document(
    through: Callable[[DataSet], DataSet], exceptions: dict[str, str]
) -> None:
    """Bulk data and pixel data inline, in fragments as well; File Meta Information and group lengths stay behind."""
    different = {}
    for name, path in readable():
        ds = dk.read(path)
        back = through(ds)
        if back.repairs:
            different[name] = str(back.repairs)
        elif back != ds.map(lambda element: dk.DROP if element.tag.element == 0 else element):
            different[name] = "differs"
    assert different.keys() == exceptions.keys(), different


def test_a_document_of_every_file_is_written_again_as_a_file() -> None:
    """JSON -> DataSet -> file -> DataSet; values that break the rules of their VR pass only as bytes that were read."""
    different, refused, compared = [], 0, 0
    for name, path in readable():
        ds = dk.read(path)
        if name in NOT_EQUAL or name in NOT_THE_SAME_IN_JSON or ds.transfer_syntax.implicit_vr:
            continue
        made = from_json(to_json(ds))
        try:
            again = dk.read(to_part10(made, ds.transfer_syntax, anonymous=True))
        except ValueFormatError:
            refused += 1
            continue
        compared += 1
        if again.repairs or again != made:
            different.append(name)
    assert different == []
    assert compared > 500
    assert refused < 70
