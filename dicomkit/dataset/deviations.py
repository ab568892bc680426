"""What is against PS3.5 in an index, though it can be read as it is: the order of tags, duplicates, odd lengths."""

from __future__ import annotations

from collections.abc import Iterator

from dicomkit.dataset.index import ITEM, UNDEFINED_LENGTH, Index, to_word
from dicomkit.dataset.repairs import Repair
from dicomkit.values.tag import Tag

MOST_DEVIATIONS = 1000


def deviations(index: Index) -> tuple[Repair, ...]:
    """List the repairs of the scanner and what deviates besides, in the order of offsets."""
    found = []
    for tag, offset, problem, assumed in _deviations(index):
        found.append(Repair(Tag(tag), offset, problem, assumed))
        if len(found) == MOST_DEVIATIONS:
            found.append(Repair(None, offset, f"more than {MOST_DEVIATIONS} deviations", "no longer listed"))
            break
    return tuple(sorted((*index.repairs, *found), key=lambda repair: repair.offset))


def _deviations(index: Index) -> Iterator[tuple[int, int, str, str]]:
    """Walk all records, with the last tag, the tags and the end of each level that is open."""
    rows = index.rows
    cut = {repair.offset for repair in index.repairs}
    last, seen = -1, set[int]()
    levels = [(1 << 63, last, seen)]
    for at in range(0, len(rows), 4):
        word, kind, length, offset = rows[at : at + 4]
        while offset > levels[-1][0]:
            _, last, seen = levels.pop()
        tag = to_word(word)
        if length & 1 and not kind & UNDEFINED_LENGTH and offset not in cut:
            yield tag, offset, f"a length of {length} is odd (PS3.5 7.1.1)", "read as it is"
        if word == ITEM:
            levels.append((offset + length, last, seen))
            last, seen = -1, set()
        else:
            if tag in seen:
                yield tag, offset, "the element is there twice", "the later one counts"
            elif tag < last:
                yield tag, offset, f"the element comes after {Tag(last)} (PS3.5 7.1: tags ascend)", "put in its place"
            seen.add(tag)
            last = tag
