"""What is known of a patient that matters for an examination, as a structured report in an answer (PS3.4 Annex Q)."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.association import Association
from dicomkit.dimse.commands import MEDIUM, command
from dicomkit.dimse.negotiation import NATIVE, Proposal
from dicomkit.dimse.pool import Target, using
from dicomkit.dimse.steps import Operation
from dicomkit.encoding.writer import to_bytes
from dicomkit.errors import QueryError
from dicomkit.files.read import read
from dicomkit.net.errors import ProtocolError, StatusError
from dicomkit.net.events import OnEvent
from dicomkit.standard.statuses import status

Kind: TypeAlias = Literal["general", "breast", "cardiac"]


class InformationModel(NamedTuple):
    """A SOP class of relevant patient information, and the template that its answers have."""

    sop_class_uid: str
    template: str


MODELS: dict[str, InformationModel] = {
    "general": InformationModel("1.2.840.10008.5.1.4.37.1", "9007"),
    "breast": InformationModel("1.2.840.10008.5.1.4.37.2", "9000"),
    "cardiac": InformationModel("1.2.840.10008.5.1.4.37.3", "3802"),
}
"""By kind (PS3.4 Table Q.4-3)."""
_RETURNED = ("PatientName", "PatientBirthDate", "PatientSex", "ObservationDateTime", "ValueType")
_RETURNED_SEQUENCES = (
    *("ConceptNameCodeSequence", "ContentSequence", "HL7StructuredDocumentReferenceSequence"),
    "StudiesContainingOtherReferencedInstancesSequence",
)


def patient_identifier(
    patient_id: str, *, issuer: str | None = None, template: str = "9007", mapping_resource: str = "DCMR"
) -> DataSet:
    """Make the identifier of a request for patient information (PS3.4 Q.2.1.1.3.1).

    Raises
    ------
    QueryError
        When the ID is empty or has a wildcard: one patient is asked for.

    Examples
    --------
    >>> patient_identifier("A-17")["ContentTemplateSequence", 0, "TemplateIdentifier"]
    '9007'
    """
    if not patient_id or "*" in patient_id or "?" in patient_id or "\\" in patient_id:
        raise QueryError(f"PatientID={patient_id!r} doesn't name one patient", hint="give the whole ID, without * or ?")
    keys: dict[str, Any] = dict.fromkeys(_RETURNED) | dict.fromkeys(_RETURNED_SEQUENCES, ())
    keys |= {"PatientID": patient_id, "IssuerOfPatientID": issuer}
    keys["ContentTemplateSequence"] = [{"MappingResource": mapping_resource, "TemplateIdentifier": template}]
    if not (patient_id + (issuer or "")).isascii():
        keys["SpecificCharacterSet"] = "ISO_IR 192"
    return DataSet(keys)


def find_patient_information(
    peer: Target,
    patient_id: str,
    kind: Kind = "general",
    *,
    issuer: str | None = None,
    template: str | None = None,
    priority: int = MEDIUM,
    on_event: OnEvent | None = None,
) -> Operation:
    """Ask a peer what it knows of a patient.

    Parameters
    ----------
    peer
        A Peer, or a pool of associations with one (`connect`).
    patient_id
        Of the one patient.
    kind
        ``"general"``, ``"breast"`` or ``"cardiac"``.
    issuer
        IssuerOfPatientID, where there are several.
    template
        Another template of PS3.16 than that of the kind.
    priority
        LOW, MEDIUM or HIGH of `dicomkit.dimse.commands`.
    on_event
        What is told of every event.

    Returns
    -------
    DataSet or None
        Patient and content tree; None where nothing is known.

    Raises
    ------
    QueryError
        When the ID doesn't name one patient.
    StatusError
        When the peer answers with a failure: C100 for more than one match, C200 for a template that it doesn't have.
    ProtocolError
        When it gives more than one match.
    NetworkError
        When there is no association, or it ended early.
    """
    if kind not in MODELS:
        raise QueryError(f"there is no kind {kind!r} of patient information", hint=f"it is {', '.join(MODELS)}")
    model = MODELS[kind]
    identifier = patient_identifier(patient_id, issuer=issuer, template=template or model.template)

    def body(association: Association) -> Operation:
        context = association.context_for(model.sop_class_uid)
        number = association.next_message_id()
        asked = command(
            "C-FIND-RQ", has_data_set=True, AffectedSOPClassUID=model.sop_class_uid, MessageID=number, Priority=priority
        )
        yield from association.write(context, asked, to_bytes(identifier, context.transfer_syntax))
        found: DataSet | None = None
        while True:
            message = yield from association.response(number)
            data = b""
            if message.command.has_data_set:
                data = yield from association.read_data(message.context)
            answer = status(message.command.Status, "Relevant Patient Information C-FIND")
            if answer.category != "Pending":
                break
            if found is not None:
                text = f"{association.remote} gives more than one match, where there is one at most"
                raise (yield from association.failed(ProtocolError(text)))
            found = read(data, transfer_syntax=context.transfer_syntax)
        if answer.category == "Failure":
            raise StatusError(answer, comment=str(message.command.get("ErrorComment", "")))
        return found

    return (yield from using(peer, Proposal.of((model.sop_class_uid, NATIVE)), body, on_event))
