import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.coding import Code
from pipelines.domain.lesion_rule import Choice, LesionRule, SegmentDescription, choose, described

NEOPLASM = Code("108369006", "SCT", "Neoplasm")
ABNORMAL = Code("49755003", "SCT", "Morphologically Abnormal Structure")
ANATOMY = Code("123037004", "SCT", "Anatomical Structure")
TISSUE = Code("85756007", "SCT", "Tissue")
HEART = Code("80891009", "SCT", "Heart")
EDEMA = Code("79654002", "SCT", "Edema")

OTHER = SegmentDescription(99, "heart")


def verdict(segment: SegmentDescription, **rule: object) -> Choice:
    """What the rule says of a segment that is not alone."""
    return choose([segment, OTHER], LesionRule(**rule))[0]  # type: ignore[arg-type]


LESIONS = (
    *("GTV", "GTV-1", "GTV_Mass_CT", "iGTV", "Lung tumour", "tumor", "Nodule reader 1", "Lesion 3", "lung_nodules"),
    *("Mass", "liver mets", "右肺肿瘤", "肺结节", "左上叶病灶", "転移", "결절", "Adenocarcinoma", "lésion 2"),
)
OTHERS = (
    *(
        "lung_upper_lobe_left",
        "body",
        "Heart",
        "BODY",
        "Lungs-GTV",
        "Lung minus GTV",
        "PTV",
        "PTV_GTV",
        "CTV 54",
        "ITV",
    ),
    *(
        "peritumoral ring",
        "tumor_free_lung",
        "右肺",
        "瘤周",
        "肺-GTV",
        "masseter muscle",
        "Couch",
        "食管",
        "Spinal Cord",
    ),
)


@pytest.mark.parametrize("label", LESIONS)
def test_labels_that_say_lesion(label: str) -> None:
    assert verdict(SegmentDescription(1, label)).taken


@pytest.mark.parametrize("label", OTHERS)
def test_labels_that_say_something_else(label: str) -> None:
    choice = verdict(SegmentDescription(1, label))
    assert not choice.taken
    assert choice.evident


@pytest.mark.parametrize(
    ("category", "kind", "taken"),
    [
        (ABNORMAL, NEOPLASM, True),
        (
            Code("M-01000", "SRT", "Morphologically Altered Structure"),
            Code("M-80003", "SRT", "Neoplasm, Primary"),
            True,
        ),
        (ABNORMAL, None, True),
        (ABNORMAL, EDEMA, False),
        (ANATOMY, HEART, False),
        (ANATOMY, NEOPLASM, True),
        (TISSUE, HEART, False),
        (Code("T-D0050", "SRT", "Tissue"), Code("T-62000", "SRT", "Liver"), False),
        (None, Code("1.2", "99LOCAL", "Gross target volume"), True),
        (None, Code("1.2", "99LOCAL", "Planning Target Volume"), False),
    ],
)
def test_codes_decide(category: Code | None, kind: Code | None, *, taken: bool) -> None:
    choice = verdict(SegmentDescription(1, "Segment_1", category, kind))
    assert (choice.taken, choice.evident) == (taken, True)


def test_a_drawing_program_s_default_codes_say_nothing_and_the_label_decides() -> None:
    assert not verdict(SegmentDescription(1, "Segment_1", TISSUE, TISSUE)).evident
    assert verdict(SegmentDescription(1, "tumor", TISSUE, TISSUE)).taken


@pytest.mark.parametrize(
    ("kind", "taken"), [("GTV", True), ("CTV", False), ("PTV", False), ("ORGAN", False), ("EXTERNAL", False)]
)
def test_interpreted_types_of_radiotherapy_decide(kind: str, *, taken: bool) -> None:
    assert verdict(SegmentDescription(1, "Struct", interpreted_type=kind)).taken is taken


def test_a_label_of_a_lesion_goes_before_an_organ_s_type() -> None:
    assert verdict(SegmentDescription(1, "GTV", interpreted_type="ORGAN")).taken


def test_a_lone_segment_without_a_name_is_a_lesion_and_one_of_two_is_not() -> None:
    lone = choose([SegmentDescription(1, "Segment_1")], LesionRule())[0]
    assert (lone.taken, lone.evident) == (True, False)
    two = [SegmentDescription(1, "Segment_1"), SegmentDescription(2, "Segment_2")]
    assert [one.taken for one in choose(two, LesionRule())] == [False, False]
    assert [one.taken for one in choose(two, LesionRule(unnamed="all"))] == [True, True]
    assert not choose(two[:1], LesionRule(unnamed="none"))[0].taken


def test_a_lone_organ_is_no_lesion() -> None:
    assert not choose([SegmentDescription(1, "liver")], LesionRule())[0].taken


def test_the_site_goes_before_everything_and_exclusion_before_inclusion() -> None:
    heart = SegmentDescription(1, "Heart", ANATOMY, HEART)
    assert verdict(heart, include=("^heart$",)).taken
    assert verdict(heart, include_codes=("SCT:80891009",)).taken
    assert not verdict(heart, include=("heart",), exclude_codes=("SCT:123037004",)).taken
    assert not verdict(SegmentDescription(1, "GTV"), exclude=("gtv",)).taken


def test_algorithm_types_may_be_limited() -> None:
    by_machine = SegmentDescription(1, "nodule", algorithm="AUTOMATIC")
    assert verdict(by_machine).taken
    assert not verdict(by_machine, algorithms=("MANUAL",)).taken
    assert verdict(SegmentDescription(1, "nodule", algorithm="MANUAL"), algorithms=("MANUAL",)).taken


def test_the_description_groups_reasons_and_stays_short() -> None:
    many = [SegmentDescription(n, f"lobe {n}") for n in range(1, 41)]
    text = described(choose(many, LesionRule()))
    assert text.startswith("No lesion: segment 1, 2, 3")
    assert text.count("its label says 'lobe'") == 1


def test_all_organs_of_totalsegmentator_are_known_as_such(shared_data: Path) -> None:
    with (shared_data / "objects/totalsegmentator_example/labels.csv").open() as file:
        labels = [row["name"] for row in csv.DictReader(file) if row["name"]]
    assert len(labels) == 37
    choices = [verdict(SegmentDescription(1, label)) for label in labels]
    assert [choice for choice in choices if choice.taken or not choice.evident] == []


@given(st.text(max_size=64))
def test_no_text_of_the_sender_gets_into_a_reason(label: str) -> None:
    why = verdict(SegmentDescription(1, f"ZZ^SENTINEL {label}")).why
    assert "SENTINEL" not in why
    assert "ZZ" not in why
