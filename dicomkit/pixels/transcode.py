"""A data set in another transfer syntax, frame by frame, with its attributes made right and nothing lost unasked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from dicomkit.dataset.element import Element
from dicomkit.encoding.change_syntax import with_transfer_syntax
from dicomkit.encoding.encapsulation import encapsulate
from dicomkit.errors import PixelError
from dicomkit.pixels.codecs.jpegls import precision_is_told
from dicomkit.pixels.codecs.jpegxl import recompress, restore
from dicomkit.pixels.codecs.registry import Decoder, decoder, encoder
from dicomkit.pixels.codecs.video import VIDEO
from dicomkit.pixels.colour import to_rgb, to_ybr
from dicomkit.pixels.description import PixelDescription, describe
from dicomkit.pixels.fidelity import Differences, Fidelity
from dicomkit.pixels.frame_source import decode_from, source_of
from dicomkit.pixels.history import after_loss, known_loss
from dicomkit.pixels.native_value import native_value
from dicomkit.pixels.ratio import Parameters, to_ratio
from dicomkit.pixels.stored_frames import encoded_frame
from dicomkit.pixels.stored_overlays import with_overlay_data
from dicomkit.pixels.target import (
    FORMS,
    JPEG_BASELINE,
    JPEG_XL_RECOMPRESSION,
    JPIP,
    SIGN_IS_NOT_CODED,
    samples_meaning,
    target,
)
from dicomkit.values.fragments import Fragments
from dicomkit.values.tag import Tag
from dicomkit.values.transfer_syntax import TransferSyntax

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

Result = TypeVar("Result")

_RESTORABLE = (JPEG_XL_RECOMPRESSION, "1.2.840.10008.1.2.4.112")
_RECOMPRESSIBLE = tuple(f"1.2.840.10008.1.2.4.{part}" for part in (50, 51, 53, 55))
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_JPEG_LS = tuple(f"1.2.840.10008.1.2.4.{part}" for part in (80, 81))
_TABLES = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")


def transcode(
    ds: DataSet,
    transfer_syntax: str | TransferSyntax,
    *,
    quality: float | None = None,
    near: int | None = None,
    ratio: float | None = None,
    lossy: bool = False,
    workers: int = 1,
    verify: bool = True,
    new_uid: str | None = None,
) -> DataSet:
    """Bring a data set into another transfer syntax: native, compressed, or from one compression to another.

    Nothing is lost unless it is asked for by ``lossy=True``, ``quality``, ``near`` or ``ratio``. What was encoded
    without loss is decoded again and compared.

    Parameters
    ----------
    ds : DataSet
        An image, or any data set, whose transfer syntax is changed then.
    transfer_syntax : str or TransferSyntax
        UID or keyword.
    quality : float, optional
        1 to 100 of JPEG (90) and JPEG XL (90); decibels of JPEG 2000 and HTJ2K (60).
    near : int, optional
        Largest difference of a sample of JPEG-LS (2); 0 is without loss.
    ratio : float, optional
        How many times smaller than native each frame has to be, at the least; the best quality that does it is sought.
    lossy : bool
        Whether loss is accepted, by the defaults given above.
    workers : int
        Threads that decode and encode.
    verify : bool
        Whether to decode what was just encoded: to compare it where nothing may be lost.
    new_uid : str, optional
        SOP Instance UID of a data set that lost something; a new one is made when not given.

    Returns
    -------
    DataSet
        The one given if it is already so. Otherwise with Image Pixel attributes that fit its pixels, an offset table,
        and for one that lost something Lossy Image Compression with ratio and method (after those before it), a
        SOP Instance UID of its own, and the source and the derivation (PS3.3 C.7.6.1.1.5, C.12.4).

    Raises
    ------
    PixelError
        If the transfer syntax can't hold the pixels, would lose something unasked, a frame can't be decoded, or what
        was encoded without loss does not come back.
    UnsupportedError
        If frames can't be decoded or encoded in a transfer syntax.

    Examples
    --------
    >>> import dicomkit as dk
    >>> ds = dk.DataSet(Rows=1, Columns=2, BitsAllocated=8, SamplesPerPixel=1, PixelData=b"\\x01\\x02")
    >>> small = transcode(ds, "RLELossless")
    >>> small.transfer_syntax.name, dk.frame(small).tolist()
    ('RLE Lossless', [[1, 2]])
    """
    wanted = Parameters(quality, near, ratio)
    how = _How(wanted, lossy or wanted.lossy, workers, verify, new_uid)
    return _transcoded(ds, TransferSyntax.of(transfer_syntax), how).dataset


def transcode_report(
    ds: DataSet,
    transfer_syntax: str | TransferSyntax,
    *,
    quality: float | None = None,
    near: int | None = None,
    ratio: float | None = None,
    lossy: bool = False,
    workers: int = 1,
    verify: bool = True,
    new_uid: str | None = None,
    ssim: bool = False,
) -> Fidelity:
    """Transcode, and tell what it did to the pixels.

    Parameters
    ----------
    ds, transfer_syntax, quality, near, ratio, lossy, workers, verify, new_uid
        As for `transcode`.
    ssim : bool
        Whether to compute the structural similarity as well, which takes its time.

    Returns
    -------
    Fidelity
        The new data set with largest error, PSNR, error map and compression ratio; errors are None where nothing was
        compared.

    Raises
    ------
    PixelError, UnsupportedError
        As `transcode`.

    Examples
    --------
    >>> import dicomkit as dk
    >>> ds = dk.DataSet(Rows=16, Columns=16, BitsAllocated=8, SamplesPerPixel=1, PixelData=bytes(range(256)))
    >>> report = transcode_report(ds, "JPEGLSNearLossless", near=3)
    >>> report.max_error <= 3, report.dataset.LossyImageCompressionMethod
    (True, 'ISO_14495_1')
    """
    wanted = Parameters(quality, near, ratio)
    how = _How(wanted, lossy or wanted.lossy, workers, verify, new_uid, figures=True, ssim=ssim)
    return _transcoded(ds, TransferSyntax.of(transfer_syntax), how)


class _How(NamedTuple):
    """What the caller wants: how much may be lost, by how many threads, and what is to be told of it."""

    wanted: Parameters
    lossy: bool
    workers: int
    verify: bool
    new_uid: str | None
    figures: bool = False
    ssim: bool = False


def _transcoded(ds: DataSet, syntax: TransferSyntax, how: _How) -> Fidelity:
    """Find what is to be done to a data set, and do it."""
    if not any(keyword in ds for keyword in _PIXELS):
        if "PixelDataProviderURL" in ds and syntax.uid not in JPIP:
            describe(ds)  # which says that there is nothing to transcode
        return Fidelity(with_transfer_syntax(ds, syntax))
    if syntax.uid == ds.transfer_syntax.uid and not how.lossy:
        return Fidelity(ds)
    value = ds.get(describe(ds).attribute)
    if value is None:
        return Fidelity(with_transfer_syntax(ds, syntax))
    if not isinstance(value, Fragments) and syntax.encapsulated is False:
        if how.lossy or syntax.uid in JPIP:
            target(describe(ds), syntax.uid, lossy=True)
        return Fidelity(_native_to_native(ds, syntax))
    jpeg_xl = _jpeg_to_jpeg_xl(ds, syntax, how.lossy, how.workers)
    if jpeg_xl is not None:
        return jpeg_xl
    if syntax.uid == JPEG_XL_RECOMPRESSION:
        if not how.lossy:
            raise PixelError(
                f"{syntax.name} holds JPEG baseline, which would lose something",
                hint="transcode from JPEG baseline, or pass lossy=True or quality=",
            )
        lost = _recode(ds, TransferSyntax.of(JPEG_BASELINE), how)
        packed = transcode(lost.dataset, syntax, workers=how.workers)
        return lost._replace(dataset=packed)
    return _recode(ds, syntax, how)


def _recode(ds: DataSet, syntax: TransferSyntax, how: _How) -> Fidelity:
    """Decode every frame and encode it anew."""
    before, source = describe(ds), source_of(ds)
    first = decode_from(source, 0)
    meaning = first.photometric_interpretation
    after = target(replace(before, photometric_interpretation=meaning), syntax.uid, lossy=how.lossy)
    unsigned = after.signed and not how.lossy and _sign_is_not_coded(syntax.uid)
    coded = replace(after, pixel_representation=0) if unsigned else after
    convert = partial(_converted, meaning=meaning, wanted=samples_meaning(after), bits=before.bits_stored)
    count, workers = before.number_of_frames, 1 if before.transfer_syntax_uid in VIDEO else how.workers
    decoded = {0: first.array}
    del first

    def frame_of(index: int, out: NDArray[Any] | None = None) -> NDArray[Any]:
        return convert(decoded.pop(0) if index in decoded else decode_from(source, index, out=out).array)

    if syntax.encapsulated is False:
        value = native_value(frame_of, after, count, workers)
        return Fidelity(known_loss(_assemble(ds, syntax, after, {after.attribute: value}), ds, after))
    encode, decode_again = encoder(syntax.uid), decoder(syntax.uid)
    parameters = how.wanted.completed(syntax.uid, how.lossy)
    differences = Differences(after, count, ssim=how.ssim) if how.lossy and how.verify and how.figures else None

    def work(index: int) -> bytes:
        array = frame_of(index)
        try:
            if unsigned:
                array = _as_unsigned(array, after)
            if parameters.ratio is None:
                data = encode(array, coded, **parameters.of_encoder())
            else:
                data = to_ratio(encode, array, coded, parameters.ratio)
            if differences is not None:
                differences.add(array, decode_again(data, after).array)
            elif how.verify and not _comes_back(array, data, coded, decode_again) and not how.lossy:
                raise PixelError(f"{syntax.name} did not give back what was encoded", hint="please report this")
        except PixelError as error:
            if error.frame is not None:
                raise
            raise PixelError(error.message, frame=index, hint=error.hint) from error
        return data

    packed = encapsulate(_in_order(work, range(count), workers))
    result = _assemble(ds, syntax, after, packed.elements())
    native_bytes = after.rows * after.columns * after.samples_per_pixel * after.bits_allocated // 8 * count
    achieved = native_bytes / max(1, len(packed.fragments))
    result = known_loss(result, ds, after)
    if how.lossy:
        result = after_loss(result, ds, FORMS[syntax.uid].method, achieved, how.new_uid)
    if differences is None:
        return Fidelity(result, ratio=achieved, max_error=0 if how.verify and not how.lossy else None)
    return differences.fidelity(result, achieved)


def _native_to_native(ds: DataSet, syntax: TransferSyntax) -> DataSet:
    """Change the transfer syntax around native pixels; only big-endian ones are decoded."""
    description = describe(ds)
    element = ds.element(description.attribute)
    if description.big_endian and element.raw is not None:
        source = source_of(ds)
        meaning = decode_from(source, 0).photometric_interpretation
        after = target(replace(description, photometric_interpretation=meaning), syntax.uid)
        value = native_value(
            lambda index, out: decode_from(source, index, out=out).array, after, description.number_of_frames, 1
        )
        return _assemble(ds, syntax, after, {after.attribute: value})
    fresh = Element(element.tag, element.vr if element.vr != "UN" else "OW", element.value)
    return with_transfer_syntax(ds.assign([fresh]), syntax)


def _jpeg_to_jpeg_xl(ds: DataSet, syntax: TransferSyntax, lossy: bool, workers: int) -> Fidelity | None:
    """Recompress JPEG as JPEG XL, or the other way round, bit for bit; None where it isn't that."""
    now = ds.transfer_syntax.uid
    change: Callable[[bytes], bytes]
    if syntax.uid == JPEG_XL_RECOMPRESSION and now in _RECOMPRESSIBLE:
        change = recompress
    elif syntax.uid == JPEG_BASELINE and now in _RESTORABLE and not lossy:
        change = restore
    else:
        return None

    def work(index: int) -> bytes:
        try:
            return change(encoded_frame(ds, index))
        except PixelError as error:
            raise PixelError(error.message, frame=index, hint=error.hint) from error

    packed = encapsulate(_in_order(work, range(describe(ds).number_of_frames), workers))
    moved = with_transfer_syntax(ds, syntax).drop(*_TABLES).assign(packed.elements())
    return Fidelity(moved, max_error=0)


