"""Several volumes with what makes none, and tables of series."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dicomkit.volumes.facts import FrameFacts
from dicomkit.volumes.gather import Gathered

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


@dataclass(frozen=True, slots=True, repr=False)
class Volumes(Mapping[str, "xr.DataArray"]):
    """Volumes by SeriesInstanceUID, and a table of the series that make none, with the reason."""

    _volumes: dict[str, xr.DataArray]
    rejected: pd.DataFrame = field(compare=False)

    def __getitem__(self, uid: str) -> xr.DataArray:
        return self._volumes[uid]

    def __iter__(self) -> Iterator[str]:
        return iter(self._volumes)

    def __len__(self) -> int:
        return len(self._volumes)

    def __repr__(self) -> str:
        return f"<Volumes: {len(self)} series, {len(self.rejected)} rejected>"

    def _repr_html_(self) -> str:
        from dicomkit.display.html import stack as below
        from dicomkit.display.html import table

        rows = [
            (
                uid,
                v.attrs.get("Modality"),
                v.attrs.get("SeriesDescription"),
                " × ".join(f"{n} {d}" for d, n in v.sizes.items()),
                str(v.dtype),
                v.attrs.get("units"),
            )
            for uid, v in self.items()
        ]
        made = table(
            ["SeriesInstanceUID", "Modality", "Description", "Size", "Type", "Units"], rows, caption=repr(self)[1:-1]
        )
        if not len(self.rejected):
            return made
        left = table(
            list(self.rejected.columns), self.rejected.itertuples(index=False), caption="no volumes", max_chars=400
        )
        return below(made, left)


def series_table(facts: FrameFacts, series: Mapping[str, Any]) -> pd.DataFrame:
    """List series, one row each."""
    import pandas as pd

    rows = []
    for uid, members in series.items():
        ds = facts.sources[int(facts.source[members[0]])]
        rows.append((uid, ds.get("SeriesDescription"), ds.get("Modality"), len(members)))
    return pd.DataFrame(rows, columns=["SeriesInstanceUID", "SeriesDescription", "Modality", "frames"])


def series_text(table: pd.DataFrame, most: int = 6) -> str:
    """Write a table of series as the end of a sentence."""
    told = []
    for uid, description, modality, frames in table.head(most).itertuples(index=False):
        what = ", ".join(str(part) for part in (modality, description) if isinstance(part, str) and part)
        told.append(f"{uid or 'none'} ({what + ', ' if what else ''}{frames} frame{'' if frames == 1 else 's'})")
    more = f" and {len(table) - most} more" if len(table) > most else ""
    return "; ".join(told) + more


def rejected_table(rejected: Iterable[tuple[str, Any, int, str]], found: Gathered) -> pd.DataFrame:
    """List what makes no volume: (SeriesInstanceUID, an image of it, frames, reason), and unreadable files."""
    import pandas as pd

    rows: list[tuple[Any, ...]] = [
        (uid, ds.get("SeriesDescription"), ds.get("Modality"), frames, reason, ds.path)
        for uid, ds, frames, reason in rejected
    ]
    rows += [(None, None, None, 0, reason, path) for path, reason in found.unreadable]
    return pd.DataFrame(
        rows, columns=["SeriesInstanceUID", "SeriesDescription", "Modality", "frames", "reason", "path"]
    )


def left_out(found: Gathered) -> pd.DataFrame:
    """List what was found and is no image."""
    return rejected_table([(str(ds.get("SeriesInstanceUID") or ""), ds, 1, "no image") for ds in found.others], found)
