"""Explain how stored values of a frame become a picture: each stage, what drove it, and its range in and out."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.dataset.functional_groups import PER_FRAME, SHARED
from dicomkit.errors import PixelError
from dicomkit.pixels.colour import RGB_ALREADY
from dicomkit.pixels.description import describe
from dicomkit.pixels.frames import frame_with_notes
from dicomkit.pixels.icc import icc_profile_of
from dicomkit.pixels.lookup import LookupTable
from dicomkit.pixels.modality import Modality, Rescale
from dicomkit.pixels.padding import padding_mask, padding_of
from dicomkit.pixels.palette import palette_of
from dicomkit.pixels.pipeline import GreyPipeline, WindowLike, grey_pipeline
from dicomkit.pixels.real_world import real_world_mappings
from dicomkit.pixels.render import is_colour_frame, render
from dicomkit.pixels.resize import pixel_aspect
from dicomkit.pixels.window import Window, continuous

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dicomkit.dataset.dataset import DataSet

_BINS = 128
_COLUMNS = ("Stage", "What it does", "Driven by", "Range in", "Range out")


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the pipeline.

    Parameters
    ----------
    name : str
    does : str
        What it does, with its numbers.
    driven_by : str
        The attributes, and where they stand.
    range_in, range_out : tuple of float, or None
        Least and greatest value before and after, without padding; None where there is none.
    """

    name: str
    does: str
    driven_by: str
    range_in: tuple[float, float] | None = None
    range_out: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class PixelReport:
    """How a frame becomes a picture; shows itself in a notebook.

    Parameters
    ----------
    title : str
    stages : tuple of Stage
    picture : ndarray of uint8
        What `render` makes of the frame.
    values : ndarray
        Modality values (stored ones for colour) without padding, of which the histogram is drawn.
    unit : str
        Of these values.
    voi : Window, LookupTable or None
        What maps them to grey.
    inverted : bool
        Whether the presentation inverts grey.
    notes : tuple of str
        What decoding mended.
    pixel_aspect : float
        How much higher than wide a pixel is.
    """

    title: str
    stages: tuple[Stage, ...]
    picture: NDArray[np.uint8] = field(repr=False, compare=False)
    values: NDArray[Any] = field(repr=False, compare=False)
    unit: str = ""
    voi: Window | LookupTable | None = None
    inverted: bool = False
    notes: tuple[str, ...] = ()
    pixel_aspect: float = 1.0

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """The stages as rows of a table: stage, what it does, driven by, range in, range out."""
        return [(s.name, s.does, s.driven_by, _span(s.range_in), _span(s.range_out)) for s in self.stages]

    def plot(self, *, width: float = 9.0, title: bool = True) -> Figure:
        """Draw the picture beside a histogram of the values with the curve that maps them to grey.

        Parameters
        ----------
        width : float
            Of the figure in inches.
        title : bool
            Whether to write the title above the picture.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator

        figure = Figure(figsize=(width, width * 0.42), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.4))
        left.imshow(self.picture, cmap="gray", vmin=0, vmax=255, aspect=self.pixel_aspect)
        left.set_axis_off()
        left.set_anchor("N")
        if title:
            left.set_title(self.title, fontsize=9, loc="left")
        if self.values.ndim == 2:
            for sample, colour in enumerate(("#d8433b", "#3a9a4a", "#3b7dd8")):
                right.hist(self.values[:, sample], _bins(self.values), histtype="step", color=colour, log=True)
        elif self.values.size:
            right.hist(self.values, _bins(self.values), color="#9db8d9", log=True)
        right.set_ylim(bottom=0.8)
        if self.values.dtype.kind != "f":
            right.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        right.set_xlabel(f"value [{self.unit}]" if self.unit else "value")
        right.set_ylabel("pixels")
        right.spines[["top", "right"]].set_visible(False)
        if self.voi is not None:
            self._draw_curve(right)
        return figure

    def _draw_curve(self, ax: Axes) -> None:
        """Draw the curve from values to grey over the histogram."""
        low, high = _ends(self.values) or (0.0, 1.0)
        if isinstance(self.voi, Window):
            margin = 0.1 * min(self.voi.width, high - low)
            low = min(low, max(self.voi.center - self.voi.width / 2 - margin, low - 2 * (high - low)))
            high = max(high, min(self.voi.center + self.voi.width / 2 + margin, high + 2 * (high - low)))
            x = np.linspace(low, high, 512)
            y = continuous(x.copy(), self.voi.center, self.voi.width, self.voi.function)
        else:
            assert self.voi is not None
            x = np.linspace(low, high, 512)
            y = self.voi.to_8_bits(x).astype(np.float64)
        grey = ax.twinx()
        grey.plot(x, 255 - y if self.inverted else y, color="#d8433b")
        grey.set_ylim(-8, 263)
        grey.set_yticks([0, 64, 128, 192, 255])
        grey.set_ylabel("grey", color="#d8433b")
        grey.spines["top"].set_visible(False)

    def to_png(self, *, dpi: float = 96, title: bool = True) -> bytes:
        """Draw the figure as PNG, of so many pixels by inch."""
        out = io.BytesIO()
        self.plot(title=title).savefig(out, format="png", dpi=dpi)
        return out.getvalue()

    def __str__(self) -> str:
        from dicomkit.display.text import table_text

        return table_text(_COLUMNS, self.rows(), caption=self.title)

    def __repr__(self) -> str:
        return f"<PixelReport: {self.title}, {len(self.stages)} stages>"

    def _repr_html_(self) -> str:
        from dicomkit.display.html import image, stack, table

        def whole(text: str) -> str:
            return text.replace(" ", "\N{NO-BREAK SPACE}")  # so that names and ranges stay on a line

        rows = [(whole(name), does, by, *map(whole, spans)) for name, does, by, *spans in self.rows()]
        parts = [table(_COLUMNS, rows, caption=self.title)]
        parts.append(
            image(self.to_png(title=False), alt="the picture, a histogram of its values and the curve to grey")
        )
        if self.notes:
            parts.append(table(["note"], [(note,) for note in self.notes]))
        return stack(*parts)


def explain_pixels(ds: DataSet, frame: int = 0, *, window: WindowLike = None, voi: int | str = 0) -> PixelReport:
    """Explain each stage between the stored values of a frame and its picture.

    Parameters
    ----------
    ds : DataSet
        An image.
    frame : int
        From 0.
    window, voi
        As for `render`.

    Returns
    -------
    PixelReport
        With a table, a figure (``.plot()``), and both in a notebook.

    Raises
    ------
    DicomError
        As for `render`.

    Examples
    --------
    >>> import dicomkit as dk
    >>> report = explain_pixels(dk.samples.ct_series(slices=1, size=32)[0])
    >>> [stage.name for stage in report.stages]
    ['stored values', 'modality', 'VOI', 'presentation']
    """
    decoded = frame_with_notes(ds, frame)
    array, photometric = decoded.array, decoded.photometric_interpretation
    picture = render(ds, frame, window=window, voi=voi)
    kept = array[~padding_mask(ds, array)] if array.ndim == 2 else array.reshape(-1, array.shape[-1])
    kept = kept if kept.size else array.reshape(-1)
    stages = [_stored(ds, kept, photometric)]
    count = ds.get("NumberOfFrames")
    title = " ".join(str(ds.get(name)) for name in ("Modality", "SeriesDescription") if ds.get(name))
    title = (title or "image") + (f", frame {frame}" if isinstance(count, int) and count > 1 else "")
    if array.ndim == 3 or photometric == "PALETTE COLOR":
        stages += _colour(ds, frame, kept, picture, photometric)
        return PixelReport(
            title, tuple(stages), picture, kept, notes=decoded.notes, pixel_aspect=pixel_aspect(ds, frame)
        )
    pipeline = grey_pipeline(ds, frame, array, window=window, voi=voi, photometric_interpretation=photometric)
    values = pipeline.modality(kept)
    unit = _unit(pipeline.modality)
    stages += _grey(ds, frame, pipeline, kept, values)
    if is_colour_frame(ds, frame) and (palette := palette_of(ds)) is not None:
        does = f"{len(palette.colours)} colours from stored value {palette.first} on; grey below"
        stages.append(Stage("supplemental palette", does, "PixelPresentation COLOR, palette", _ends(kept), (0, 255)))
    stages += _real_world(ds, frame, kept)
    return PixelReport(
        title,
        tuple(stages),
        picture,
        values,
        unit,
        pipeline.voi,
        pipeline.presentation.inverted,
        decoded.notes,
        pixel_aspect(ds, frame),
    )


def _stored(ds: DataSet, kept: NDArray[Any], photometric: str) -> Stage:
    """What was decoded."""
    description = describe(ds)
    sign = "signed" if description.signed else "unsigned"
    kind = f"{sign} {description.bits_stored} of {description.bits_allocated} bits"
    if description.attribute != "PixelData":
        kind = f"floating point, {description.bits_allocated} bits"
    padding = padding_of(ds) if kept.ndim == 1 else None
    if padding is not None:
        low_high = f"{padding.low:g}" if padding.low == padding.high else f"{padding.low:g} to {padding.high:g}"
        kind += f"; padding {low_high} left out"
    return Stage("stored values", f"{kind}, {photometric}", ds.transfer_syntax.name, None, _ends(kept))


def _grey(ds: DataSet, frame: int, pipeline: GreyPipeline, kept: NDArray[Any], values: NDArray[Any]) -> list[Stage]:
    """Modality, VOI and presentation."""
    grey = pipeline.voi_values(values)
    shown = pipeline(kept)
    presentation = pipeline.presentation
    if presentation.table is not None:
        does = f"table of {len(presentation.table.entries)} P-values"
    else:
        does = "inverts" if presentation.inverted else "identity"
    if isinstance(pipeline.voi, Window):
        chosen = pipeline.voi
        mapped = f"{chosen.function} window, center {chosen.center:g}, width {chosen.width:g}"
    else:
        mapped = f"table of {len(pipeline.voi.entries)} entries from {pipeline.voi.first}"
    if pipeline.voi.explanation:
        mapped += f" ({pipeline.voi.explanation})"
    source = pipeline.voi_source
    if source.startswith("window "):
        source += _where(ds, frame, "FrameVOILUTSequence", "WindowCenter")
    elif source.startswith("table "):
        source += _where(ds, frame, "FrameVOILUTSequence", "VOILUTSequence")
    return [
        Stage("modality", *_modality(ds, frame, pipeline.modality), _ends(kept), _ends(values)),
        Stage("VOI", mapped, source, _ends(values), _ends(grey)),
        Stage("presentation", does, presentation.source or "nothing", _ends(grey), _ends(shown)),
    ]


def _modality(ds: DataSet, frame: int, modality: Modality) -> tuple[str, str]:
    """What the modality stage does, and by which attributes."""
    if isinstance(modality, LookupTable):
        return f"table of {len(modality.entries)} entries from {modality.first}", "ModalityLUTSequence"
    if modality.is_identity and "RescaleSlope" not in ds and "DoseGridScaling" not in ds:
        where = _where(ds, frame, "PixelValueTransformationSequence", "RescaleSlope")
        return "identity", f"RescaleSlope{where}" if where else "nothing"
    does = f"× {modality.slope:g} {'-' if modality.intercept < 0 else '+'} {abs(modality.intercept):g}"
    does += f" {_unit(modality)}".rstrip()
    where = _where(ds, frame, "PixelValueTransformationSequence", "RescaleSlope")
    return does, f"RescaleSlope, RescaleIntercept{where}" if where else "DoseGridScaling"


def _unit(modality: Modality) -> str:
    """The unit of modality values; US says that it is unspecified (PS3.3 C.11.1.1.2)."""
    unit = modality.type if isinstance(modality, Rescale) else modality.explanation
    return "" if unit == "US" else unit


def _where(ds: DataSet, frame: int, sequence: str, keyword: str) -> str:
    """Where an attribute of a frame stands."""
    per_frame, shared = ds.all(PER_FRAME), ds.all(SHARED)
    own = per_frame[frame].all(sequence) if frame < len(per_frame) else ()
    common = shared[0].all(sequence) if shared else ()
    if any(keyword in item for item in own):
        return ", functional group of the frame"
    if any(keyword in item for item in common):
        return ", shared functional group"
    return ", data set" if keyword in ds else ""


def _colour(ds: DataSet, frame: int, kept: NDArray[Any], picture: NDArray[np.uint8], photometric: str) -> list[Stage]:
    """Palette or conversion to RGB, and the profile."""
    if photometric == "PALETTE COLOR":
        palette = palette_of(ds)
        if palette is None:
            raise PixelError("PALETTE COLOR without a palette", frame=frame)
        segmented = "SegmentedRedPaletteColorLookupTableData" in ds
        does = f"{len(palette.colours)} colours of {palette.bits} bits from stored value {palette.first}"
        driven = "segmented palette" if segmented else "Red, Green and Blue PaletteColorLookupTable"
        stages = [Stage("palette", does, driven, _ends(kept), _ends(picture))]
    else:
        same = photometric in RGB_ALREADY
        does = "RGB as decoded" if same else f"{photometric} to RGB"
        driven = f"PhotometricInterpretation {ds.get('PhotometricInterpretation')}"
        stages = [Stage("colour", does, driven, _ends(kept), _ends(picture))]
    profile = icc_profile_of(ds, frame)
    if profile is not None:
        stages.append(Stage("ICC profile", f"{len(profile):,} bytes; applied where icc= asks for it", "ICCProfile"))
    return stages


def _real_world(ds: DataSet, frame: int, kept: NDArray[Any]) -> list[Stage]:
    """Real world values, which stand beside the way to the screen."""
    stages = []
    for number, mapping in enumerate(real_world_mappings(ds, frame)):
        unit = mapping.units.value if mapping.units else "?"
        does = f"table of {len(mapping.table)} values" if mapping.table is not None else f"× {mapping.slope:g}"
        if mapping.table is None and mapping.intercept:
            does += f" {'-' if mapping.intercept < 0 else '+'} {abs(mapping.intercept):g}"
        name = mapping.label or mapping.explanation
        does += f" [{unit}]" + (f" ({name})" if name else "")
        driven = f"RealWorldValueMappingSequence, {mapping.source}"
        stages.append(Stage(f"real world value {number}", does, driven, _ends(kept), _ends(mapping(kept))))
    return stages


def _bins(values: NDArray[Any]) -> NDArray[np.float64] | int:
    """Edges of the bars of a histogram: of integers each has as many."""
    ends = _ends(values)
    if ends is None or values.dtype.kind == "f":
        return _BINS
    step = int(ends[1] - ends[0]) // _BINS + 1
    return np.arange(ends[0], ends[1] + 1 + step, step) - 0.5


def _ends(values: NDArray[Any]) -> tuple[float, float] | None:
    """The least and the greatest finite value."""
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    return (float(finite.min()), float(finite.max())) if finite.size else None


def _span(ends: tuple[float, float] | None) -> str:
    """A range as text."""
    return "" if ends is None else f"{ends[0]:.6g} … {ends[1]:.6g}"
