from pydicom import Dataset

from pipelines.outputs.usage import AttributeUsage, Presence, attribute_usage, code_uses

PATIENT_NAME, PATIENT_ID, STUDY_ID, ROWS = 0x00100010, 0x00100020, 0x00200010, 0x00280010
SERIES, UID = 0x00081115, 0x0020000E


def dataset(**values: object) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def presence_of(*objects: Dataset) -> dict[tuple[int, ...], Presence]:
    return {one.path: one.presence for one in attribute_usage(objects)}


def test_presence_is_told_by_all_objects_together() -> None:
    first = dataset(PatientName="A", PatientID="1", StudyID="", Rows=1)
    second = dataset(PatientName="B", PatientID="", StudyID=None)
    assert presence_of(first, second) == {
        (PATIENT_NAME,): Presence.ALWAYS,
        (PATIENT_ID,): Presence.VNAP,
        (STUDY_ID,): Presence.EMPTY,
        (ROWS,): Presence.ANAP,
    }


def test_an_attribute_of_a_sequence_is_judged_by_its_items() -> None:
    both = dataset(ReferencedSeriesSequence=[dataset(SeriesInstanceUID="1.2"), dataset(SeriesInstanceUID="1.3")])
    none = dataset(ReferencedSeriesSequence=[])
    one_without = dataset(ReferencedSeriesSequence=[dataset(Rows=1)])
    assert presence_of(both) == {(SERIES,): Presence.ALWAYS, (SERIES, UID): Presence.ALWAYS}
    assert presence_of(both, none) == {(SERIES,): Presence.VNAP, (SERIES, UID): Presence.ALWAYS}
    assert presence_of(both, one_without)[SERIES, UID] is Presence.ANAP


def test_values_are_those_that_were_seen_and_the_content_is_left_out() -> None:
    objects = [dataset(Modality=modality, ContentSequence=[dataset(Rows=1)]) for modality in ("SR", "KO", "SR")]
    assert attribute_usage(objects) == (AttributeUsage((0x00080060,), "CS", Presence.ALWAYS, ("SR", "KO")),)


def code_item(value: str) -> Dataset:
    return dataset(CodeValue=value, CodingSchemeDesignator="99TEST", CodeMeaning=value)


def test_codes_are_found_in_the_content_and_beside_it() -> None:
    unit = dataset(MeasurementUnitsCodeSequence=[code_item("mm")])
    number = dataset(ValueType="NUM", ConceptNameCodeSequence=[code_item("name")], MeasuredValueSequence=[unit])
    group = dataset(ValueType="CONTAINER", ContentTemplateSequence=[dataset(TemplateIdentifier="1501")])
    group.ContentSequence = [number]
    root = dataset(ValueType="CONTAINER", ConceptNameCodeSequence=[code_item("title")], ContentSequence=[group])
    root.ContentTemplateSequence = [dataset(TemplateIdentifier="1500")]
    root.ProcedureCodeSequence = [code_item("procedure")]
    assert {(use.code.value, use.where) for use in code_uses(root)} == {
        ("title", "TID 1500: name of CONTAINER"),
        ("name", "TID 1501: name of NUM"),
        ("mm", "TID 1501: unit of NUM"),
        ("procedure", "ProcedureCodeSequence"),
    }
