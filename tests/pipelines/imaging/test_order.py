"""Orders as worklists tell them, with what worklists leave out."""

from pydicom import Dataset

from pipelines.domain.coding import Code
from pipelines.imaging.order import order_file, order_from_file, read_order


def item(**attributes: object) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def test_codes_without_a_meaning_and_codes_that_fit_nowhere_do_not_cost_the_order() -> None:
    order = read_order(
        item(
            AccessionNumber="A-1",
            RequestedProcedureCodeSequence=[
                item(CodeValue="71250", CodingSchemeDesignator="C4"),
                item(CodeValue="1" * 17, CodingSchemeDesignator="99X", CodeMeaning="Too long"),
                item(CodeValue="1", CodingSchemeDesignator="99X", CodeMeaning="m" * 65),
            ],
        )
    )
    assert order is not None
    assert order.codes == (Code("71250", "C4", "71250"), Code("1", "99X", "m" * 64))
    assert order_from_file(order_file(order)) == order
