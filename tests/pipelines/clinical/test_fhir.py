"""FHIR bundles: what is certain is taken, and all else is listed."""

import json
from typing import Any

import pytest

from pipelines.clinical.fhir import LocalTreatment, ReadBundle, numbered, read_bundle
from pipelines.domain.agents import ATC
from pipelines.domain.clinical import Key, patient_key

SNOMED = "http://snomed.info/sct"
ICD = "http://hl7.org/fhir/sid/icd-10"
SUBJECT = {"reference": "Patient/p1"}


def patient(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "p1", "identifier": [{"system": "urn:mrn", "value": "4711"}], **more}


def given(when: str, medicine: dict[str, Any] | None = None, status: str = "completed") -> dict[str, Any]:
    concept = {"coding": [{"system": ATC, "code": "L01FF02"}]} if medicine is None else medicine
    return {
        "resourceType": "MedicationAdministration",
        "status": status,
        "medicationCodeableConcept": concept,
        "subject": SUBJECT,
        "effectiveDateTime": when,
    }


def procedure(text: str, when: str | None, **more: Any) -> dict[str, Any]:
    dated = {} if when is None else {"performedDateTime": when}
    made = {"resourceType": "Procedure", "status": "completed", "code": {"text": text}, "subject": SUBJECT}
    return {**made, **dated, **more}


def bundle(*resources: dict[str, Any]) -> bytes:
    entries = [{"resource": resource} for resource in resources]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def entries_of(found: ReadBundle) -> dict[Key, str]:
    (one,) = found.patients
    return dict(one.entries)


def why(found: ReadBundle) -> list[str]:
    return [one.why for one in found.left]


def test_the_first_dose_is_the_earliest_of_an_inhibitor_and_the_last_contact_the_latest() -> None:
    found = read_bundle(
        bundle(
            patient(deceasedDateTime="2025-03"),
            given("2024-02-05T09:30:00+08:00"),
            given("2024-01-15T23:30:00-05:00"),
            given("2023-12-01", status="not-done"),
            given("2023-06-01", {"text": "Cisplatin"}),
        )
    )
    assert found.patients[0].patient == patient_key("4711")
    assert entries_of(found) == {
        Key("ici_start"): "2024-01-15",
        Key("death"): "2025-03",
        Key("last_contact"): "2024-02-05",
    }
    assert why(found) == ["its medicine is no PD-1 or PD-L1 inhibitor of the table"]


def test_a_record_that_is_dated_after_the_death_is_told_and_is_no_contact() -> None:
    found = read_bundle(bundle(patient(deceasedDateTime="2024-03-01"), procedure("Radiotherapy", "2024-03-02")))
    assert entries_of(found) == {Key("death"): "2024-03-01"}
    assert why(found) == ["a record is dated after the death"]


def test_a_statement_of_treatment_that_ended_gives_its_last_dose_unless_a_later_one_is_known() -> None:
    statement = {
        "resourceType": "MedicationStatement",
        "status": "completed",
        "medicationCodeableConcept": {"text": "信迪利单抗"},
        "subject": SUBJECT,
        "effectivePeriod": {"start": "2024-01-10", "end": "2024-08-20"},
    }
    ended = entries_of(read_bundle(bundle(patient(), statement)))
    assert ended == {Key("ici_start"): "2024-01-10", Key("ici_last_dose"): "2024-08-20"}
    went_on = entries_of(read_bundle(bundle(patient(), statement, given("2024-09-10"))))
    assert Key("ici_last_dose") not in went_on
    active = entries_of(read_bundle(bundle(patient(), {**statement, "status": "active"})))
    assert active == {Key("ici_start"): "2024-01-10"}


def test_a_prescription_is_no_dose() -> None:
    asked = {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": "Nivolumab"},
        "subject": SUBJECT,
        "authoredOn": "2024-01-10",
    }
    found = read_bundle(bundle(patient(), asked))
    assert entries_of(found) == {}
    assert why(found) == ["a prescription is no dose; enter the first dose by hand if no other record has it"]


def test_medicines_are_found_beside_and_within_the_record() -> None:
    beside = {"resourceType": "Medication", "id": "m1", "code": {"text": "Durvalumab 500 mg"}}
    contained = {"resourceType": "Medication", "id": "m2", "code": {"text": "Imfinzi"}}
    one = given("2024-01-20")
    del one["medicationCodeableConcept"]
    by_reference = {**one, "medicationReference": {"reference": "Medication/m1"}}
    within = {**given("2024-01-10"), "contained": [contained], "medicationReference": {"reference": "#m2"}}
    del within["medicationCodeableConcept"]
    missing = {**one, "medicationReference": {"reference": "Medication/elsewhere"}}
    found = read_bundle(bundle(patient(), beside, by_reference, within, missing))
    assert entries_of(found)[Key("ici_start")] == "2024-01-10"
    assert why(found) == ["its medicine is not in the bundle"]


