"""Parameters of lossy encodings, and the search for the one that gives a compression ratio."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

from dicomkit.errors import PixelError
from dicomkit.pixels.codecs.registry import Encoder
from dicomkit.pixels.description import PixelDescription

_JPEG = "1.2.840.10008.1.2.4."
DEFAULTS: dict[str, dict[str, Any]] = {
    **{f"{_JPEG}{part}": {"quality": 90} for part in (50, 51, 112)},
    **{f"{_JPEG}{part}": {"quality": 60} for part in (91, 203)},
    f"{_JPEG}81": {"near": 2},
}
"""What loss is taken where none is named."""

_DECIBELS = range(10, 131)
_LADDERS: dict[str, tuple[str, range]] = {
    **{f"{_JPEG}{part}": ("quality", range(1, 101)) for part in (50, 51, 112)},
    **{f"{_JPEG}{part}": ("quality", _DECIBELS) for part in (91, 203)},
    f"{_JPEG}81": ("near", range(128, 0, -1)),
}
"""The steps of each encoding, from the smallest result to the best."""


class Parameters(NamedTuple):
    """What an encoder is told."""

    quality: float | None = None
    near: int | None = None
    ratio: float | None = None

    @property
    def lossy(self) -> bool:
        """Whether this asks for loss; a near of 0 is none."""
        return bool(self.near or self.quality is not None or self.ratio is not None)

    def completed(self, transfer_syntax: str, lossy: bool) -> Parameters:
        """Fill in the default of a transfer syntax where loss is wanted and none is named."""
        if not lossy or self.lossy:
            return self._replace(near=self.near or None)
        return self._replace(**DEFAULTS.get(transfer_syntax, {}))

    def of_encoder(self) -> dict[str, Any]:
        """Keyword arguments of an encoder."""
        return {"quality": self.quality, "near": self.near}


def to_ratio(encode: Encoder, frame: NDArray[Any], description: PixelDescription, ratio: float) -> bytes:
    """Encode a frame at the best quality that makes it so many times smaller than native.

    Parameters
    ----------
    encode : Encoder
    frame : ndarray
    description : PixelDescription
    ratio : float
        More than 1.

    Returns
    -------
    bytes

    Raises
    ------
    PixelError
        If even the worst quality makes it no smaller, or the encoding has no quality.

    Examples
    --------
    >>> import numpy as np
    >>> from dicomkit.pixels.codecs.jpeg import encode
    >>> plain = PixelDescription(rows=64, columns=64, transfer_syntax_uid="1.2.840.10008.1.2.4.50")
    >>> len(to_ratio(encode, np.zeros((64, 64), np.uint8), plain, 10)) <= 409
    True
    """
    ladder = _LADDERS.get(description.transfer_syntax_uid)
    if ladder is None:
        raise PixelError(f"{description.transfer_syntax_uid} has no quality to reach a ratio with")
    if not ratio > 0:
        raise PixelError(f"a compression ratio of {ratio}")
    name, steps = ladder
    if name == "near":
        steps = range(min(128, ((1 << description.bits_stored) - 1) // 2), 0, -1)
    samples = description.rows * description.columns * description.samples_per_pixel
    most = samples * description.bits_allocated / 8 / ratio
    low, high, best = 0, len(steps) - 1, None
    while low <= high:
        middle = (low + high) // 2
        data = encode(frame, description, **{name: steps[middle]})
        if len(data) <= most:
            best, low = data, middle + 1
        else:
            high = middle - 1
    if best is None:
        raise PixelError(f"a compression ratio of {ratio:g} can't be reached", hint="ask for a smaller ratio")
    return best
