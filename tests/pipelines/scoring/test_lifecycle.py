from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.reasons import Rejected
from pipelines.scoring.keys import new_key
from pipelines.scoring.lifecycle import ModelEvent, ModelState, Recorded, register, usable
from pipelines.scoring.package import Package, open_package
from tests.models import facts, signed_package, trust

KEY = new_key()
START = datetime(2026, 1, 1, tzinfo=UTC)


def package(version: str = "1") -> Package:
    made = open_package(signed_package(facts(version=version), KEY), [trust(KEY)])
    assert isinstance(made, Package)
    return made


def event(kind: ModelEvent, version: str = "1", *, sha: str | None = None, at: int = 0) -> Recorded:
    of = package(version)
    digest = of.model.sha256 if sha is None else sha
    return Recorded(
        START + timedelta(days=at), kind, "signature", version, digest, of.package_sha256, KEY.key_id, "old"
    )


ACTIVATED, RETIRED = ModelEvent.ACTIVATED, ModelEvent.RETIRED


def test_the_model_activated_last_is_active_and_those_before_are_replaced() -> None:
    found = register([event(ACTIVATED, "1"), event(ACTIVATED, "2")])
    assert [(known.last.version, known.state) for known in found.models] == [
        ("1", ModelState.REPLACED),
        ("2", ModelState.ACTIVE),
    ]
    assert found.active is not None
    assert found.active.version == "2"
    again = register([event(ACTIVATED, "1"), event(ACTIVATED, "2"), event(ACTIVATED, "1")]).active
    assert again is not None
    assert again.version == "1"


def test_nothing_takes_the_place_of_a_retired_model_by_itself() -> None:
    found = register([event(ACTIVATED, "1"), event(ACTIVATED, "2"), event(RETIRED, "2")])
    assert found.active is None


def test_retiring_another_model_leaves_the_active_one() -> None:
    found = register([event(ACTIVATED, "1"), event(ACTIVATED, "2"), event(RETIRED, "1")])
    assert found.active is not None
    assert found.active.version == "2"


def test_a_retired_model_is_refused_with_day_and_reason() -> None:
    outcome = usable(package(), register([event(ACTIVATED), event(RETIRED, at=3)]))
    assert isinstance(outcome, Rejected)
    assert outcome.code == "MODEL-008"
    assert "2026-01-04: old" in outcome.detail


def test_a_model_that_was_retired_unseen_is_refused_too_and_can_be_reinstated() -> None:
    known = register([event(RETIRED, sha="")])
    assert isinstance(usable(package(), known), Rejected)
    assert usable(package(), known, reinstate=True) == package()


def test_another_content_under_a_known_name_is_refused_as_model_018() -> None:
    for events in ([event(ACTIVATED, sha="0" * 64)], [event(ACTIVATED, sha="0" * 64), event(RETIRED, sha="0" * 64)]):
        outcome = usable(package(), register(events), reinstate=True)
        assert isinstance(outcome, Rejected)
        assert outcome.code == "MODEL-018"


def test_a_model_of_which_nothing_is_known_can_be_used() -> None:
    assert usable(package(), register([])) == package()


@given(st.lists(st.tuples(st.sampled_from(ModelEvent), st.sampled_from(["1", "2", "3"])), max_size=12))
def test_at_most_one_model_is_active_and_never_a_retired_one(history: list[tuple[ModelEvent, str]]) -> None:
    line = Recorded(START, ACTIVATED, "signature", "1", "a", "b", "c")
    found = register(replace(line, event=kind, version=version) for kind, version in history)
    active = [known for known in found.models if known.state is ModelState.ACTIVE]
    assert len(active) <= 1
    last = {version: kind for kind, version in history}
    for known in found.models:
        assert (known.state is ModelState.RETIRED) == (last[known.last.version] is RETIRED)
