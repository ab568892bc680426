"""A viewer of slices with sliders for slice and window; its picture stays where no kernel runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dicomkit.display.html import Markup, escape
from dicomkit.display.style import style_element
from dicomkit.errors import DicomError, GeometryError, ValueFormatError
from dicomkit.volumes.geometry import AXES
from dicomkit.widgets.drawing import Drawing, save_png
from dicomkit.widgets.live import MOST, bundle, publish, still_picture
from dicomkit.widgets.reel import volume_title, volume_window
from dicomkit.widgets.slices import Plane, at_levels, planes_of

if TYPE_CHECKING:
    import xarray as xr

    Window = tuple[float, float]

PRESETS = {
    "soft tissue": (40.0, 400.0),
    "lung": (-600.0, 1500.0),
    "bone": (400.0, 1800.0),
    "brain": (40.0, 80.0),
}
"""Windows (center, width) in HU that are the custom for CT."""

CUSTOM = "custom"
"""The choice among the presets that stands for none of them."""

_SIDE = 480
_PRECISION = 300


@dataclass(frozen=True, slots=True)
class Sight:
    """What a viewer is looking at.

    Parameters
    ----------
    plane : str
        ``"axial"``, ``"coronal"``, ``"sagittal"`` or ``"as stored"``.
    index : int
        Which slice of it, from 0.
    window : tuple of float, optional
        Center and width; None for colour.
    levels : tuple of (str, int)
        Which level of each further dimension.
    """

    plane: str
    index: int
    window: Window | None = None
    levels: tuple[tuple[str, int], ...] = ()


class Browser:
    """A viewer of slices.

    In a notebook it shows itself. Its state is where its controls are: `sight` tells it, and setting
    ``browser.controls["slice"].value`` changes it.

    Parameters
    ----------
    volume : DataArray
        With the dimensions slice, row and column, and any further ones.
    sight : Sight
        What is looked at first.

    Attributes
    ----------
    controls : dict
        The ipywidgets by name: ``plane``, ``slice``, and for grey volumes ``preset``, ``center`` and ``width``; one
        slider for each further dimension.
    """

    def __init__(self, volume: xr.DataArray, sight: Sight) -> None:
        self.volume = volume
        self._planes = planes_of(at_levels(volume, dict(sight.levels)))
        self._listeners: list[Callable[[], None]] = []
        self._presets = _presets(volume, sight.window)
        self.controls = _controls(volume, self._planes, sight, self._presets)
        self._drawn = sight
        self._view = _view(volume_title(volume), self.controls)
        for name, control in self.controls.items():
            control.observe(
                self._turned if name == "plane" else self._preset if name == "preset" else self._changed, "value"
            )
        self._draw()

    @property
    def sight(self) -> Sight:
        """What is looked at now."""
        values = {name: control.value for name, control in self.controls.items()}
        index = min(values["slice"], self._planes[values["plane"]].count - 1)
        window = (_plain(values["center"]), _plain(values["width"])) if "center" in values else None
        levels = tuple((name, values[name]) for name, _ in self._drawn.levels)
        return Sight(values["plane"], index, window, levels)

    @property
    def plane(self) -> Plane:
        """The plane that is looked at now."""
        return self._planes[self.sight.plane]

    @property
    def drawing(self) -> Drawing:
        """The picture of what is looked at now."""
        sight = self.sight
        return self._planes[sight.plane].draw(at_levels(self.volume, dict(sight.levels)), sight.index, sight.window)

    @property
    def caption(self) -> str:
        """What is looked at now, in words."""
        sight = self.sight
        parts = [f"{sight.plane} slice {sight.index} of 0–{self.plane.count - 1}", self.plane.place(sight.index)]
        parts += [f"{name} {_level(self.volume, name, index)}" for name, index in sight.levels]
        if sight.window:
            units = self.volume.attrs.get("units")
            parts.append(f"window {sight.window[0]:g} / {sight.window[1]:g} {units or ''}".rstrip())
        return " · ".join(part for part in parts if part)

    def to_png(self, most: int | None = None) -> bytes:
        """Write the picture as PNG, with true proportions, and no side longer than ``most`` where that is given."""
        return self.drawing.to_png(most)

    def save(self, path: str | os.PathLike[str], most: int | None = None) -> None:
        """Write the picture to a PNG file."""
        save_png(path, self.to_png(most))

    def still(self) -> Markup:
        """The picture as HTML that needs no script."""
        return still_picture(volume_title(self.volume), self.drawing, self.caption, self.plane.sides)

    def widget(self) -> Any:
        """The live view, an ipywidgets box."""
        return self._view["box"]

    def _turned(self, change: Any) -> None:
        """Go to the middle of another plane."""
        count = self._planes[change["new"]].count
        slider = self.controls["slice"]
        slider.max = max(count - 1, 0)
        slider.value = count // 2
        self._changed(change)

    def _preset(self, change: Any) -> None:
        """Take over the window of a preset."""
        if change["new"] != CUSTOM:
            self.controls["center"].value, self.controls["width"].value = change["new"]

    def _matching(self) -> Window | str:
        """The preset that the sliders are at, which a browser sets to the nearest step of theirs."""
        sliders = self.controls["center"], self.controls["width"]
        for window in self._presets.values():
            if all(abs(s.value - value) <= s.step / 2 for s, value in zip(sliders, window, strict=True)):
                return window
        return CUSTOM

    def _changed(self, change: Any) -> None:
        if self.sight == self._drawn:
            return
        if "preset" in self.controls:
            self.controls["preset"].value = self._matching()
        try:
            self._draw()
        except DicomError as error:  # where the notebook shows it: what a callback raises, it does not
            self._view["note"].value = escape(error)
            return
        for listener in self._listeners:
            listener()

    def _draw(self) -> None:
        """Bring the picture up to what the controls say."""
        self._drawn = self.sight
        drawing = self.drawing
        height, width = drawing.shown_size(_SIDE, _SIDE)
        picture = self._view["picture"]
        picture.layout.width, picture.layout.height = f"{width}px", f"{height}px"
        picture.value = (drawing if max(drawing.pixels.shape) <= 2 * MOST else drawing.fitted(2 * MOST)).encoded()
        for side, letter in zip("lrtb", self.plane.sides, strict=True):
            self._view[side].value = f'<b class="dk-letter">{letter}</b>'
        self._view["note"].value = escape(self.caption)

    def __repr__(self) -> str:
        return f"<Browser: {volume_title(self.volume)}, {self.caption}>"

    def _repr_html_(self) -> str:
        return str(self.still())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return bundle(self)

    def _ipython_display_(self) -> None:
        publish(self, self._listeners.append)


def browse(
    volume: xr.DataArray, *, plane: str | None = None, index: int | None = None, window: Window | None = None
) -> Browser:
    """Look through a volume with sliders for slice and window, in the planes of the patient.

    Parameters
    ----------
    volume : DataArray
        What `to_volume` gives: slice, row, column, and any further dimensions, each of which has a slider.
    plane : str, optional
        ``"axial"``, ``"coronal"``, ``"sagittal"`` or ``"as stored"``; by default that of the slices.
    index : int, optional
        Which slice of the plane comes first, from 0; the middle one by default.
    window : (float, float), optional
        Center and width; by default that of the header, or the range of the values.

    Returns
    -------
    Browser
        Shows itself in a notebook; ``.save("x.png")`` writes the picture.

    Raises
    ------
    GeometryError
        If the array is no volume, or has no such plane.

    Examples
    --------
    >>> import dicomkit as dk
    >>> browser = browse(dk.to_volume(dk.samples.ct_series(slices=5, size=16)), plane="coronal")
    >>> browser.controls["slice"].value = 3
    >>> browser.sight
    Sight(plane='coronal', index=3, window=(40.0, 400.0), levels=())
    """
    if not {*AXES} <= {*volume.dims}:
        raise GeometryError(f"a viewer needs the dimensions {', '.join(AXES)}", hint="dk.show shows a single slice")
    if window is not None and not window[1] > 0:
        raise ValueFormatError(f"a window width of {window[1]}: it must be more than 0")
    levels = tuple((str(d), 0) for d in volume.dims if d not in (*AXES, "sample"))
    part = at_levels(volume, dict(levels))
    planes = planes_of(part)
    name = plane or next(iter(planes))
    if name not in planes:
        raise GeometryError(f"there is no plane {name!r}", hint=f"choose one of {', '.join(planes)}")
    count = planes[name].count
    at = count // 2 if index is None else index
    if not -count <= at < count:
        raise GeometryError(f"there is no slice {at}: there are {count}, counted from 0")
    return Browser(volume, Sight(name, at % count, window or volume_window(part), levels))


def _presets(volume: xr.DataArray, window: Window | None) -> dict[str, Window]:
    """Windows to choose from."""
    if window is None:
        return {}
    known = PRESETS if volume.attrs.get("units") == "HU" else {}
    return known if window in known.values() else {"as opened": window, **known}


def _controls(
    volume: xr.DataArray, planes: dict[str, Plane], sight: Sight, presets: dict[str, Window]
) -> dict[str, Any]:
    """Make the widgets that hold the state."""
    import ipywidgets as widgets

    layout = widgets.Layout(width="340px")
    count = planes[sight.plane].count
    controls: dict[str, Any] = {
        "plane": widgets.Dropdown(options=list(planes), value=sight.plane, description="plane", layout=layout),
        "slice": widgets.IntSlider(value=sight.index, max=count - 1, description="slice", layout=layout),
    }
    for name, index in sight.levels:
        end = volume.sizes[name] - 1
        controls[name] = widgets.IntSlider(value=index, max=end, description=name, layout=layout)
    if sight.window is not None:
        low, high, step, form = _range(volume, presets)
        options = [(CUSTOM, CUSTOM), *presets.items()]
        controls["preset"] = widgets.Dropdown(options=options, value=sight.window, description="window", layout=layout)
        for name, least, most, value in (
            ("center", low, high, sight.window[0]),
            ("width", step, max(high - low, *(w for _, w in presets.values())), sight.window[1]),
        ):
            controls[name] = widgets.FloatSlider(
                value=value, min=least, max=most, step=step, readout_format=form, description=name, layout=layout
            )
    return controls


def _range(volume: xr.DataArray, presets: dict[str, Window]) -> tuple[float, float, float, str]:
    """Least and greatest center, the step of the sliders, and how numbers are written."""
    part = np.asarray(volume.isel({d: slice(None, None, max(1, n // 32)) for d, n in volume.sizes.items()}).data)
    values = part[np.isfinite(part)] if part.dtype.kind == "f" else part
    centers = [center for center, _ in presets.values()]
    low, high = (float(end) for end in (values.min(initial=min(centers)), values.max(initial=max(centers))))
    high = max(high, low + 1e-6)
    if volume.dtype.kind in "iu" and high - low > 50:
        return low, high, 1.0, ".0f"
    return low, high, 10.0 ** np.floor(np.log10((high - low) / _PRECISION)), ".4g"


def _view(title: str, controls: dict[str, Any]) -> dict[str, Any]:
    """Make the box: the picture with letters at its edges, the controls beside it."""
    import ipywidgets as widgets

    areas = {"l": "2 / 1", "r": "2 / 3", "t": "1 / 2", "b": "3 / 2"}
    parts = {
        side: widgets.HTML(layout=widgets.Layout(grid_area=area, align_self="center", margin="0 4px"))
        for side, area in areas.items()
    }
    picture = widgets.Image(
        format="png", layout=widgets.Layout(grid_area="1 / 1 / 4 / 4", margin="0", max_width="none")
    )
    grid = widgets.Layout(
        display="grid",
        grid_template_columns="auto 1fr auto",
        grid_template_rows="auto 1fr auto",
        justify_items="center",
        overflow="hidden",
    )
    stage = widgets.Box([picture, *parts.values()], layout=grid)
    note = widgets.HTML()
    row = widgets.Layout(flex_flow="row wrap", align_items="flex-start", grid_gap="0 16px")
    panel = widgets.VBox([*controls.values()])
    box = widgets.VBox(
        [widgets.HTML(f"{style_element()}<b>{escape(title)}</b>"), widgets.Box([stage, panel], layout=row), note]
    )
    return {**parts, "picture": picture, "note": note, "box": box}


def _plain(value: float) -> float:
    """A number without the noise that a slider of a browser adds, such as 1499.9999999999998."""
    return float(f"{value:.9g}")


def _level(volume: xr.DataArray, name: str, index: int) -> str:
    """The value of a further dimension, with its unit."""
    if name not in volume.coords:
        return str(index)
    coordinate = volume.coords[name]
    value = coordinate.values[index]
    text = f"{value:g}" if isinstance(value, (int, float, np.number)) else str(value)
    return f"{text} {coordinate.attrs.get('units', '')}".strip()
