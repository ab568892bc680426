"""What form pixels take in a transfer syntax: bits, photometric interpretation, planar configuration (PS3.5 8.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from dicomkit.errors import PixelError, UnsupportedError
from dicomkit.pixels.description import PixelDescription
from dicomkit.values.transfer_syntax import TransferSyntax

_JPEG = "1.2.840.10008.1.2.4."
JPEG_BASELINE, JPEG_XL_RECOMPRESSION = f"{_JPEG}50", f"{_JPEG}111"


JPIP = {f"{_JPEG}{part}" for part in (94, 95, 204, 205)}
"""Transfer syntaxes of data sets that name a URL in place of pixels."""


class Form(NamedTuple):
    """What frames of a transfer syntax can be.

    Parameters
    ----------
    bits : tuple of int
        The least and the most bits stored.
    lossless, lossy : bool
        Whether it can be written without loss, and with it.
    rounded_up : tuple of int
        The values that bits stored is brought up to, where only some are allowed.
    signed : bool
        Whether signed values can be held.
    colours : tuple of str
        Photometric interpretations of three samples that it takes as they are.
    rgb_as, rgb_lossy_as : str
        What RGB becomes, without and with loss.
    method : str
        Defined term of Lossy Image Compression Method (PS3.3 C.7.6.1.1.5.1).
    cells : bool
        Whether bits allocated stay as they are, because cells are kept rather than samples coded.
    """

    bits: tuple[int, int]
    lossless: bool = True
    lossy: bool = False
    rounded_up: tuple[int, ...] = ()
    signed: bool = True
    colours: tuple[str, ...] = ("RGB", "YBR_FULL")
    rgb_as: str = "RGB"
    rgb_lossy_as: str = "RGB"
    method: str = ""
    cells: bool = False


_CELLS = Form((1, 64), cells=True)
_J2K = Form((1, 24), rgb_as="YBR_RCT", rgb_lossy_as="YBR_ICT", method="ISO_15444_1")
_HT = _J2K._replace(bits=(1, 16), method="ISO_15444_15")
_JXL = Form((1, 16), colours=("RGB",), rgb_lossy_as="XYB", method="ISO_18181_1")
_LS = Form((2, 16), method="ISO_14495_1")
_LOSSY_JPEG = Form((1, 8), False, True, (8,), False, ("YBR_FULL",), "", "YBR_FULL_422", "ISO_10918_1")

FORMS = {
    "1.2.840.10008.1.2.1.98": _CELLS,
    "1.2.840.10008.1.2.5": _CELLS._replace(bits=(1, 32)),
    "1.2.840.10008.1.2.8.1": _CELLS,
    f"{_JPEG}50": _LOSSY_JPEG,
    f"{_JPEG}51": _LOSSY_JPEG._replace(bits=(1, 12), rounded_up=(8, 12)),
    f"{_JPEG}57": Form((2, 16)),
    f"{_JPEG}70": Form((2, 16)),
    f"{_JPEG}80": _LS,
    f"{_JPEG}81": _LS._replace(lossy=True),
    f"{_JPEG}90": _J2K,
    f"{_JPEG}91": _J2K._replace(lossy=True),
    f"{_JPEG}201": _HT,
    f"{_JPEG}202": _HT,
    f"{_JPEG}203": _HT._replace(lossy=True),
    f"{_JPEG}110": _JXL,
    f"{_JPEG}112": _JXL._replace(lossy=True),
}
"""Forms by transfer syntax UID, for those that frames can be encoded in."""

SIGN_IS_NOT_CODED = {f"{_JPEG}{part}" for part in (57, 70, 110, 112)}
"""Transfer syntaxes whose lossless streams hold signed samples as unsigned ones of as many bits."""

ALWAYS_LOSSY = {
    **{f"{_JPEG}{part}": "ISO_10918_1" for part in (50, 51, 53, 55, 111)},
    **{f"{_JPEG}{part}": "ISO_13818_2" for part in ("100", "100.1", "101", "101.1")},
    **{f"{_JPEG}{part}{end}": "ISO_14496_10" for part in range(102, 107) for end in ("", ".1")},
    **{f"{_JPEG}{part}": "ISO_23008_2" for part in (107, 108)},
}
"""Transfer syntaxes whose frames have lost something, whatever the data set says, and the method that lost it."""

_ALLOCATED = (8, 16, 32, 64)


def target(description: PixelDescription, transfer_syntax: str, *, lossy: bool = False) -> PixelDescription:
    """Describe pixels as they will be in another transfer syntax.

    Parameters
    ----------
    description : PixelDescription
        Of the decoded pixels: its photometric interpretation is what their samples mean now.
    transfer_syntax : str
        UID.
    lossy : bool
        Whether something is to be lost.

    Returns
    -------
    PixelDescription
        With HighBit below BitsStored and colour by pixel; photometric interpretation as the data set has to say it.

    Raises
    ------
    UnsupportedError
        If frames can't be encoded in this transfer syntax.
    PixelError
        If it can't hold these pixels, or not in the way that was asked for.

    Examples
    --------
    >>> rgb = PixelDescription(rows=2, columns=2, samples_per_pixel=3, photometric_interpretation="RGB")
    >>> target(rgb, "1.2.840.10008.1.2.4.90").photometric_interpretation
    'YBR_RCT'
    """
    syntax = TransferSyntax.of(transfer_syntax)
    if syntax.uid in JPIP:
        raise UnsupportedError(f"{syntax.name} names a URL of pixels, and holds none")
    form = FORMS.get(syntax.uid) if syntax.encapsulated is not False else _CELLS
    if form is None:
        raise UnsupportedError(f"frames can't be encoded in {syntax.name} ({syntax.uid})")
    integers = description.attribute == "PixelData"
    if syntax.encapsulated and not integers:
        raise PixelError(
            f"{description.attribute} can't be encapsulated in {syntax.name}", hint="choose a native transfer syntax"
        )
    _check_loss(form, syntax, description, lossy)
    stored = _bits_stored(form, syntax, description)
    allocated = description.bits_allocated
    if form.cells:
        keeps = _ALLOCATED if syntax.uid != "1.2.840.10008.1.2.5" else (8, 16, 24, 32)
        if allocated != 1 and allocated not in keeps and integers:
            allocated = next((size for size in keeps if size >= allocated), 64)
    elif allocated > 1 or stored > 1:
        least = next(size for size in _ALLOCATED if size >= stored)
        allocated = least if form.rounded_up else max(least, 1 if allocated == 1 else min(allocated, 32))
        allocated = 32 if allocated == 24 else next(size for size in _ALLOCATED if size >= allocated)
    return replace(
        description,
        bits_allocated=allocated,
        bits_stored=stored if integers else description.bits_stored,
        high_bit=stored - 1 if integers else description.high_bit,
        photometric_interpretation=_photometric(form, syntax, description, lossy),
        planar_configuration=0,
        transfer_syntax_uid=syntax.uid,
        big_endian=False,
        notes=(),
    )


def samples_meaning(description: PixelDescription) -> str:
    """Tell in which colour space the frames have to be that are encoded as a description says.

    Examples
    --------
    >>> samples_meaning(PixelDescription(1, 1, samples_per_pixel=3, photometric_interpretation="YBR_RCT"))
    'RGB'
    """
    photometric = description.photometric_interpretation
    return {"YBR_RCT": "RGB", "YBR_ICT": "RGB", "XYB": "RGB", "YBR_FULL_422": "YBR_FULL"}.get(photometric, photometric)


def _check_loss(form: Form, syntax: TransferSyntax, description: PixelDescription, lossy: bool) -> None:
    """Refuse what would lose something unasked, and loss where there is none or where it makes no sense."""
    if not lossy and not form.lossless:
        raise PixelError(
            f"{syntax.name} loses something, which was not asked for", hint="pass lossy=True, or quality=, to accept it"
        )
    if lossy and not form.lossy:
        raise PixelError(f"{syntax.name} is lossless", hint="leave lossy, quality, near and ratio out")
    if lossy and description.photometric_interpretation == "PALETTE COLOR":
        raise PixelError("indices of a palette can't be stored with loss", hint="choose a lossless transfer syntax")
    if lossy and description.bits_stored == 1:
        raise PixelError("single bits can't be stored with loss", hint="choose a lossless transfer syntax")


def _bits_stored(form: Form, syntax: TransferSyntax, description: PixelDescription) -> int:
    """Bits stored in the target."""
    stored = description.bits_stored
    least, most = form.bits
    if not least <= stored <= most:
        raise PixelError(
            f"{syntax.name} holds {least} to {most} bits, BitsStored is {stored}", hint="choose another transfer syntax"
        )
    if description.signed and not form.signed:
        raise PixelError(
            f"{syntax.name} holds no signed values, PixelRepresentation is 1", hint="choose another transfer syntax"
        )
    return next(bits for bits in form.rounded_up if bits >= stored) if form.rounded_up else stored


def _photometric(form: Form, syntax: TransferSyntax, description: PixelDescription, lossy: bool) -> str:
    """Photometric interpretation of the target."""
    now = samples_meaning(description)
    if description.samples_per_pixel == 1:
        return now
    if description.samples_per_pixel != 3:
        if form.cells:
            return now
        raise PixelError(f"{syntax.name} of {description.samples_per_pixel} samples per pixel")
    if form.cells:
        return now
    if now == "RGB":
        return form.rgb_lossy_as if lossy else form.rgb_as
    if now == "YBR_FULL" and "YBR_FULL" in form.colours:
        return "YBR_FULL_422" if form.rgb_lossy_as == "YBR_FULL_422" else "YBR_FULL"
    if now == "YBR_FULL" and lossy:
        return form.rgb_lossy_as
    raise PixelError(
        f"{syntax.name} can't hold {now} without loss", hint="convert to RGB first, or choose another transfer syntax"
    )
