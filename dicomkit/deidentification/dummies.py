"""Dummy values: what stands where something was, and may not be empty (action D of PS3.15)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

TEXT = "REMOVED"

# By VR: consistent with it, and identifying nobody.
_BY_VR: Mapping[str, Any] = MappingProxyType(
    {
        **dict.fromkeys(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT"), TEXT),
        "AS": "000Y",
        "AT": 0,
        "DA": "19000101",
        "DT": "19000101000000",
        "TM": "000000",
        "DS": "0",
        "IS": "0",
        "UR": "https://removed.invalid",
        **dict.fromkeys(("US", "SS", "UL", "SL", "UV", "SV"), 0),
        **dict.fromkeys(("FL", "FD"), 0.0),
        "OB": bytes(2),
        "OW": bytes(2),
        "OL": bytes(4),
        "OF": bytes(4),
        "OD": bytes(8),
        "OV": bytes(8),
        "UN": bytes(2),
    }
)

_CODE = {"CodeValue": "261665006", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Unknown"}
_COMMENT = {"CodeValue": "121106", "CodingSchemeDesignator": "DCM", "CodeMeaning": "Comment"}
_CONTENT_ITEM = {
    "RelationshipType": "CONTAINS",
    "ValueType": "TEXT",
    "ConceptNameCodeSequence": [_COMMENT],
    "TextValue": TEXT,
}
# A content item in an item of its own sequence needs no relationship.
_CONCEPT = {"ValueType": "TEXT", "ConceptNameCodeSequence": [_COMMENT], "TextValue": TEXT}
_TEXT_OBJECT = {
    "AnchorPointAnnotationUnits": "PIXEL",
    "UnformattedTextValue": TEXT,
    "AnchorPoint": [1.0, 1.0],
    "AnchorPointVisibility": "N",
}

SEQUENCES: Mapping[int, dict[str, Any]] = MappingProxyType(
    {
        0x0040A730: _CONTENT_ITEM,
        0x00400555: _CONCEPT,
        0x00081072: {"PersonIdentificationCodeSequence": [_CODE], "InstitutionName": TEXT},
        0x00080082: _CODE,
        0x00401101: _CODE,
        0x0040B020: {"UnformattedTextValue": TEXT, "ReferencedWaveformChannels": [1, 0], "AnnotationGroupNumber": 1},
    }
)
"""The one item of a sequence that is replaced as a whole, by the tag of the sequence."""

TEXT_OBJECT = MappingProxyType(_TEXT_OBJECT)
"""What stands for the text and graphics of a graphic annotation (PS3.3 C.10.5)."""

_PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\ntrailer<</Root 1 0 R/Size 4>>\n%%EOF\n"
)
_DOCUMENTS: Mapping[str, bytes] = MappingProxyType(
    {
        "application/pdf": _PDF,
        "text/xml": b'<?xml version="1.0"?><removed/>',
        "application/xml": b'<?xml version="1.0"?><removed/>',
    }
)


def dummy(vr: str) -> Any:
    """Return the dummy value of a VR; for UI and SQ there is none.

    Examples
    --------
    >>> dummy("PN"), dummy("DT"), dummy("FD")
    ('REMOVED', '19000101000000', 0.0)
    """
    return _BY_VR[vr]


def blank_document(media_type: object) -> bytes:
    """Return a document without content in place of an encapsulated one, where its media type is known.

    Examples
    --------
    >>> blank_document("application/pdf")[:8], blank_document("model/stl")
    (b'%PDF-1.4', b'\\x00\\x00')
    """
    return _DOCUMENTS.get(str(media_type).strip().lower(), bytes(2))
