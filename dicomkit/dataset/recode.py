"""A data set in another character set."""

from __future__ import annotations

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.edit import DROP, Drop
from dicomkit.dataset.element import Element
from dicomkit.errors import ValueFormatError
from dicomkit.values.charset import Charset
from dicomkit.values.encode import encode_value
from dicomkit.values.tag import Tag
from dicomkit.values.vr import VRS


def with_charset(ds: DataSet, specific_character_set: str | tuple[str, ...]) -> DataSet:
    """Return the same texts in another character set, items of sequences included (PS3.3 C.12.1.1.2).

    Parameters
    ----------
    specific_character_set
        Its defined term, such as ``"ISO_IR 192"`` (UTF-8), or several for code extensions.

    Raises
    ------
    ValueFormatError
        When a text holds a character that the set does not have; names the tag and the character. When it is none
        of the defined terms.

    Examples
    --------
    >>> latin = DataSet(SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Jörg")
    >>> with_charset(latin, "ISO_IR 192").SpecificCharacterSet
    'ISO_IR 192'
    """
    charset = Charset.of(specific_character_set)
    if charset.problems:
        hint = "such as 'ISO_IR 192' for UTF-8 (PS3.3 C.12.1.1.2)"
        raise ValueFormatError(charset.problems[0], tag=Tag.of("SpecificCharacterSet"), hint=hint)

    def recode(element: Element) -> Element | Drop:
        if element.keyword == "SpecificCharacterSet":
            return DROP
        if not VRS[element.vr].charset or element.value is None:
            return element
        try:
            encode_value(element.vr, element.value, charset=charset, strict=False)
        except ValueFormatError as error:
            raise ValueFormatError(error.message, tag=element.tag, hint=error.hint) from None
        return Element(element.tag, element.vr, element.value)

    return ds.map(recode).assign(SpecificCharacterSet=specific_character_set)
