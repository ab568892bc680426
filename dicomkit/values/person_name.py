"""Person names: up to three groups of five components each (PS3.5 6.2.1)."""

from __future__ import annotations

from typing import NamedTuple


class PersonNameGroup(NamedTuple):
    """One way to write a name: five components, each may be empty (PS3.5 6.2.1.1).

    Examples
    --------
    >>> str(PersonNameGroup("Adams", "John Robert Quincy", "", "Rev.", "B.A. M.Div."))
    'Adams^John Robert Quincy^^Rev.^B.A. M.Div.'
    """

    family_name: str = ""
    given_name: str = ""
    middle_name: str = ""
    name_prefix: str = ""
    name_suffix: str = ""

    @classmethod
    def of(cls, text: str) -> PersonNameGroup:
        """Split the text of one group; carets beyond the fourth stay in the suffix."""
        return cls(*(component.strip(" ") for component in text.split("^", 4)))

    def __str__(self) -> str:
        return "^".join(self).rstrip("^")

    def formatted(self) -> str:
        """Write the name as people do: prefix, given, middle and family name, then a comma and the suffix."""
        name = " ".join(filter(None, (self.name_prefix, self.given_name, self.middle_name, self.family_name)))
        return ", ".join(filter(None, (name, self.name_suffix)))


class PersonName(str):
    """A value of VR PN: the text as it was written, whose parts are read when asked for.

    Examples
    --------
    >>> name = PersonName("Yamada^Tarou=山田^太郎=やまだ^たろう")
    >>> name.family_name, name.ideographic.family_name, name.phonetic.given_name
    ('Yamada', '山田', 'たろう')
    >>> PersonName("Adams^John Robert Quincy^^Rev.^B.A. M.Div.").formatted()
    'Rev. John Robert Quincy Adams, B.A. M.Div.'
    >>> PersonName("Doe^Jane^^^").same_as("Doe^Jane")
    True
    """

    __slots__ = ()

    @classmethod
    def of(
        cls,
        family_name: str = "",
        given_name: str = "",
        middle_name: str = "",
        name_prefix: str = "",
        name_suffix: str = "",
        *,
        ideographic: PersonNameGroup | tuple[str, ...] | str = "",
        phonetic: PersonNameGroup | tuple[str, ...] | str = "",
    ) -> PersonName:
        """Make a name of its components.

        Parameters
        ----------
        family_name, given_name, middle_name, name_prefix, name_suffix
            The components of the alphabetic group.
        ideographic, phonetic
            The other groups: up to five components, or text with carets.

        Examples
        --------
        >>> PersonName.of("Wang", "XiaoDong", ideographic=("王", "小東"))
        PersonName('Wang^XiaoDong=王^小東')
        """
        groups = [str(PersonNameGroup(family_name, given_name, middle_name, name_prefix, name_suffix))]
        groups += [
            group if isinstance(group, str) else str(PersonNameGroup(*group)) for group in (ideographic, phonetic)
        ]
        return cls("=".join(groups).rstrip("="))

    @property
    def groups(self) -> tuple[PersonNameGroup, PersonNameGroup, PersonNameGroup]:
        """The alphabetic, ideographic and phonetic group; equals signs beyond the second stay in the last."""
        texts = [*self.split("=", 2), "", ""]
        return PersonNameGroup.of(texts[0]), PersonNameGroup.of(texts[1]), PersonNameGroup.of(texts[2])

    @property
    def alphabetic(self) -> PersonNameGroup:
        """The first group."""
        return self.groups[0]

    @property
    def ideographic(self) -> PersonNameGroup:
        """The second group."""
        return self.groups[1]

    @property
    def phonetic(self) -> PersonNameGroup:
        """The third group."""
        return self.groups[2]

    @property
    def family_name(self) -> str:
        """The family name of the alphabetic group; of an animal, its responsible party."""
        return self.alphabetic.family_name

    @property
    def given_name(self) -> str:
        """The given name of the alphabetic group; of an animal, its own name."""
        return self.alphabetic.given_name

    @property
    def middle_name(self) -> str:
        """The middle name of the alphabetic group."""
        return self.alphabetic.middle_name

    @property
    def name_prefix(self) -> str:
        """The prefix of the alphabetic group."""
        return self.alphabetic.name_prefix

    @property
    def name_suffix(self) -> str:
        """The suffix of the alphabetic group."""
        return self.alphabetic.name_suffix

    def formatted(self) -> str:
        """Write the first group that is not empty as people do."""
        return next(filter(None, (group.formatted() for group in self.groups)), "")

    def same_as(self, other: str) -> bool:
        """Whether two names have the same components: empty ones at the end, and padding, don't count."""
        return self.groups == PersonName(other).groups

    def __repr__(self) -> str:
        return f"PersonName({str.__repr__(self)})"
