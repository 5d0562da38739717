"""Delete a case, or all that came of a patient."""

from node.bootstrap.keeping import make_erasure, make_retainer
from node.bootstrap.machine import utc_now
from node.bootstrap.stores import open_stores
from node.keeping import Why
from node.logs import Log
from node.settings import Settings
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId


def delete_case(settings: Settings, case: CaseId, *, patient: bool) -> tuple[str, bool]:
    """Delete for good; what to tell, and whether it is done."""
    stores, detail = open_stores(settings), "pulmonode delete"
    erasure = make_erasure(stores)
    erased: list[CaseId] = [case]
    try:
        if patient:
            found = erasure.erase_patient(case, f"{detail} --patient", at=utc_now())
            refused_in = found if isinstance(found, CaseState) else None
            erased = [] if isinstance(found, CaseState) else list(found)
        else:
            refused_in = erasure.erase(case, Why.PERSON, detail, at=utc_now())
    except KeyError:
        return f"There is no case {case}.", False
    if refused_in is not None:
        return f"A worker computes the case at this moment ({refused_in}). Nothing was deleted; try again later.", False
    for one in erased:
        Log("delete").info("case_erased", case=one, why=Why.PERSON.value)
    files = make_retainer(settings, stores).remove_files()
    return f"{len(erased)} cases with {files} files are deleted." if patient else f"Case {case} is deleted.", True
