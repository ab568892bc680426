"""A profile says what is removed, replaced, kept and cleaned: the basic one of PS3.15 E.2, options, and overrides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from dicomkit.errors import ValueFormatError
from dicomkit.standard.confidentiality import Method, method
from dicomkit.values.tag import Tag

if TYPE_CHECKING:
    from dicomkit.dataset.element import Element
    from dicomkit.deidentification.identifiers import Identifiers
    from dicomkit.deidentification.redaction import Redaction

ACTIONS = ("X", "Z", "D", "K", "C", "U")
"""Remove, empty, replace by a dummy, keep, clean, replace a UID (PS3.15 table E.1-1a)."""

TextCleaner: TypeAlias = "Callable[[str, Identifiers], str]"
"""Takes a text and what is known to identify, and gives the text without it."""


@dataclass(frozen=True, slots=True)
class Replace:
    """An override that sets a fixed value.

    Examples
    --------
    >>> BASIC_PROFILE.with_overrides({"ClinicalTrialProtocolID": Replace("TRIAL-7")}).overrides[0].action
    Replace(value='TRIAL-7')
    """

    value: Any


Action: TypeAlias = "str | Replace | Callable[[Element], Any]"


@dataclass(frozen=True, slots=True)
class Override:
    """What the user wants done with one attribute, whatever the standard says.

    Attributes
    ----------
    path
        Tags from the outermost sequence to the attribute; of one tag alone, it holds at every level.
    creator
        Of a private attribute, whose tag then has block 00.
    """

    path: tuple[int, ...]
    action: Action
    creator: str | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """The basic profile with options (PS3.15 E.2, E.3). Make one with ``BASIC_PROFILE.with_options``.

    Parameters
    ----------
    retain_safe_private : bool
        Keep private attributes that are known to be safe (E.3.10).
    retain_uids, retain_device_identity, retain_institution_identity, retain_patient_characteristics : bool
        E.3.9, E.3.8, E.3.11, E.3.7.
    retain_dates : {"full", "modified"} or None
        Keep dates and times, or shift them by a number of days that the key and the patient decide (E.3.6).
    clean_descriptors : bool or callable
        Keep descriptions and comments without what identifies (E.3.5). A callable takes the text and the
        ``Identifiers``, and returns the text to keep.
    clean_structured_content : bool
        Keep SR content, acquisition context and specimen preparation, item by item (E.3.4).
    clean_graphics : bool
        Keep graphic annotations, overlays and curves without text that identifies (E.3.3).
    clean_pixel_data : bool, Redaction or several of them
        Blank what is burned into pixels (E.3.1): by these rules, or with True outside the ultrasound regions.
    clean_recognizable_visual_features : callable or None
        Takes a frame (rows, columns[, samples]) and its data set, and returns the frame to keep (E.3.2).
    pseudonyms : bool
        Replace patient's name, patient ID, accession number and study ID by codes that follow from the key; without,
        they are emptied, or replaced by one dummy for all where they can't be empty.
    sweep : bool
        Search what remains for what was removed, and remove it there too.
    overrides : tuple of Override
        Come first. Make them with ``with_overrides``.

    Examples
    --------
    >>> BASIC_PROFILE.with_options(retain_dates="modified", clean_descriptors=True).methods[1].value
    '113105'
    """

    retain_safe_private: bool = False
    retain_uids: bool = False
    retain_device_identity: bool = False
    retain_institution_identity: bool = False
    retain_patient_characteristics: bool = False
    retain_dates: Literal["full", "modified"] | None = None
    clean_descriptors: bool | TextCleaner = False
    clean_structured_content: bool = False
    clean_graphics: bool = False
    clean_pixel_data: bool | Redaction | tuple[Redaction, ...] = False
    clean_recognizable_visual_features: Callable[..., Any] | None = None
    pseudonyms: bool = True
    sweep: bool = True
    overrides: tuple[Override, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.retain_dates not in (None, "full", "modified"):
            raise ValueFormatError(f"retain_dates={self.retain_dates!r}", hint='give "full", "modified" or None')
        if isinstance(self.clean_pixel_data, list):
            object.__setattr__(self, "clean_pixel_data", tuple(self.clean_pixel_data))

    def with_options(self, *names: str, **options: Any) -> Profile:
        """Return a profile with more options taken: names of those that are on or off, and values of others.

        Raises
        ------
        ValueFormatError
            When there is no such option.

        Examples
        --------
        >>> profile = BASIC_PROFILE.with_options("retain_uids", "clean_graphics", retain_dates="full")
        >>> profile.retain_uids, profile.clean_graphics, profile.retain_dates
        (True, True, 'full')
        """
        chosen = {**dict.fromkeys(names, True), **options}
        known = [entry.name for entry in fields(self) if entry.name != "overrides"]
        if unknown := sorted(set(chosen) - set(known)):
            raise ValueFormatError(f"{', '.join(unknown)}: no such option", hint=f"the options are {', '.join(known)}")
        return replace(self, **chosen)

    def with_overrides(self, actions: Mapping[Any, Action]) -> Profile:
        """Return a profile that treats some attributes differently.

        Parameters
        ----------
        actions
            By tag or keyword (at every level), by path (``("RequestAttributesSequence", "AccessionNumber")``; numbers
            of items are ignored: all are meant), or by private creator with group and element
            (``("ACME 1.1", 0x0009, 0x01)``; without group, in any). An action is one of ``X Z D K C U``, a `Replace`,
            or a function that takes the Element and returns what ``DataSet.map`` takes.

        Raises
        ------
        ValueFormatError
            When an attribute or an action is none.

        Examples
        --------
        >>> profile = BASIC_PROFILE.with_overrides({"StudyDescription": "K", ("ACME 1.1", 0x01): "K"})
        >>> [override.creator for override in profile.overrides]
        [None, 'ACME 1.1']
        """
        made = tuple(_override(where, action) for where, action in actions.items())
        replaced = {(override.path, override.creator) for override in made}
        kept = tuple(old for old in self.overrides if (old.path, old.creator) not in replaced)
        return replace(self, overrides=kept + made)

    @property
    def options(self) -> frozenset[str]:
        """The names that table E.1-1 and CID 7050 have for the options that are taken."""
        taken = {
            name
            for name in (entry.name for entry in fields(self))
            if name.startswith(("retain_", "clean_")) and name != "retain_dates" and getattr(self, name)
        }
        return frozenset(taken | ({f"retain_{self.retain_dates}_dates"} if self.retain_dates else set()))

    @property
    def methods(self) -> tuple[Method, ...]:
        """The codes of the profile and of the options taken, in the order of CID 7050."""
        return tuple(sorted(map(method, ("basic", *self.options)), key=lambda code: code.value))

    @property
    def callables(self) -> tuple[Any, ...]:
        """The functions that the user has put in."""
        given = (self.clean_descriptors, self.clean_recognizable_visual_features, *(o.action for o in self.overrides))
        return tuple(value for value in given if callable(value))


def _override(where: Any, action: Action) -> Override:
    """Read one entry of what ``with_overrides`` takes."""
    if not (action in ACTIONS if isinstance(action, str) else isinstance(action, Replace) or callable(action)):
        raise ValueFormatError(
            f"{action!r} is no action", hint=f"give one of {' '.join(ACTIONS)}, Replace or a function"
        )
    if isinstance(where, tuple) and isinstance(where[0], str) and all(isinstance(part, int) for part in where[1:]):
        creator, *numbers = where
        if len(numbers) not in (1, 2):
            raise ValueFormatError(f"{where!r} names no private attribute", hint="give (creator, group, element)")
        group = numbers[0] if len(numbers) == 2 else 0
        return Override((group << 16 | numbers[-1] & 0xFF,), action, creator.strip())
    if isinstance(where, tuple) and not all(isinstance(part, int) for part in where):
        return Override(tuple(int(Tag.of(part)) for part in _tags_of(where)), action)
    return Override((int(Tag.of(where)),), action)


def _tags_of(path: Iterable[Any]) -> Iterable[Any]:
    """The tags of a path, without the numbers of items, which are small."""
    return (part for part in path if not isinstance(part, int) or part > 0xFFFF)


BASIC_PROFILE = Profile()
"""The Basic Application Level Confidentiality Profile (PS3.15 E.2), without any option."""
