"""What a printer holds for an association: a film session, its film boxes, and what these have (PS3.4 H.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Literal, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.provider import Caller
from dicomkit.objects.film import Layout
from dicomkit.pixels.lookup import LookupTable

PrinterState: TypeAlias = Literal["NORMAL", "WARNING", "FAILURE"]

ANNOTATION_FORMATS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "LABEL": ("bottom left",),
        "TITLE": ("top left",),
        "BOTTOM": ("bottom left", "bottom right"),
        "CORNERS": ("top left", "top right", "bottom left", "bottom right"),
    }
)
"""The annotation boxes of each Annotation Display Format ID, in the order of their positions."""


@dataclass(frozen=True, slots=True)
class Printer:
    """What a printer says of itself, and what it can do.

    Parameters
    ----------
    name, manufacturer, model, serial_number, software
        As N-GET of the printer answers; those that are empty are left out.
    status, info
        ``"NORMAL"``, ``"WARNING"`` or ``"FAILURE"``, and why, in a term of PS3.3 C.13.9.1.
    dots_per_inch
        How finely films are drawn; twice as finely where HIGH resolution is asked for.
    film_size
        Of films that name none.
    min_density, max_density
        What the paper can show, in hundredths of OD.

    Examples
    --------
    >>> Printer(status="WARNING", info="SUPPLY LOW").attributes().PrinterStatusInfo
    'SUPPLY LOW'
    """

    name: str = "DICOMKIT"
    manufacturer: str = "dicomkit"
    model: str = "film printer"
    serial_number: str = ""
    software: str = ""
    status: PrinterState = "NORMAL"
    info: str = "NORMAL"
    dots_per_inch: float = 150.0
    film_size: str = "14INX17IN"
    min_density: int = 20
    max_density: int = 310

    def attributes(self) -> DataSet:
        """Return the attributes of its SOP instance (PS3.4 Table H.4-17)."""
        said = {
            "PrinterName": self.name,
            "Manufacturer": self.manufacturer,
            "ManufacturerModelName": self.model,
            "DeviceSerialNumber": self.serial_number,
            "SoftwareVersions": self.software,
        }
        always = {"PrinterStatus": self.status, "PrinterStatusInfo": self.info}
        return DataSet(always | {keyword: value for keyword, value in said.items() if value})


@dataclass(frozen=True, slots=True)
class PrintLimits:
    """How much a printer takes from its peers.

    Parameters
    ----------
    films
        In one film session.
    boxes
        Image boxes of one film.
    pixels
        Of one film, as it is drawn.
    memory
        Bytes of the images that all associations together hold.
    tables
        Presentation LUTs of one association.
    copies
        Of a film session.
    jobs
        Of one association, that are remembered.
    """

    films: int = 100
    boxes: int = 144
    pixels: int = 64_000_000
    memory: int = 512 << 20
    tables: int = 16
    copies: int = 100
    jobs: int = 100


@dataclass(frozen=True, slots=True)
class PresentationLut:
    """What becomes of values before they are printed: a shape, or a table of P-values."""

    shape: str = "IDENTITY"
    table: LookupTable | None = None


@dataclass(frozen=True, slots=True)
class ImageBox:
    """The place of an image on a film; ``attributes`` is empty until an image was set.

    Attributes
    ----------
    size
        Bytes of its pixels.
    """

    uid: str
    position: int
    attributes: DataSet = field(default_factory=DataSet)
    image: DataSet | None = None
    lut: PresentationLut | None = None
    size: int = 0


@dataclass(frozen=True, slots=True)
class AnnotationBox:
    """The place of a text on a film."""

    uid: str
    position: int
    where: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class FilmBox:
    """One film: its layout, attributes, and boxes."""

    uid: str
    layout: Layout
    is_colour: bool
    attributes: DataSet
    images: tuple[ImageBox, ...]
    annotations: tuple[AnnotationBox, ...] = ()
    lut: PresentationLut = field(default_factory=PresentationLut)

    @property
    def is_empty(self) -> bool:
        """Whether no image was set."""
        return all(box.image is None for box in self.images)

    @property
    def size(self) -> int:
        """Bytes of its images and its ICC profile."""
        return sum(box.size for box in self.images) + len(self.attributes.get("ICCProfile") or b"")


@dataclass(frozen=True, slots=True)
class FilmSession:
    """The films of an association, and what is said of all of them."""

    uid: str
    attributes: DataSet
    films: tuple[FilmBox, ...] = ()

    @property
    def copies(self) -> int:
        """How often each film is to be printed."""
        return int(self.attributes.get("NumberOfCopies") or 1)

    @property
    def label(self) -> str:
        """What the user calls it."""
        return str(self.attributes.get("FilmSessionLabel") or "")


@dataclass(frozen=True, slots=True)
class PrintJob:
    """Films that are to be printed, as they were when that was asked for.

    Attributes
    ----------
    uid
        Of its SOP instance.
    session
        With the films of the job only.
    created
        When.
    caller
        Who asked for it.
    """

    uid: str
    session: FilmSession
    created: datetime
    caller: Caller
    status: str = "DONE"
    info: str = "NORMAL"

    def attributes(self, printer: Printer) -> DataSet:
        """Return the attributes of its SOP instance (PS3.4 Table H.4-15)."""
        return DataSet(
            {
                "ExecutionStatus": self.status,
                "ExecutionStatusInfo": self.info,
                "PrintPriority": self.session.attributes.get("PrintPriority") or "MED",
                "CreationDate": f"{self.created:%Y%m%d}",
                "CreationTime": f"{self.created:%H%M%S}",
                "PrinterName": printer.name,
                "Originator": self.caller.calling_aet,
            }
        )


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """All that an association has made.

    Examples
    --------
    >>> Hierarchy().size
    0
    """

    session: FilmSession | None = None
    luts: Mapping[str, PresentationLut] = field(default_factory=dict)
    jobs: tuple[PrintJob, ...] = ()

    @property
    def films(self) -> tuple[FilmBox, ...]:
        """The film boxes of the session, in the order in which they were made."""
        return self.session.films if self.session is not None else ()

    @property
    def size(self) -> int:
        """Bytes of the images of its films."""
        return sum(film.size for film in self.films)

    def with_last_film(self, film: FilmBox) -> Hierarchy:
        """Put a changed film in place of the last one."""
        assert self.session is not None
        return replace(self, session=replace(self.session, films=(*self.films[:-1], film)))
