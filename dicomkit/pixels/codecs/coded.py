"""From the integers that a codec gives to stored values: size, precision and sign against the description."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from math import prod
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from dicomkit.errors import PixelError
from dicomkit.pixels.bits import clear_unused
from dicomkit.pixels.description import PixelDescription

Result = TypeVar("Result")

LOSSLESS = {
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.8.1",
    *(f"1.2.840.10008.1.2.4.{part}" for part in (57, 70, 80, 90, 110, 201, 202)),
}
"""Encapsulated transfer syntaxes that keep every bit, so that a cell has unused bits as a native one has."""


class Coded(NamedTuple):
    """What a coded image says of itself."""

    name: str
    rows: int
    columns: int
    components: int
    precision: int
    signed: bool = False

    @property
    def itemsize(self) -> int:
        """Bytes of the integer that codecs put a sample into."""
        return 1 if self.precision <= 8 else 2 if self.precision <= 16 else 4


def check(coded: Coded, description: PixelDescription) -> tuple[str, ...]:
    """Compare what a coded image says with what the data set says.

    Parameters
    ----------
    coded : Coded
    description : PixelDescription

    Returns
    -------
    tuple of str
        Contradictions that real files show and that do no harm: precision, sign.

    Raises
    ------
    PixelError
        If the sizes differ, or samples don't fit their cells.

    Examples
    --------
    >>> check(Coded("JPEG-LS", 2, 2, 1, 16), PixelDescription(rows=2, columns=2, bits_allocated=16, bits_stored=12))
    ('JPEG-LS samples have 16 bits, BitsStored is 12',)
    """
    has = coded.rows, coded.columns, coded.components
    wants = description.rows, description.columns, description.samples_per_pixel
    if has != wants:
        raise PixelError(f"the {coded.name} image has (rows, columns, samples) {has}, the data set says {wants}")
    if coded.precision > description.dtype.itemsize * 8:
        raise PixelError(
            f"{coded.name} samples have {coded.precision} bits, BitsAllocated is {description.bits_allocated}"
        )
    notes = []
    if coded.precision != description.bits_stored:
        notes.append(f"{coded.name} samples have {coded.precision} bits, BitsStored is {description.bits_stored}")
    if coded.signed and not description.signed:
        notes.append(f"{coded.name} samples are signed, PixelRepresentation is 0")
    return tuple(notes)


def room(coded: Coded, description: PixelDescription, out: NDArray[Any] | None) -> NDArray[Any] | None:
    """A view of ``out`` that a codec can decode into, or None where it gives another type.

    Examples
    --------
    >>> room(Coded("JPEG", 1, 2, 1, 12), PixelDescription(1, 2), np.empty((1, 2), np.int16)).dtype
    dtype('uint16')
    """
    kind = "i" if coded.signed else "u"
    if out is None or out.dtype.itemsize != coded.itemsize or not out.flags.c_contiguous:
        return None
    return out.view(f"{kind}{coded.itemsize}")


def run(decode: Callable[[], Result], name: str) -> Result:
    """Call a foreign decoder; whatever it raises on bad bytes becomes a PixelError.

    Examples
    --------
    >>> run(lambda: b"".decode("ascii") or 1 / 0, "odd")
    Traceback (most recent call last):
    ...
    dicomkit.errors.PixelError: the odd data is broken: division by zero
    """
    try:
        return decode()
    except (ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise PixelError(f"the {name} data is broken: {error}") from error


def store(array: NDArray[Any], coded: Coded, description: PixelDescription, out: NDArray[Any] | None) -> NDArray[Any]:
    """Turn what a codec gave into stored values.

    Parameters
    ----------
    array : ndarray
        Samples of the codec, signed or unsigned, of any integer size.
    coded : Coded
    description : PixelDescription
    out : ndarray or None
        Where to put the result.

    Returns
    -------
    ndarray
        ``frame_shape`` and ``dtype`` of the description: unsigned samples become two's complement, and the other way
        round, as PixelRepresentation says; unused bits are cleared where the encoding is lossless.

    Examples
    --------
    >>> signed = PixelDescription(rows=1, columns=2, bits_allocated=16, bits_stored=12, pixel_representation=1)
    >>> store(np.array([[1, 4095]], np.uint16), Coded("JPEG", 1, 2, 1, 12), signed, None).tolist()
    [[1, -1]]
    """
    shape, dtype = description.frame_shape, description.dtype
    unused = coded.precision > description.bits_stored and description.transfer_syntax_uid in LOSSLESS
    if out is None and array.dtype == dtype and array.shape == shape and not unused:
        flags = array.flags
        if coded.signed == description.signed and flags.c_contiguous and flags.writeable:
            return array
    if array.size != prod(shape):
        raise PixelError(f"the {coded.name} decoder gave {array.shape}, not {shape}")
    array = array.reshape(shape)
    cells = (
        f"{array.dtype.kind}{dtype.itemsize}"  # widened by the sign of the samples, then viewed as the data set says
    )
    if out is not None and np.may_share_memory(array, out):
        result = out
    elif out is not None:
        out.view(cells)[...] = array
        result = out
    else:
        result = np.ascontiguousarray(array, dtype=cells).view(dtype)
    width = dtype.itemsize * 8
    if not result.flags.writeable:
        result = result.copy()
    if coded.precision < width and coded.signed != description.signed:
        np.left_shift(result, width - coded.precision, out=result)
        np.right_shift(result, width - coded.precision, out=result)
    if unused:
        clear_unused(result, description)
    return result


def samples_of(frame: NDArray[Any], description: PixelDescription, *, signed: bool = False) -> NDArray[Any]:
    """Turn stored values into the integers that a codec takes: what `store` undoes.

    Parameters
    ----------
    frame : ndarray
        ``frame_shape`` of the description, integers.
    description : PixelDescription
        BitsStored decides how wide the samples are.
    signed : bool
        Whether the codec takes signed samples; else two's complement of BitsStored bits goes in as unsigned.

    Returns
    -------
    ndarray
        C-contiguous, of the smallest integer type that holds BitsStored bits.

    Raises
    ------
    PixelError
        If the frame has another shape than the description, or holds no integers.

    Examples
    --------
    >>> twelve = PixelDescription(rows=1, columns=2, bits_allocated=16, bits_stored=12, pixel_representation=1)
    >>> samples_of(np.array([[1, -1]], np.int16), twelve).tolist()
    [[1, 4095]]
    """
    if frame.shape != description.frame_shape or frame.dtype.kind not in "uib":
        wants = description.frame_shape
        raise PixelError(f"a frame of {frame.shape} {frame.dtype} can't be encoded as integers of shape {wants}")
    bits = description.bits_stored
    size = 1 if bits <= 8 else 2 if bits <= 16 else 4 if bits <= 32 else 8
    wanted = np.dtype(f"{'i' if signed and description.signed else 'u'}{size}")
    as_it_is = frame.dtype.isnative and frame.dtype.kind in "ui" and frame.itemsize == size
    samples = contiguous(frame.view(wanted) if as_it_is else frame.astype(wanted))
    if samples.dtype.kind == "u" and description.signed and bits < size * 8:
        samples = samples & samples.dtype.type((1 << bits) - 1)
    return samples


def contiguous(array: NDArray[Any]) -> NDArray[Any]:
    """Give an array in C order with the strides of its shape, which NumPy leaves open for axes of length 1.

    Examples
    --------
    >>> contiguous(np.zeros((4, 4), np.uint8)[:, ::2]).strides
    (2, 1)
    """
    return np.ascontiguousarray(array).reshape(-1).reshape(array.shape)


def encoded(encode: Callable[[], Result], name: str) -> Result:
    """Call a foreign encoder; what it can't do becomes a PixelError.

    Examples
    --------
    >>> encoded(lambda: b"data", "JPEG")
    b'data'
    """
    try:
        return encode()
    except (ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise PixelError(f"{name} can't encode the frame: {error}") from error


def encoded_into(room: int, encode: Callable[[memoryview], memoryview], *, start: bytes = b"") -> bytes:
    """Have a codec fill so many bytes, which become the result without a copy.

    Parameters
    ----------
    room : int
        Bytes that the result may have at the most.
    encode : callable
        From the memory to fill to the part of it that was filled.
    start : bytes
        What comes before the result in what was filled, within its first 256 bytes, and is left out; also where it
        is not there.

    Returns
    -------
    bytes

    Examples
    --------
    >>> def encode(memory):
    ...     memory[:5] = b"--two"
    ...     return memory[:5]
    >>> encoded_into(9, encode), encoded_into(9, encode, start=b"--"), encoded_into(9, encode, start=b"no")
    (b'--two', b'two', b'--two')
    """
    output = BytesIO()
    output.seek(room - 1)
    output.write(b"\0")
    memory = output.getbuffer()
    with encode(memory) as filled:
        length = len(filled)
    at = bytes(memory[: min(length, 256)]).find(start) if start else -1
    skip = at + len(start) if at >= 0 else 0
    if skip:
        memory[: length - skip] = memory[skip:length]
    memory.release()
    output.truncate(length - skip)
    return output.getvalue()


def no_parameter(name: str, **given: object) -> None:
    """Refuse parameters that an encoding doesn't have.

    Examples
    --------
    >>> no_parameter("RLE", quality=3)
    Traceback (most recent call last):
    ...
    dicomkit.errors.PixelError: RLE has no quality; leave quality out
    """
    for parameter, value in given.items():
        if value is not None:
            raise PixelError(f"{name} has no {parameter}", hint=f"leave {parameter} out")
