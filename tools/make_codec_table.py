"""Write docs/codecs.md: what decodes and encodes each transfer syntax, and how far the encoders' output is off.

Usage: python tools/make_codec_table.py > docs/codecs.md
"""

from __future__ import annotations

import platform
from dataclasses import replace
from importlib.metadata import version

import numpy as np

from dicomkit.errors import UnsupportedError
from dicomkit.pixels.codecs.registry import decoder, encoder
from dicomkit.pixels.description import PixelDescription
from dicomkit.pixels.ratio import DEFAULTS
from dicomkit.pixels.target import FORMS
from dicomkit.values.transfer_syntax import TransferSyntax

_JPEG = "1.2.840.10008.1.2.4."
ORACLES = {
    "1.2.840.10008.1.2.1.98": "NumPy",
    "1.2.840.10008.1.2.5": "pydicom, GDCM, pylibjpeg-rle, DCMTK",
    "1.2.840.10008.1.2.8.1": "zlib",
    **{f"{_JPEG}{part}": "libjpeg of pylibjpeg, DCMTK" for part in (50, 51, 57, 70)},
    **{f"{_JPEG}{part}": "FFmpeg, DCMTK" for part in (80, 81)},
    **{f"{_JPEG}{part}": "FFmpeg, OpenJPEG (which encodes, in another build)" for part in (90, 91)},
    **{f"{_JPEG}{part}": "FFmpeg, OpenJPEG (OpenJPH encodes)" for part in (201, 203)},
    f"{_JPEG}202": "OpenJPEG (OpenJPH encodes)",
    **{f"{_JPEG}{part}": "djxl (another release of libjxl; no other decoder exists)" for part in (110, 111, 112)},
}

HEAD = """# Codecs

What decodes and encodes the frames of each transfer syntax. Made by `tools/make_codec_table.py`, with Python {python}
and imagecodecs {imagecodecs}.

*Oracles* are the decoders outside this library that are given what it encoded, each with 8, 10, 12 and 16 bits, signed
and unsigned, one and three components, odd sizes, one pixel, one row and one column
(`tests/pixels/test_pixels_encode_oracles.py`; whole files also in `tests/pixels/test_pixels_transcode.py`). Without
loss they give back the original. With loss they agree with our decoder: exactly for near-lossless JPEG-LS, whose bound
is held and reached; within 1 for JPEG 2000 and HTJ2K (2 of 65535); within 1 of 255 or 4 of 4095 for JPEG; within 1 of
500 of the range for JPEG XL. JPEG and lossy JPEG XL hold no signed values. FFmpeg is given unsigned images only, and
one component in JPEG-LS; GDCM no frames of a few pixels, which it refuses whoever encoded them.

The largest difference is that of one smooth image with noise, of as many bits as the syntax holds up to 12: after
`encode` and `decode`, without loss where the syntax can do that, and with the default loss.

| UID | Transfer syntax | Module | Bits | Signed | Oracles | Lossless: largest difference | With loss |
|---|---|---|---|---|---|---|---|
"""

