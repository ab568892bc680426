"""Private elements: all go but the safe ones, where the option is taken, and overridden ones (PS3.15 E.3.10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dicomkit.deidentification.job import Job
from dicomkit.deidentification.rules import Rule
from dicomkit.standard.confidentiality import is_safe_private
from dicomkit.values.tag import Tag

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

_REMOVED = Rule("X", "basic profile: private attributes")
_CHARACTERISTICS = 0x00080300
_ACTIONS = {"D": "D", "Z": "Z", "X": "X", "K": "K", "C": "C", "U": "U"}


def private_rules(ds: DataSet, job: Job, place: tuple[int, ...]) -> Mapping[Tag, Rule]:
    """Return the rule for each private element of a data set; the creators of kept ones are kept."""
    tags = [tag for tag in ds if tag & 0x10000]
    rules = dict.fromkeys(tags, _REMOVED)
    if not job.rules.keeps_private:
        return rules
    safe = job.rules.profile.retain_safe_private
    stated = _stated(ds) if safe else {}
    for tag in tags:
        if tag.element < 0x1000:
            continue
        creator = ds.private_creator(tag)
        if creator is None:
            continue
        found = job.rules.of_private(tag, creator, place)
        if found is None and safe:
            found = _safe(tag, creator, stated)
        if found is not None:
            rules[tag] = found
            if found.action != "X":
                rules[Tag(tag & 0xFFFF0000 | tag >> 8 & 0xFF)] = Rule("K", "reserves a block that is kept")
    return rules


def _safe(tag: Tag, creator: str, stated: Mapping[tuple[int, str], Mapping[int, str] | None]) -> Rule | None:
    """The rule that the standard, or the data set itself, gives."""
    if is_safe_private(creator, tag):
        return Rule("K", "option retain_safe_private: table E.3.10-1")
    if (tag.group, creator.strip()) in stated:
        elements = stated[tag.group, creator.strip()]
        action = "K" if elements is None else elements.get(tag & 0xFF)
        if action:
            return Rule(action, "option retain_safe_private: Private Data Element Characteristics")
    return None


def _stated(ds: DataSet) -> dict[tuple[int, str], Mapping[int, str] | None]:
    """What a data set says of its own private blocks (PS3.3 C.12.1): action by element; None: all of it is safe."""
    found: dict[tuple[int, str], Mapping[int, str] | None] = {}
    for item in ds.all(_CHARACTERISTICS):
        group, creator = item.get("PrivateGroupReference"), item.get("PrivateCreatorReference")
        if not isinstance(group, int) or not isinstance(creator, str):
            continue
        if item.get("BlockIdentifyingInformationStatus") == "SAFE":
            found[group, creator.strip()] = None
            continue
        actions = {element & 0xFF: "K" for element in item.all("NonidentifyingPrivateElements")}
        for entry in item.all("DeidentificationActionSequence"):
            action = _ACTIONS.get(str(entry.get("DeidentificationAction")))
            if action:
                actions.update((element & 0xFF, action) for element in entry.all("IdentifyingPrivateElements"))
        found[group, creator.strip()] = actions
    return found
