"""What the node knows of the treatment and the response of a cohort's patients, joined to what the cohort says."""

from collections import Counter
from collections.abc import Callable, Sequence

from rich.console import Console

from node.bootstrap.responding import progression
from node.bootstrap.stores import Stores
from node.settings import Settings
from pipelines.cohort.joined import Joined, disagreement, joined
from pipelines.cohort.members import Member
from pipelines.domain.clinical import PatientKey
from pipelines.domain.reasons import Rejected
from pipelines.domain.responses import OverallResponse
from pipelines.imaging.registration import Rigid
from pipelines.nsclc_progression import Progression, tell
from pipelines.response.history import visits_of

Join = Callable[[Member], Joined]


def joiner(settings: Settings, stores: Stores) -> Join:
    """Joins a patient to the node's records of them."""
    rules = progression(settings)

    def join(member: Member) -> Joined:
        key = PatientKey(member.key)
        return joined(member, stores.clinical.clinical(key), _best(stores, key, rules))

    return join


def joined_and_told(members: Sequence[Member], join: Join, console: Console) -> tuple[Member, ...]:
    """The patients with what the node knows of them; says how much that is, and where it contradicts the cohort."""
    found = [join(member) for member in members]
    for column, count in sorted(Counter(column for one in found for column in one.filled).items()):
        console.print(f"{column} of {count} patients comes from the node's own records.", soft_wrap=True)
    for one in found:
        for column in one.disagreed:
            where = f"Patient {one.member.key[:12]} (see `pulmonode cohort list`)"
            console.print(str(disagreement(where, column)), markup=False, soft_wrap=True)
    return tuple(one.member for one in found)


def _best(stores: Stores, patient: PatientKey, rules: Progression) -> OverallResponse | None:
    """Best response over the scans that are kept, by what readers decided; None without a follow-up."""
    visits = visits_of([one.scan for one in stores.history.scans(patient)])
    if len(visits) < 2:
        return None
    named = [one for visit in visits for one in visit.scans]
    places = {}
    for name, moving in named[1:]:
        known = stores.history.placement(named[0][1], moving)
        if known is not None:
            x, y, z = known.shift_mm
            places[name] = Rigid(known.rotation, (x, y, z), known.correlation)
    course = stores.clinical.clinical(patient).course
    told = tell(visits, places, stores.readings.readings(patient), course, rules)
    return None if isinstance(told, Rejected) else told.assessment.best.response
