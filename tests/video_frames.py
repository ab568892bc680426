"""Pictures decoded by FFmpeg's own decoders, through PyAV."""

from __future__ import annotations

import numpy as np
import pytest


def by_ffmpeg(codec: str, data: bytes) -> np.ndarray:
    """Decode one picture with FFmpeg's own decoder, taking the planes as they are."""
    av = pytest.importorskip("av")
    context = av.CodecContext.create(codec, "r")
    pictures = [*context.decode(av.Packet(data)), *context.decode(None)]
    picture = pictures[0]
    wide = any(component.bits > 8 for component in picture.format.components)
    planes = []
    for plane in picture.planes:
        lines = np.frombuffer(plane, "<u2" if wide else "u1").reshape(picture.height, -1)
        planes.append(lines)
    count = len(picture.format.components)
    if len(planes) == 1:
        return (
            planes[0][:, : picture.width * count]
            .reshape(picture.height, picture.width, count)
            .squeeze(2 if count == 1 else ())
        )
    order = (2, 0, 1) if picture.format.name.startswith("gbr") else range(len(planes))
    return np.stack([planes[number][:, : picture.width] for number in order], axis=2)
