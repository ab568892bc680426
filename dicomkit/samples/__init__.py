"""Synthetic but realistic images for notebooks, docs and tests: nobody's data, the same for the same seed.

CT and PET of one seed show the same chest in the same frame of reference; the radiograph is a projection of it.

Examples
--------
>>> from dicomkit import samples
>>> len(samples.ct_series(slices=4, size=32, seed=7))
4
"""

from __future__ import annotations

from dicomkit.samples.ct import ct_series
from dicomkit.samples.enhanced import enhanced_ct
from dicomkit.samples.mr import mr_series
from dicomkit.samples.pet import pet_series
from dicomkit.samples.radiograph import xray
from dicomkit.samples.series_files import write_series
from dicomkit.samples.ultrasound import ultrasound_cine

__all__ = ["ct_series", "enhanced_ct", "mr_series", "pet_series", "ultrasound_cine", "write_series", "xray"]
