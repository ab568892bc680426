"""Find the sequences of which PS3.3 says, wherever they occur, that they hold a single item."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

from dicomkit.standard.attributes import attribute, tag_of

_SINGLE = re.compile(
    r"(?:only (?:a single|one) item|a single item (?:shall|may|is)|exactly one item|one and only one item|one item only"
    r"|shall (?:contain|have) (?:only )?(?:a single|one) item)(?! for each)",
    re.IGNORECASE,
)
# Since 2008 they may have more: for multi-energy CT (Supplement 188), and velocity encoding in several directions.
_LATER = frozenset(
    tag_of(keyword)
    for keyword in (
        *("CTAcquisitionDetailsSequence", "CTExposureSequence", "CTGeometrySequence", "CTXRayDetailsSequence"),
        *("CTReconstructionSequence", "CTPositionSequence", "IrradiationEventIdentificationSequence"),
        *("MRVelocityEncodingSequence", "CTDIPhantomTypeCodeSequence"),
    )
)


def single_items(folder: Path) -> list[str]:
    """Give their tags and keywords as lines of a table, by the text of PS3.3 2008."""
    said: dict[str, list[bool]] = defaultdict(list)
    for part in ElementTree.parse(folder / "gdcm_part3_2008.xml").getroot().iter():
        if part.tag in ("module", "macro"):
            for entry in part.iter("entry"):
                text = " ".join(" ".join(each.itertext()) for each in entry.iter("description"))
                said[f"{entry.get('group')}{entry.get('element')}".upper()].append(bool(_SINGLE.search(text)))
    rows = []
    for tag in sorted(tag for tag, each in said.items() if all(each) and re.fullmatch("[0-9A-F]{8}", tag)):
        known = attribute(int(tag, 16))
        if known is not None and known.vr == "SQ" and known.tag not in _LATER:
            rows.append(f"{tag}\t{known.keyword}")
    return rows
