"""The proposal of target lesions and the limits of a reader's choice."""

from pipelines.domain.organs import Organ
from pipelines.domain.reasons import Rejected
from pipelines.domain.recist import (
    LesionId,
    LesionNature,
    LesionObservation,
    LesionRole,
    LesionState,
    RecistRules,
    tenths,
)
from pipelines.response.assess import assess
from pipelines.response.targets import propose_roles
from tests.pipelines.response.patients import TREATED, assessed, lesion, targets, visit

ORGANS = (Organ.LUNG, Organ.LIVER, Organ.BONE, Organ.KIDNEY)


def proposed(*seen: LesionObservation, irradiated: tuple[str, ...] = ()) -> dict[str, str]:
    fields = frozenset(map(LesionId, irradiated))
    return {
        one.lesion: one.role.value for one in propose_roles(visit("v0", -7, *seen), RecistRules(), irradiated=fields)
    }


def chosen(*seen: LesionObservation) -> list[str]:
    return [name for name, role in proposed(*seen).items() if role == "target"]


def test_five_lesions_and_two_of_an_organ_by_size() -> None:
    seen = [lesion(f"{organ.value}{at}", 20 + at, organ=organ) for organ in ORGANS for at in range(3)]
    assert chosen(*seen) == ["bone1", "bone2", "kidney2", "liver2", "lung2"]


def test_both_lungs_are_one_organ_and_so_are_all_nodes() -> None:
    nodes = [lesion(f"k{at}", 20 + at, node=True) for at in range(3)]
    assert chosen(*nodes, lesion("left", 30), lesion("right", 31), lesion("other", 29)) == ["k1", "k2", "left", "right"]


def test_of_equal_lesions_the_one_on_thinner_slices_is_taken() -> None:
    thick = [lesion(f"a{at}", 20, slice_thickness=tenths(5)) for at in range(2)]
    thin = [lesion(f"b{at}", 20, slice_thickness=tenths("1.25")) for at in range(2)]
    assert chosen(*thick, *thin) == ["b0", "b1"]


def test_what_cannot_be_measured_is_non_target() -> None:
    said = proposed(
        lesion("effusion", 40, nature=LesionNature.EFFUSION, organ=Organ.PLEURA),
        lesion("blastic", 40, nature=LesionNature.BLASTIC_BONE, organ=Organ.BONE),
        lesion("small", 9.9),
        lesion("node", 14.9, node=True),
        lesion("normal", 9.9, node=True),
        lesion("cyst", 30, nature=LesionNature.SIMPLE_CYST, organ=Organ.LIVER),
        lesion("seen", 0, state=LesionState.PRESENT),
        lesion("treated", 30),
        irradiated=("treated",),
    )
    assert said == {
        "effusion": "non-target",
        "blastic": "non-target",
        "small": "non-target",
        "node": "non-target",
        "normal": "excluded",
        "cyst": "excluded",
        "seen": "non-target",
        "treated": "non-target",
    }


def test_a_proposal_says_that_no_reader_made_it() -> None:
    points = [visit("v0", -7, lesion("a", 20)), visit("v1", 56, lesion("a", 14))]
    result = assessed(points, targets())
    assert result.roles == {"a": LesionRole.TARGET}
    assert [note.code for note in result.notes] == ["RSP-005"]
    assert [note.code for note in assessed(points, targets("a")).notes] == []


def test_a_choice_beyond_the_limits_is_refused() -> None:
    seen = [lesion(f"a{at}", 20) for at in range(3)]
    refused = assess([visit("v0", -7, *seen)], targets("a0", "a1", "a2"), TREATED)
    assert isinstance(refused, Rejected)
    assert (refused.code, "3 target lesions in one organ (lung)" in refused.detail) == ("RSP-003", True)
    six = [lesion(f"{organ.value}{at}", 20, organ=organ) for organ in ORGANS[:3] for at in range(2)]
    refused = assess([visit("v0", -7, *six)], targets(*(one.lesion for one in six)), TREATED)
    assert isinstance(refused, Rejected)
    assert "6 target lesions are more than 5" in refused.detail


def test_what_a_reader_leaves_beside_a_chosen_target_is_non_target() -> None:
    result = assessed([visit("v0", -7, lesion("a", 20), lesion("b", 40))], targets("a"))
    assert result.roles == {"a": LesionRole.TARGET, "b": LesionRole.NON_TARGET}


def test_a_target_that_the_baseline_does_not_show_is_refused() -> None:
    refused = assess([visit("v0", -7, lesion("a", 20))], targets("z"), TREATED)
    assert isinstance(refused, Rejected)
    assert "baseline does not show" in refused.detail
