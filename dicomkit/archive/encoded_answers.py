"""Answers to the plainest searches, cut from cards as they are encoded: nothing is decoded or matched again."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from dicomkit.archive.answers import COMPUTED, answering, wanted_keywords
from dicomkit.dataset.dataset import DataSet
from dicomkit.encoding.writer import to_bytes
from dicomkit.files.read import read
from dicomkit.query import Query
from dicomkit.standard.attributes import tag_of
from dicomkit.values.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN

_DECIDED = frozenset(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"))
_LONG_VRS = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_header = struct.Struct("<HH2sH").unpack_from
_CHARACTER_SET = 0x00080005
_UNDEFINED = 0xFFFFFFFF


def encoded_answering(query: Query, constants: Mapping[str, str]) -> Callable[[bytes], bytes] | None:
    """Make what turns the attributes of a card into an answer, both in Explicit VR Little Endian.

    Parameters
    ----------
    constants
        What every answer holds beside that.

    Returns
    -------
    callable or None
        None where the columns of an index don't decide what matches: on levels above that of instances, for keys other
        than UIDs, and where something has to be computed.

    Examples
    --------
    >>> from dicomkit.query import query
    >>> answer = encoded_answering(query("image", StudyInstanceUID="1.2", return_keys=["Modality"]), {})
    >>> card = DataSet(Modality="CT", PatientID="A", StudyInstanceUID="1.2", SOPInstanceUID="1.3")
    >>> found = read(answer(to_bytes(card)), transfer_syntax="ExplicitVRLittleEndian")
    >>> found.Modality, found.QueryRetrieveLevel, "PatientID" in found
    ('CT', 'IMAGE', False)
    """
    keywords = wanted_keywords(query)
    if (
        query.level != "IMAGE"
        or COMPUTED & set(keywords)
        or any(key and name not in _DECIDED for name, key in query.keys)
    ):
        return None
    constant = {"QueryRetrieveLevel": "IMAGE", **constants}
    parts = {tag_of(name) or 0: to_bytes(DataSet({name: constant.get(name)})) for name in (*keywords, *constant)}
    parts[_CHARACTER_SET] = b""
    ordered = sorted(parts)
    empty = [parts[tag] for tag in ordered]
    places = {tag: place for place, tag in enumerate(ordered) if tag not in {tag_of(name) for name in constant}}
    last = max(places)

    in_general = answering(query)

    def with_care(card: bytes) -> bytes:
        found = in_general(read(card, transfer_syntax=EXPLICIT_VR_LITTLE_ENDIAN), {}) or DataSet()
        return to_bytes(found.assign(dict(constants)))

    def answer(card: bytes) -> bytes:
        answers = empty.copy()
        position, end = 0, len(card)
        while position < end:
            group, element, vr, length = _header(card, position)
            tag = group << 16 | element
            if tag > last:
                break
            start = position
            position += 8 + length
            if vr in _LONG_VRS:
                length = int.from_bytes(card[start + 8 : start + 12], "little")
                if length == _UNDEFINED:
                    return with_care(card)
                position = start + 12 + length
            place = places.get(tag)
            if place is not None:
                answers[place] = card[start:position]
        return b"".join(answers)

    return answer
