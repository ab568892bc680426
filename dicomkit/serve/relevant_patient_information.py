"""Answering what is known of a patient (PS3.4 Annex Q)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import NamedTuple, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.dimse.find_provider import FindRequest, finding
from dicomkit.dimse.normalized_provider import Service
from dicomkit.dimse.patient_information import MODELS
from dicomkit.dimse.provider import Caller, Refused

_NOT_THE_MODEL, _MORE_THAN_ONE, _NO_SUCH_TEMPLATE = 0xA900, 0xC100, 0xC200
_KINDS = {model.sop_class_uid: kind for kind, model in MODELS.items()}
Known: TypeAlias = "DataSet | Iterable[DataSet] | None"


class PatientInformationRequest(NamedTuple):
    """What a peer asks for.

    Attributes
    ----------
    kind
        ``"general"``, ``"breast"`` or ``"cardiac"``.
    patient_id, issuer
        Of the one patient.
    template
        The template of PS3.16 that the answer has to have.
    caller
        Who asks.
    identifier
        All that was asked.
    """

    kind: str
    patient_id: str
    issuer: str
    template: str
    caller: Caller
    identifier: DataSet


def patient_information(
    find: Callable[[PatientInformationRequest], Known], *, templates: Iterable[str] = ()
) -> Service:
    """Make the service of relevant patient information, for `serve_dimse` and others.

    Parameters
    ----------
    find
        Gives what is known of the patient: patient, ObservationDateTime, ValueType, ConceptNameCodeSequence and
        ContentSequence; None where nothing is. More than one match is answered as the failure that it is. `Refused`
        with the status C200 says that there is no answer in a template.
    templates
        Of the general kind, beside 9007.

    Examples
    --------
    >>> import dicomkit as dk
    >>> from dicomkit.dimse.sync import find_patient_information
    >>> known = dk.DataSet(PatientID="A", PatientName="DOE^JANE", ValueType="CONTAINER")
    >>> service = patient_information(lambda asked: known if asked.patient_id == "A" else None)
    >>> with dk.serve_dimse(None, port=0, services=[service]) as server:
    ...     find_patient_information(server.peer(), "A").PatientName
    PersonName('DOE^JANE')
    """
    others = frozenset(templates)

    def search(identifier: DataSet, request: FindRequest) -> Iterable[DataSet]:
        asked = _request(identifier, request, others)
        found = find(asked)
        matches = [found] if isinstance(found, DataSet) else list(islice(found or (), 2))
        if len(matches) > 1:
            raise Refused("more than one match", status=_MORE_THAN_ONE)
        return [_answer(identifier, match) for match in matches]

    return Service.of({(uid, "C-FIND-RQ"): finding(search) for uid in _KINDS})


def _request(identifier: DataSet, request: FindRequest, others: frozenset[str]) -> PatientInformationRequest:
    """Take a request apart.

    Raises
    ------
    Refused
        When it doesn't name one patient and one template (A900), or a template that there is no answer in (C200).
    """
    kind = _KINDS[request.sop_class_uid]
    patient_id = identifier.get("PatientID")
    items = identifier.all("ContentTemplateSequence")
    template = str(items[0].get("TemplateIdentifier") or "") if len(items) == 1 else ""
    if not isinstance(patient_id, str) or not patient_id or not template:
        raise Refused("the identifier needs a PatientID and a template", status=_NOT_THE_MODEL)
    if template != MODELS[kind].template and not (kind == "general" and template in others):
        raise Refused(f"no answer in the template {template[:16]}", status=_NO_SUCH_TEMPLATE)
    issuer = identifier.get("IssuerOfPatientID")
    return PatientInformationRequest(kind, patient_id, str(issuer or ""), template, request.caller, identifier)


def _answer(identifier: DataSet, match: DataSet) -> DataSet:
    """Take what was asked for, and the template as it was asked for (Q.2.1.1.3.2)."""
    told = [match.element(tag) if tag in match else Element.of(tag, None) for tag in identifier]
    answer = DataSet(told).assign(ContentTemplateSequence=identifier["ContentTemplateSequence"])
    return answer.merge(match.drop(*(tag for tag in match if tag.keyword != "SpecificCharacterSet")))