TAIL = """
Decoded but not written: the retired progressive JPEG of 1.2.840.10008.1.2.4.53 and .55. MPEG-2, MPEG-4 AVC/H.264 and
HEVC/H.265 are decoded with the extra `video` (PyAV): a frame is reached by decoding the stream from its beginning, so
go through them in order. JPEG XL JPEG Recompression (.111) is made from JPEG baseline and turned back into it, bit for
bit.

## What the parameters mean

| Parameter | Where | Meaning | Default with `lossy=True` |
|---|---|---|---|
| `quality` | JPEG .50 .51 | 1 to 100, as libjpeg counts | 90 |
| `quality` | JPEG XL .112 | 1 to 100, as cjxl counts | 90 |
| `quality` | JPEG 2000 .91, HTJ2K .203 | decibels: PSNR against the largest value of BitsStored (HTJ2K: about) | 60 |
| `near` | JPEG-LS .81 | largest difference of a sample | 2 |
| `ratio` | all of these | native bytes by encoded bytes of each frame, at the least; the best quality is sought | |

## What differs between versions of imagecodecs

| What | 2026.3.6 (Python 3.11) | 2026.10 (Python 3.12 and later) |
|---|---|---|
| precision of a JPEG-LS stream | 8 or 16 bits, whatever BitsStored | BitsStored |
| `near` where unsigned values of 9 to 15 bits reach the top | refused: they could exceed BitsStored | allowed |
| colour in JPEG-LS | one scan a component | samples interleaved in one scan |
| SPIFF header of JPEG-LS | written, and taken out here | not written |
| precision of an HTJ2K codestream | 8 or 16 bits | BitsStored |
| broken HTJ2K data | zeros: frames with a black last row are decoded by OpenJPEG as well | an error |

Pixels are the same on both. HTJ2K with loss (.203) is decoded by OpenJPEG: OpenJPH, as wrapped, turns values that
overshoot their range into ones from its other end. Up to 24 bits are encoded as JPEG 2000 (OpenJPEG is silently wrong
beyond 25) and up to 16 in everything else that codes samples; RLE, deflated and uncompressed frames hold any.

## Memory

`transcode` goes frame by frame and holds less than two frames for each worker besides its result, whatever the syntax:
what was encoded without loss is compared by its digest and decoded into the memory of its source. Colour in JPEG 2000
takes two, as OpenJPEG wants it by plane, and so does `transcode_report` with loss, which compares the frames before and
after. What a codec allocates for itself is not counted.
"""


def picture(bits: int) -> tuple[np.ndarray, PixelDescription]:
    """Make a smooth image with noise."""
    y, x = np.mgrid[:128, :160]
    noise = np.random.default_rng(1).normal(0, 0.01, x.shape)
    wave = np.clip(0.5 + 0.35 * np.sin(x / 17) * np.cos(y / 13) + noise, 0.02, 0.98)
    array = (wave * ((1 << bits) - 1)).astype(np.uint8 if bits <= 8 else np.uint16)
    allocated = 8 if bits <= 8 else 16
    return array, PixelDescription(128, 160, bits_allocated=allocated, bits_stored=bits)


def differences(uid: str) -> tuple[str, str]:
    """Encode and decode without loss and with it, where the syntax can."""
    form = FORMS[uid]
    array, description = picture(form.rounded_up[-1] if form.rounded_up else min(12, form.bits[1]))
    description = replace(description, transfer_syntax_uid=uid)
    encode, decode = encoder(uid), decoder(uid)
    found = []
    for possible, parameters in ((form.lossless, {}), (form.lossy, DEFAULTS.get(uid, {}))):
        if not possible:
            found.append("")
            continue
        back = decode(encode(array, description, **parameters), description).array
        worst = int(np.abs(back.astype(int) - array).max())
        found.append(f"{worst}" if not parameters else f"{worst} of {(1 << description.bits_stored) - 1}")
    return found[0], found[1]


def table() -> str:
    """Give the page."""
    lines = [HEAD.format(python=platform.python_version(), imagecodecs=version("imagecodecs"))]
    for uid in sorted([*FORMS, f"{_JPEG}111"], key=lambda uid: [int(part) for part in uid.split(".")]):
        form = FORMS.get(uid)
        name = TransferSyntax.of(uid).name
        try:
            module = f"`codecs.{decoder(uid).__module__.rpartition('.')[2]}`"
        except UnsupportedError:
            module = ""
        if form is None:
            cells = [f"`{uid}`", name, module, "8", "no", ORACLES[uid], "0 (the JPEG stream comes back)", ""]
        else:
            bits = f"{form.bits[0]} to {form.bits[1]}"
            cells = [f"`{uid}`", name, module, bits, "yes" if form.signed else "no", ORACLES[uid], *differences(uid)]
        lines.append(f"| {' | '.join(cells)} |\n")
    return "".join(lines) + TAIL


if __name__ == "__main__":
    print(table(), end="")
