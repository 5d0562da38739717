from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.identifiers import digest_of
from pipelines.domain.verification import EVERY_CASE, FIRST_CASE, why_verify

DIGESTS = st.integers(0, 10**9).map(lambda number: digest_of(str(number)))


@given(DIGESTS, st.integers(0, 500), st.booleans())
def test_a_case_that_runs_again_is_verified_again_and_one_that_was_not_is_not(
    inputs: str, every: int, known: bool
) -> None:
    first = why_verify(inputs, every=every, known=known, before=None)
    # whatever was verified in between: the software is known from then on, the case remembers its own
    assert why_verify(inputs, every=every, known=known or first is not None, before=first) == first


@given(DIGESTS)
def test_the_first_case_with_new_software_is_verified_whatever_it_is(inputs: str) -> None:
    assert why_verify(inputs, every=200, known=False, before=None) == FIRST_CASE


@given(DIGESTS, st.booleans())
def test_0_means_never_and_1_always(inputs: str, known: bool) -> None:
    assert why_verify(inputs, every=0, known=known, before=FIRST_CASE) is None
    assert why_verify(inputs, every=1, known=known, before=None) == EVERY_CASE


@given(DIGESTS, st.booleans())
def test_a_run_after_an_interruption_is_not_picked_unless_it_was_verified_before_or_all_are(
    inputs: str, known: bool
) -> None:
    assert why_verify(inputs, every=2, known=known, before=None, attempt=2) is None
    assert why_verify(inputs, every=2, known=known, before=FIRST_CASE, attempt=2) == FIRST_CASE
    assert why_verify(inputs, every=1, known=known, before=None, attempt=2) == EVERY_CASE


def test_one_case_in_so_many_is_drawn() -> None:
    drawn = [why_verify(digest_of(str(n)), every=20, known=True, before=None) for n in range(4000)]
    assert 150 <= sum(why == "one case in 20" for why in drawn) <= 250
    assert set(drawn) == {None, "one case in 20"}
