"""The SOP classes of storage, the usual ones first, and the compressed transfer syntaxes that images come in."""

from __future__ import annotations

from functools import cache

from dicomkit.standard.uids import Uid, uid_entry, uids_of_type
from dicomkit.values.uid import DICOM_ROOT

_ROOT = "1.2.840.10008.5.1.4."
_NO_STORAGE = ("1.2.840.10008.1.3.10",)
_RARE = tuple(
    _ROOT + part
    for part in (
        *("1.1.77.1.5.", "1.1.78.", "1.1.79.", "1.1.80.", "1.1.81.", "1.1.82."),  # ophthalmology
        *("1.1.481.1", "1.1.481.2", "1.1.200.", "34.", "38.", "39.", "4"),  # radiotherapy, protocols, implants
        *("1.1.501.", "1.1.601.", "1.1.602."),  # security and testing of materials
        *("1.1.9.3.", "1.1.9.4.", "1.1.9.5.", "1.1.9.6.", "1.1.9.7.", "1.1.9.8."),  # waveforms beside the ECG
        *("1.1.104.3", "1.1.104.4", "1.1.104.5", "1.1.131", "1.1.201.", "1.1.88.7"),  # models, displays, inventories
    )
)
_USUAL = (_ROOT + "1.1.481.1", _ROOT + "1.1.481.2", _ROOT + "1.1.77.1.5.1", _ROOT + "1.1.77.1.5.4")
COMPRESSED = (
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.4.202",
    "1.2.840.10008.1.2.4.203",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.110",
    "1.2.840.10008.1.2.4.111",
    "1.2.840.10008.1.2.4.112",
    "1.2.840.10008.1.2.4.100",
    "1.2.840.10008.1.2.4.102",
    "1.2.840.10008.1.2.4.107",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
)
"""Beside the native syntaxes, in the order in which they are taken; those without loss first."""


def storage_sop_classes(count: int | None = None) -> list[str]:
    """List the storage SOP classes of PS3.6 that aren't retired, those of rare objects last.

    Parameters
    ----------
    count
        How many at most.

    Examples
    --------
    >>> "1.2.840.10008.5.1.4.1.1.2" in storage_sop_classes(126), len(storage_sop_classes(126))
    (True, 126)
    """
    return list(_ordered()[:count])


def is_storage(uid: str) -> bool:
    """Tell whether a SOP class may be one of storage: PS3.6 has it as one, retired or not, or doesn't know it.

    Examples
    --------
    >>> is_storage("1.2.840.10008.5.1.4.1.1.2"), is_storage("1.2.840.10008.1.1"), is_storage("1.3.46.670589.2.3.1.1")
    (True, False, True)
    """
    entry = uid_entry(uid)
    return _names_storage(entry) if entry is not None else not uid.startswith(DICOM_ROOT)


@cache
def _ordered() -> tuple[str, ...]:
    found = (entry for entry in uids_of_type("SOP Class") if _names_storage(entry) and not entry.retired)
    return tuple(entry.uid for entry in sorted(found, key=lambda entry: _is_rare(entry.uid)))


def _is_rare(uid: str) -> bool:
    return uid.startswith(_RARE) and uid not in _USUAL


def _names_storage(entry: Uid) -> bool:
    name = entry.name.removesuffix(" (Retired)")
    return (
        entry.type == "SOP Class"
        and entry.uid not in _NO_STORAGE
        and (name.endswith("Storage") or "Storage - " in name)
    )
