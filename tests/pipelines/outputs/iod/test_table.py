from pipelines.domain.sop_classes import COMPREHENSIVE_3D_SR, KEY_OBJECT_SELECTION, RESULT_CLASSES
from pipelines.outputs.iod.conditions import GROUPS, PER_FRAME, SHARED
from pipelines.outputs.iod.table import level_of, tag_of
from tests import iod_table


def test_the_table_is_what_the_standard_gives_as_data() -> None:
    assert iod_table.PATH.read_text("utf-8") == iod_table.text(), "run python -m tests.iod_table --write"


def test_every_class_that_the_node_writes_has_its_iod() -> None:
    for sop_class in RESULT_CLASSES:
        rules = {rule.keyword: rule for rule in level_of(sop_class).rules}
        assert rules["SOPInstanceUID"].filled
        assert not rules["PatientName"].filled
        assert rules["SpecificCharacterSet"].when is not None


def test_the_strictest_of_several_modules_holds() -> None:
    # type 2 in General Series and General Image, type 1 in the modules of these two
    for sop_class in GROUPS:
        rules = {rule.keyword: rule for rule in level_of(sop_class).rules}
        assert rules["SeriesNumber"].filled
        assert rules["InstanceNumber"].filled


def test_every_functional_group_that_is_demanded_is_known() -> None:
    for sop_class, groups in GROUPS.items():
        below = level_of(sop_class).below
        for holder in (SHARED, PER_FRAME):
            assert {tag_of(keyword) for keyword in groups} <= set(below[tag_of(holder)].below)


def test_content_items_hold_content_items() -> None:
    for sop_class in (COMPREHENSIVE_3D_SR, KEY_OBJECT_SELECTION):
        content = level_of(sop_class).below[tag_of("ContentSequence")]
        assert content.below[tag_of("ContentSequence")] is content
