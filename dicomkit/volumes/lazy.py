"""A volume that reads a frame when it is asked for it: as an xarray array, and through it on dask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from dicomkit.sources import Bulk
from dicomkit.volumes.voxels import Voxels

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LazyVoxels(BackendArray):
    """An array whose slices are read when indexed; picklable, and without an open file."""

    def __init__(self, voxels: Voxels) -> None:
        self.voxels = voxels
        self.shape = voxels.shape
        self.dtype = voxels.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._take)

    def __dask_tokenize__(self) -> Any:
        v = self.voxels
        pairs = zip(v.natives, v.datasets, strict=True)
        values = [native[0] if native else ds and ds.get("SOPInstanceUID") for native, ds in pairs]
        found = [(value.source, value.offset) if isinstance(value, Bulk) else value for value in values]
        return type(self).__name__, v.shape, str(v.dtype), v.fill, v.cells, v.paths, v.tables, found

    def _take(self, key: tuple[Any, ...]) -> NDArray[Any]:
        """Read the part that one indexer per dimension selects."""
        v = self.voxels
        inner = len(v.slice_shape)
        grid = v.shape[: len(v.shape) - inner]
        outer, plane = key[: len(grid)], key[len(grid) :]
        picked = [np.atleast_1d(np.arange(n)[k]) for n, k in zip(grid, outer, strict=True)]
        cells = np.arange(len(v.cells)).reshape(grid)[np.ix_(*picked)]
        whole = all(isinstance(k, slice) and k == slice(None) for k in plane)
        if whole:
            out = np.empty((cells.size, *v.slice_shape), v.dtype)
            v.read_cells(cells.reshape(-1).tolist(), out)
            shape: tuple[int, ...] = v.slice_shape
        else:
            one = np.empty((1, *v.slice_shape), v.dtype)
            parts = []
            for cell in cells.reshape(-1).tolist():
                v.read_cells([cell], one)
                parts.append(_outer(one[0], plane).copy())
            shape = _outer(one[0], plane).shape if parts else _outer(np.empty(v.slice_shape), plane).shape
            out = np.array(parts, v.dtype).reshape(cells.size, *shape)
        kept = [len(p) for p, k in zip(picked, outer, strict=True) if not isinstance(k, (int, np.integer))]
        return out.reshape((*kept, *shape))


def _outer(array: NDArray[Any], key: tuple[Any, ...]) -> NDArray[Any]:
    """Index each axis on its own."""
    for axis in reversed(range(array.ndim)):
        array = array[(slice(None),) * axis + (key[axis],)]
    return array


def lazy_variable(voxels: Voxels) -> xr.Variable:
    """Make a variable over a volume that is not read yet, which prefers chunks of one frame."""
    dims = [f"dim_{k}" for k in range(len(voxels.shape))]
    return xr.Variable(dims, indexing.LazilyIndexedArray(LazyVoxels(voxels)))
