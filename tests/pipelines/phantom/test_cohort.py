import numpy as np

from pipelines.phantom.cohort import planted_cases


def test_cases_are_the_same_for_the_same_seed_only() -> None:
    assert list(planted_cases(6, seed=1)) == list(planted_cases(6, seed=1))
    assert list(planted_cases(6, seed=1)) != list(planted_cases(6, seed=2))


def test_the_two_groups_take_turns_and_differ_in_texture_on_average_only() -> None:
    cases = list(planted_cases(200, seed=1))
    assert [case.even for case in cases[:4]] == [True, False, True, False]
    even = np.array([case.settings.lesions[0].texture.sd_hu for case in cases if case.even])
    uneven = np.array([case.settings.lesions[0].texture.sd_hu for case in cases if not case.even])
    assert even.mean() < uneven.mean()
    assert even.max() > uneven.min()


def test_no_two_cases_share_a_seed_or_a_patient() -> None:
    cases = list(planted_cases(60, seed=1))
    assert len({case.settings.seed for case in cases}) == 60
    assert len({case.settings.patient_id for case in cases}) == 60