def _assemble(ds: DataSet, syntax: TransferSyntax, after: PixelDescription, pixels: dict[str, Any]) -> DataSet:
    """The data set with new pixels, and attributes that fit them."""
    ds = with_overlay_data(ds)
    elements: list[Element] = []
    for keyword, value in pixels.items():
        if keyword == "PixelData":
            vr = "OB" if syntax.encapsulated or (after.bits_allocated <= 8 and not syntax.implicit_vr) else "OW"
            elements.append(Element(Tag.of(keyword), vr, value))
        else:
            elements.append(Element.of(keyword, value))
    described: dict[str, Any] = {}
    if after.attribute == "PixelData":
        described = {
            "SamplesPerPixel": after.samples_per_pixel,
            "PhotometricInterpretation": after.photometric_interpretation,
            "BitsAllocated": after.bits_allocated,
            "BitsStored": after.bits_stored,
            "HighBit": after.high_bit,
            "PixelRepresentation": after.pixel_representation,
        }
        if after.samples_per_pixel > 1:
            described["PlanarConfiguration"] = 0
    changed = {keyword: value for keyword, value in described.items() if ds.get(keyword) != value}
    bare = with_transfer_syntax(ds.drop(after.attribute, *_TABLES), syntax)
    return bare.assign(changed).assign(elements)


