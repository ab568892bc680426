"""The elements of each message, against a reading of the standard of its own and against pynetdicom's."""

import json

import pytest
from realdata import STANDARD, needs_standard

from dicomkit.standard.attributes import attribute
from dicomkit.standard.dimse_commands import command_field, command_name, dimse_command, dimse_commands


@needs_standard
def test_elements_are_those_of_the_tables_of_ps3_7():
    tables = json.loads((STANDARD / "ps3.07_tables_2025e.json").read_text(encoding="utf-8"))
    messages = [table for table in tables if str(table["title"]).endswith("Message Fields")]
    assert len(messages) == 25
    for table in messages:
        name = table["title"].removesuffix(" Message Fields")
        command = dimse_command("C-CANCEL-RQ" if "CANCEL" in name else name)
        tags = [int(row[1][1:5] + row[1][6:10], 16) for row in table["rows"] if row[1] != "(no tag)"]
        assert [element.tag for element in command.elements] == tags, name
        data_sets = [row[0].replace(" ", "") for row in table["rows"] if row[1] == "(no tag)"]
        assert [command.data_set] == (data_sets or [""]), name
        for row, element in zip(table["rows"], command.elements, strict=False):
            assert f"{command.field:04X}H" in row[4] or element.keyword != "CommandField"


@needs_standard
def test_requirements_are_those_of_the_service_parameters():
    tables = json.loads((STANDARD / "ps3.07_tables_2025e.json").read_text(encoding="utf-8"))
    checked = 0
    for table in tables:
        if not str(table["title"]).endswith(" Parameters") or not str(table["label"]).startswith(("9.1", "10.1")):
            continue
        service = table["title"].removesuffix(" Parameters")
        for column, suffix in ((1, "RQ"), (2, "RSP")):
            command = dimse_command(f"{service}-{suffix}")
            requirements = {element.keyword: element.requirement for element in command.elements}
            requirements[command.data_set] = command.data_set_requirement
            for row in table["rows"]:
                keyword = row[0].replace(" ", "").replace("ofR", "OfR").replace("ofC", "OfC")
                keyword = keyword.replace("ofF", "OfF").replace("ofW", "OfW").replace("Sub-operations", "Suboperations")
                if keyword in requirements:
                    assert requirements[keyword] == row[column].removesuffix("(=)"), (command.name, keyword)
                    checked += 1
                else:
                    # Responses don't carry a Message ID, whatever the table of parameters says.
                    assert row[column] == "-" or keyword == "MessageID", (command.name, keyword)
    assert checked == 105


def test_elements_agree_with_pynetdicom():
    messages = pytest.importorskip("pynetdicom.dimse_messages")
    extra = {"OffendingElement", "ErrorComment", "ErrorID", "AttributeIdentifierList"}  # what comes with a failure
    for name, keywords in messages._COMMAND_SET_KEYWORDS.items():
        command = dimse_command(name)
        ours = {element.keyword for element in command.elements}
        assert ours <= set(keywords), name
        assert set(keywords) - ours <= extra, name
        assert messages._MESSAGE_TYPES[command.field][0] == name


def test_all_keywords_are_in_the_dictionary():
    for command in dimse_commands():
        for element in command.elements:
            assert attribute(element.tag).keyword == element.keyword
            assert element.requirement in ("M", "C", "U")


def test_names_and_fields_go_both_ways():
    assert len(dimse_commands()) == 23
    for command in dimse_commands():
        assert command_name(command_field(command.name)) == command.name
        response = command.name.endswith("-RSP")
        assert bool(command.field & 0x8000) == response
        if response:
            request = dimse_command(command.service + "-RQ")
            assert command.field == request.field | 0x8000
    assert command_name(0x0002) is command_name(None) is dimse_command("C-STORE") is None
