"""Identifiers of queries and of the answers to them, as far as they can be decoded."""

from pydicom import Dataset, Sequence

from pipelines.imaging.damaged import READ_FAULTS


def readable(identifier: Dataset) -> Dataset:
    """A copy of `identifier` without what cannot be decoded, at whatever depth."""
    made = Dataset()
    for tag in list(identifier.keys()):
        try:
            element = identifier[tag]
            if element.VR == "SQ":
                made.add_new(tag, "SQ", Sequence([readable(item) for item in element.value]))
            else:
                made.add(element)
        except READ_FAULTS:
            continue
    return made


def is_readable(identifier: Dataset) -> bool:
    """True if every element of `identifier` can be decoded."""
    try:
        for _ in identifier.iterall():
            pass
    except READ_FAULTS:
        return False
    return True