def _converted(array: NDArray[Any], *, meaning: str, wanted: str, bits: int) -> NDArray[Any]:
    """Samples in the colour space that the target wants."""
    if array.ndim < 3 or array.shape[2] != 3 or meaning == wanted:
        return array
    if wanted == "YBR_FULL":
        return to_ybr(to_rgb(array, meaning, bits=bits), bits=bits)
    return to_rgb(array, meaning, bits=bits) if wanted == "RGB" else array


def _sign_is_not_coded(transfer_syntax: str) -> bool:
    """Whether lossless streams hold signed samples as unsigned ones of as many bits."""
    return transfer_syntax in SIGN_IS_NOT_CODED or (transfer_syntax in _JPEG_LS and precision_is_told())


def _as_unsigned(array: NDArray[Any], description: PixelDescription) -> NDArray[Any]:
    """Signed samples as unsigned ones of as many bits, in place where that is possible."""
    bits = description.bits_stored
    least, most = int(array.min()), int(array.max())
    if least < -(1 << (bits - 1)) or most >= 1 << (bits - 1):
        raise PixelError(f"values from {least} to {most} don't fit BitsStored {bits}, which is signed")
    own = array.astype(description.dtype, copy=not array.flags.writeable)
    cells: NDArray[Any] = own.view(f"u{description.dtype.itemsize}")
    cells &= cells.dtype.type((1 << bits) - 1)
    return cells


def _comes_back(array: NDArray[Any], data: bytes, description: PixelDescription, decode: Decoder) -> bool:
    """Whether encoded bytes give an array back; they are decoded into its own memory, so that no second one is held."""
    if array.dtype != description.dtype or not (array.flags.c_contiguous and array.flags.writeable):
        return np.array_equal(array, decode(data, description).array)
    before = sha256(array.data).digest()
    back = decode(data, description, out=array).array
    return back.shape == array.shape and sha256(np.ascontiguousarray(back).data).digest() == before


def _in_order(work: Callable[[int], Result], indices: Iterable[int], workers: int) -> Iterator[Result]:
    """Do work in threads and yield its results in order, with no more of it under way than there are workers."""
    if workers <= 1:
        yield from map(work, indices)
        return
    with ThreadPoolExecutor(workers) as pool:
        under_way: deque[Future[Result]] = deque()
        for index in indices:
            if len(under_way) >= workers:
                yield under_way.popleft().result()
            under_way.append(pool.submit(work, index))
        while under_way:
            yield under_way.popleft().result()
