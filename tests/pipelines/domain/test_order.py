"""Which of a patient's orders a study was made for."""

from dataclasses import replace

from pipelines.domain.identifiers import StudyUID
from pipelines.domain.order import Order, choose_order

STUDY = StudyUID("1.2.3")
OTHER = StudyUID("1.2.4")
ORDER = Order(OTHER, "A1", "RP1", modality="CT", scheduled_date="20260115")


def choose(*orders: Order, accession_number: str = "", study_date: str = "20260115") -> Order | None:
    return choose_order(orders, study=STUDY, accession_number=accession_number, study_date=study_date)[0]


def test_the_order_that_names_the_study_wins_over_those_of_the_same_day() -> None:
    mine = replace(ORDER, study=STUDY, accession_number="A2")
    assert choose(ORDER, mine) == mine


def test_without_the_study_the_accession_number_decides() -> None:
    mine = replace(ORDER, accession_number="A2", scheduled_date="")
    assert choose(ORDER, mine, accession_number="A2") == mine
    assert choose(ORDER, accession_number="A3") is None


def test_an_order_with_another_accession_number_is_none_of_the_study() -> None:
    assert choose(replace(ORDER, study=STUDY), accession_number="A9") is None


def test_a_study_without_a_number_takes_the_only_ct_of_its_day() -> None:
    mr = replace(ORDER, accession_number="A2", modality="MR")
    assert choose(ORDER, mr) == ORDER
    assert choose(ORDER, study_date="20260116") is None
    assert choose(ORDER, study_date="") is None


def test_several_orders_that_fit_are_as_good_as_none() -> None:
    order, why = choose_order(
        [ORDER, replace(ORDER, accession_number="A2")], study=STUDY, accession_number="", study_date="20260115"
    )
    assert order is None
    assert "2 orders" in why


def test_two_steps_of_one_order_are_one_order() -> None:
    assert choose(ORDER, replace(ORDER, description="second step")) == ORDER


def test_why_there_is_none_names_no_number() -> None:
    for orders in ([], [ORDER]):
        assert "A1" not in choose_order(orders, study=STUDY, accession_number="", study_date="")[1]
    assert "A1" not in repr(ORDER)