def test_local_treatments_have_kind_day_and_organ_and_a_biopsy_is_none() -> None:
    site = [{"coding": [{"system": SNOMED, "code": "12738006", "display": "Brain"}]}]
    surgery = {"category": {"coding": [{"system": SNOMED, "code": "387713003"}]}}
    found = read_bundle(
        bundle(
            patient(),
            procedure("Stereotactic radiosurgery", "2024-05-01", bodySite=site),
            procedure("肝转移瘤射频消融术", "2024-06", bodySite=[{"text": "liver"}]),
            procedure("Thoracoscopic lobectomy", "2023-11-02", **surgery),
            procedure("Radiofrequency ablation of lung tumour", "2024-07-02", **surgery),
            procedure("CT-guided needle biopsy", "2023-10-02", **surgery),
            procedure("Radiotherapy", None),
            procedure("Radiotherapy", "2024-01-01", status="not-done"),
            procedure("Dental care", "2024-01-01"),
        )
    )
    (one,) = found.patients
    assert one.treatments == (
        LocalTreatment("2023-11-02", "surgery", ""),
        LocalTreatment("2024-05-01", "radiotherapy", "brain"),
        LocalTreatment("2024-06", "ablation", "liver"),
        LocalTreatment("2024-07-02", "ablation", ""),
    )
    local = "it is no local treatment of the table"
    assert why(found) == [local, "it has no date", local]


def test_metastases_count_for_the_baseline_only_when_they_were_certainly_there_at_the_first_dose() -> None:
    def metastasis(code: dict[str, Any], **when: str) -> dict[str, Any]:
        return {"resourceType": "Condition", "code": code, "subject": SUBJECT, **when}

    def icd(code: str) -> dict[str, Any]:
        return {"coding": [{"system": ICD, "code": code}]}

    found = read_bundle(
        bundle(
            patient(),
            given("2024-01-15"),
            metastasis(icd("C79.5"), onsetDateTime="2023-12-20"),
            metastasis({"text": "Lung cancer metastatic to liver"}, recordedDate="2024-01-02"),
            metastasis(icd("C79.3"), onsetDateTime="2024-01"),
            metastasis(icd("C79.7")),
            metastasis(icd("I10"), onsetDateTime="2020"),
        )
    )
    assert entries_of(found)[Key("baseline_sites")] == "bone;liver"
    assert why(found) == [
        "a metastasis without a date: whether it was there at baseline cannot be told",
        "it is no metastasis of the table",
        "a metastasis that was not certainly there at the first dose",
    ]


def test_an_observation_of_the_patient_is_a_contact_and_one_of_a_specimen_is_none() -> None:
    def observed(category: str) -> dict[str, Any]:
        system = "http://terminology.hl7.org/CodeSystem/observation-category"
        return {
            "resourceType": "Observation",
            "status": "final",
            "category": [{"coding": [{"system": system, "code": category}]}],
            "code": {"text": "weight"},
            "subject": SUBJECT,
            "effectiveDateTime": "2024-10-01",
        }

    assert entries_of(read_bundle(bundle(patient(), observed("vital-signs")))) == {Key("last_contact"): "2024-10-01"}
    assert entries_of(read_bundle(bundle(patient(), observed("laboratory")))) == {}


def test_the_patient_id_is_the_only_identifier_or_the_record_number_or_the_one_that_is_named() -> None:
    two = [
        {"system": "urn:insurance", "value": "A1"},
        {"system": "urn:mrn", "value": "4711", "type": {"coding": [{"code": "MR"}]}},
    ]
    assert read_bundle(bundle(patient(identifier=two))).patients[0].patient == patient_key("4711")
    plain = [{"system": "urn:a", "value": "A1"}, {"system": "urn:b", "value": "B1"}]
    unclear = read_bundle(bundle(patient(identifier=plain)))
    assert (unclear.patients, len(unclear.left)) == ((), 1)
    named = read_bundle(bundle(patient(identifier=plain)), identifier_system="urn:b", issuer="SITE")
    assert named.patients[0].patient == patient_key("B1", "SITE")


def test_nothing_of_a_resource_that_breaks_its_definition_is_taken_or_quoted() -> None:
    broken = {**given("SENTINEL"), "status": ["SENTINEL"]}
    nameless = given("2024-01-10")
    nameless["subject"] = {"reference": "Patient/SENTINEL"}
    found = read_bundle(bundle(patient(), broken, nameless, {"resourceType": "SENTINEL"}))
    assert entries_of(found) == {}
    assert len(found.left) == 3
    assert "SENTINEL" not in str(found.left)


@pytest.mark.parametrize("data", [b"no", b"[]", b'{"a": 1}'])
def test_a_file_that_is_no_bundle_is_told(data: bytes) -> None:
    found = read_bundle(data)
    assert (found.patients, [one.resource for one in found.left]) == ((), ["file"])


def test_treatments_that_are_known_keep_their_numbers_and_new_ones_get_free_ones() -> None:
    known = {Key("local_date", 2): "2024-05-01", Key("local_kind", 2): "surgery"}
    same, new = LocalTreatment("2024-05-01", "surgery", ""), LocalTreatment("2024-06-01", "ablation", "liver")
    entries, missed = numbered([same, new], known)
    assert entries == {
        Key("local_date", 1): "2024-06-01",
        Key("local_kind", 1): "ablation",
        Key("local_site", 1): "liver",
    }
    assert missed == 0
    many = [LocalTreatment(f"2024-01-{day:02}", "other", "") for day in range(1, 13)]
    assert numbered(many, known)[1] == 4
