"""One call shows whatever there is to see of an object: an image, a cine, the slices of a volume, or its text."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.display.html import Markup, escape
from dicomkit.errors import DicomError, UnsupportedError, ValueFormatError
from dicomkit.files.read import read
from dicomkit.volumes.load import to_volume
from dicomkit.widgets.drawing import Drawing, save_png
from dicomkit.widgets.live import LEAST, MOST, bundle, publish, send, still_picture
from dicomkit.widgets.reel import Reel, has_pixels, reel_of_frames, reel_of_slices
from dicomkit.widgets.report import Report

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from dicomkit.opening import Readable
    from dicomkit.pixels.render import WindowLike

Showable: TypeAlias = "DataSet | xr.DataArray | pd.DataFrame | Readable"

_KEPT = 64
"""Frames that a cine keeps as PNG."""


@dataclass(frozen=True, slots=True, repr=False)
class View:
    """Pictures of an image or volume, one of which is being looked at.

    In a notebook it shows itself: a single picture, or a cine of several. `save` and `to_png` write the picture.

    Parameters
    ----------
    reel : Reel
        The pictures, drawn when they are first shown.
    index : int
        Which one is being looked at, from 0.
    single : bool
        Whether only this one is shown.
    """

    reel: Reel
    index: int = 0
    single: bool = False

    @property
    def drawing(self) -> Drawing:
        """The picture that is being looked at."""
        return self.reel.draw(self.index)

    @property
    def caption(self) -> str:
        """What the picture is of."""
        return self.reel.captions(self.index)

    def at(self, index: int) -> View:
        """Look at another picture of the same."""
        return replace(self, index=self.reel.number(index))

    def to_png(self, most: int | None = None) -> bytes:
        """Write the picture as PNG, with true proportions, and no side longer than ``most`` where that is given."""
        return self.drawing.to_png(most)

    def save(self, path: str | os.PathLike[str], most: int | None = None) -> None:
        """Write the picture to a PNG file.

        Raises
        ------
        PixelError
            If it can't be decoded.
        ValueFormatError
            If the name doesn't end with ``.png``.
        SourceError
            If the file can't be written.
        """
        save_png(path, self.to_png(most))

    def still(self) -> Markup:
        """The picture as HTML that needs no script."""
        return still_picture(self.reel.title, self.drawing, self.reel.captions(self.index))

    def widget(self) -> Any:
        """Make a cine: play button, slider and picture, as an ipywidgets box."""
        return _cine(self)

    def __repr__(self) -> str:
        return f"<View: {self.reel.title}, {self.reel.captions(self.index)}>"

    def _repr_html_(self) -> str:
        return str(self.still())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        if self.reel.count == 1 or self.single:
            return {"text/html": self._repr_html_(), "text/plain": repr(self)}
        return bundle(self)

    def _ipython_display_(self) -> None:
        if self.reel.count > 1 and not self.single:
            publish(self)
        else:
            send(self._repr_mimebundle_())


def show(source: Showable, frame: int | None = None, window: WindowLike = None) -> View | Report:
    """Show what there is to see: an image, a cine of several frames, the slices of a volume, or a text.

    Parameters
    ----------
    source : DataSet, path, bytes, DataArray, or what `to_volume` takes
        An object that is no image (a Structured Report, a plan) is shown as a tree.
    frame : int, optional
        Show only this frame or slice, from 0; those below 0 count from the end. Without it all can be played, and the
        middle one comes first.
    window : optional
        ``(center, width)``; for a DataSet also the other choices of `render`. Without it the image's own.

    Returns
    -------
    View or Report
        Shows itself in a notebook; ``.save("x.png")`` and ``.to_png()`` write the picture.

    Raises
    ------
    DicomError
        If the source can't be read, or its pixels can't be decoded.

    Examples
    --------
    >>> import dicomkit as dk
    >>> show(dk.samples.ct_series(slices=1, size=64)[0])
    <View: CT 3 · Chest with contrast, 64 × 64>
    >>> show(dk.samples.enhanced_ct(frames=5, size=16)).at(0).to_png()[1:4]
    b'PNG'
    """
    found = _opened(source)
    if isinstance(found, DataSet) and not has_pixels(found):
        if frame is not None or window is not None:
            raise UnsupportedError("there is no picture in this object, so it has neither frame nor window")
        return Report(found)
    if isinstance(found, DataSet):
        reel = reel_of_frames(found, window)
    else:
        if window is not None and not (isinstance(window, tuple) and len(window) == 2):
            raise ValueFormatError(f"window={window!r}", hint="for a volume give (center, width)")
        reel = reel_of_slices(found, window)
    return View(reel, reel.number(frame), frame is not None)


def _opened(source: Any) -> Any:
    """The DataSet or DataArray that is meant."""
    if isinstance(source, DataSet) or hasattr(source, "dims"):
        return source
    is_path = isinstance(source, (str, os.PathLike))
    if (is_path and not os.path.isdir(source)) or isinstance(source, bytes) or hasattr(source, "read"):
        return read(source)
    return to_volume(source)


def _cine(view: View) -> Any:
    """Make the widgets of a cine; a frame is drawn when it is first shown."""
    import ipywidgets as widgets

    reel = view.reel
    height, width = view.drawing.shown_size(LEAST, MOST)

    @lru_cache(_KEPT)
    def png(index: int) -> bytes:
        return reel.draw(index).fitted(2 * MOST).encoded()

    picture = widgets.Image(value=png(view.index), format="png", width=width, height=height)
    end = reel.count - 1
    play = widgets.Play(value=view.index, max=end, interval=round(reel.seconds * 1000), show_repeat=True)
    slider = widgets.IntSlider(value=view.index, max=end, layout=widgets.Layout(width=f"{max(width - 150, 160)}px"))
    title = widgets.HTML(f"<b>{escape(reel.title)}</b>")
    note = widgets.HTML(escape(reel.captions(view.index)))
    widgets.jslink((play, "value"), (slider, "value"))

    def turn(change: Any) -> None:
        try:
            picture.value = png(change["new"])
            note.value = escape(reel.captions(change["new"]))
        except DicomError as error:  # where the notebook shows it: what a callback raises, it does not
            note.value = escape(error)

    slider.observe(turn, "value")
    return widgets.VBox([title, picture, widgets.HBox([play, slider]), note])
