"""Statuses: the general ones, those of services, ranges, and what nobody knows; pynetdicom agrees on categories."""

import csv
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realdata import STANDARD, needs_standard

from dicomkit.standard.statuses import Status, services, status, statuses


@needs_standard
def test_every_code_of_the_extracted_tables_is_there():
    known = {code for service in ("", *services()) for code, _ in statuses(service)}
    with (STANDARD / "status_codes.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for code in re.findall(r"[0-9A-F]{4}|[AC][79]?xxx?", row["codes"]):
                assert code in known | {"A710", "CFFF"}, row


@pytest.mark.parametrize(
    ("code", "service", "category", "meaning", "nature"),
    [
        (0x0000, "", "Success", "Success", ""),
        (0x0000, "C-STORE", "Success", "Success", ""),
        (0xA700, "C-STORE", "Failure", "Refused: Out of Resources", "transient"),
        (0xA7AB, "C-STORE", "Failure", "Refused: Out of Resources", "transient"),
        (0xA701, "C-MOVE", "Failure", "Refused: Out of Resources - Unable to calculate number of matches", "transient"),
        (0xA801, "C-MOVE", "Failure", "Refused: Move Destination unknown", "configuration"),
        (0xC123, "C-STORE", "Failure", "Error: Cannot understand", "permanent"),
        (0xC123, "C-FIND", "Failure", "Unable to process", ""),
        (0xB000, "C-STORE", "Warning", "Coercion of Data Elements", ""),
        (0xB000, "C-MOVE", "Warning", "Sub-operations Complete - One or more Failures", ""),
        (0xFE00, "C-FIND", "Cancel", "Matching terminated due to Cancel request", ""),
        (0xFF00, "C-GET", "Pending", "Sub-operations are continuing", ""),
        (0xFF01, "", "Pending", "not assigned by the standard", ""),
        (0x0124, "C-FIND", "Failure", "Refused: Not authorized", "security"),
        (0x0122, "C-STORE", "Failure", "Refused: SOP Class not supported", "configuration"),
        (0x0213, "N-CREATE", "Failure", "Resource limitation", "transient"),
        (0xC302, "UPS N-ACTION", "Failure", "Refused: The UPS is already IN PROGRESS", "permanent"),
        (0x0131, "Storage Commitment", "Failure", "Duplicate transaction UID", "permanent"),
        (0xB604, "Basic Film Box N-ACTION", "Warning", None, ""),
        (0x0199, "", "Failure", "not assigned by the standard", ""),
        (0xB999, "C-STORE", "Warning", "not assigned by the standard", ""),
        (0x7777, "C-STORE", "Failure", "unknown status", ""),
    ],
)
def test_look_up(code, service, category, meaning, nature):
    found = status(code, service)
    assert (found.code, found.category, found.nature) == (code, category, nature)
    assert meaning is None or found.meaning == meaning


def test_the_operation_stands_in_for_a_service_class():
    assert status(0xA801, "Something Else C-MOVE").meaning == "Refused: Move Destination unknown"
    assert status(0xA801, "Something Else C-MOVE").service == "C-MOVE"


def test_no_meaning_is_empty_or_holds_what_is_no_meaning():
    for service in ("", *services()):
        for code, entry in statuses(service):
            assert re.search("[A-Za-z]{4}", entry.meaning), (service, code)
            assert not re.search(r"\(0000,|xxx|\|", entry.meaning), (service, code)
            assert entry.nature == "" or entry.category == "Failure"


@given(st.integers(0, 0xFFFF), st.sampled_from(["", *services(), "nonsense"]))
def test_every_code_has_a_status(code, service):
    found = status(code, service)
    assert isinstance(found, Status)
    assert found.code == code
    if code >> 12 in (0xA, 0xC):
        assert found.category == "Failure"
    if code >> 12 == 0xB:
        assert found.category == "Warning"


def test_categories_agree_with_pynetdicom():
    known = pytest.importorskip("pynetdicom.status")
    tables = {
        "C-STORE": known.STORAGE_SERVICE_CLASS_STATUS,
        "C-FIND": known.QR_FIND_SERVICE_CLASS_STATUS,
        "C-MOVE": known.QR_MOVE_SERVICE_CLASS_STATUS,
        "C-GET": known.QR_GET_SERVICE_CLASS_STATUS,
        "MPPS N-SET": known.PROCEDURE_STEP_STATUS,
        "Worklist C-FIND": known.MODALITY_WORKLIST_SERVICE_CLASS_STATUS,
        "Media Creation N-ACTION": known.MEDIA_CREATION_MANAGEMENT_SERVICE_CLASS_STATUS,
        "Relevant Patient Information C-FIND": known.RELEVANT_PATIENT_SERVICE_CLASS_STATUS,
        "UPS N-ACTION": known.UNIFIED_PROCEDURE_STEP_SERVICE_CLASS_STATUS,
        "": known.GENERAL_STATUS,
    }
    different = {
        (service, hex(code))
        for service, table in tables.items()
        for code, (category, *_) in table.items()
        if status(code, service).category != category
    }
    assert different == set()
