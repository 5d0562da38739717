"""The words of the conformance statement about each service, and the keys that the node asks with."""

from typing import Final

from pydicom import Dataset
from pydicom.datadict import dictionary_description

from node.adapters.worklist import matching_keys
from node.conformance.markdown import table
from node.ports import PatientIdentity

TRANSFER_SYNTAXES: Final = """
Instances are kept in the transfer syntax that they arrive in. Results are written in Explicit VR Little Endian.
"""

WEB: Final = """
DICOMweb (PS3.18) as origin server for what the node holds, received and made, and as user agent of STOW-RS for results.
"""

VERIFICATION: Final = (
    "Standard conformance. The node answers C-ECHO with 0x0000 and sends it when an operator asks it to."
)

STORAGE_SCP: Final = """
Level 2 (full): every attribute is kept, private ones too, exactly as it came. Digital signatures stay valid and are
not verified. An instance is acknowledged when its bytes and the ledger's entry are on the disk. No attribute is
coerced. Received instances are not deleted; they are available by DICOMweb, and not by C-FIND, C-MOVE or C-GET.
"""

STORAGE_SCU: Final = """
Each result goes to every destination that is to have its kind. Objects are sent one after the other on one
association for each destination.
"""

COMMITMENT: Final = """
**As SCU.** The Transaction UID is in the ledger before the request leaves. The report is taken on the association of
the request, which stays open for `delivery.commitment_hold_s`, or on one that the peer opens, with or without role
selection. Without a report within `delivery.commitment_timeout_s` the node looks by C-FIND. What a peer does not keep
is sent again. Storage media are not referred to.

**As SCP.** Requests are taken from everybody who may call. Every object is looked for, and its bytes are compared
with the digest of what was received. The report goes out on a new association to the peer of that AE title, with role
selection, or for an unconfigured requester on the association of its request. It is tried again until
`delivery.give_up_after_h`. There is no time after which a committed object is removed.
"""

QUERY: Final = """
Study Root only, hierarchical queries, no relational ones, no extended negotiation. The node is no SCP of
Query/Retrieve. Answers that do not match are ignored. By C-GET it takes the CT classes above in all transfer syntaxes
that it stores; by C-MOVE the peer stores at the node, under `move_destination`. Character set of the requests: ISO_IR
192.
"""

STEPS: Final = """
The node is SCP of UPS Push, Pull, Watch and Query for its own worklist (`tasks.serve`), tells subscribers by UPS
Event as the SCP of that class, and is SCU of UPS Pull and Watch, and receiver of UPS Event, for worklists of peers
(`tasks`).

| Message | What the node does |
| --- | --- |
| N-CREATE | takes a step in state SCHEDULED with priority, label, start time and input readiness |
| N-ACTION 1, change state | claims and ends steps; the Transaction UID is the performer's proof |
| N-ACTION 2, request cancel | cancels a step that waits; passes it to the performer of one that runs |
| N-ACTION 3, 4, 5 | subscribes a peer to one step or to all, unsubscribes, suspends |
| N-SET, N-GET | updates and returns attributes; the Transaction UID is never returned |
| C-FIND | matches every attribute that a step has: single value, UID list, wild card, range, sequence |
| N-EVENT-REPORT 1, 2, 3 | sends state report, cancel requested, progress report; takes 2 for steps that it performs |

Filtered subscriptions count as subscriptions to all. Event types 4 and 5 (SCP status change, assigned) are not sent.
Other action types are answered with 0x0123, internal errors with 0x0110, a C-FIND that was cancelled with 0xFE00.
"""

STEP_TABLE: Final = "Requests for a step, by its state, for whoever holds the right Transaction UID:"

WEB_DETAILS: Final[dict[str, str]] = {
    "5.3.2.1": """
Instances as `application/dicom` in multipart/related, in the transfer syntax that they are stored in; metadata and
answers to searches as `application/dicom+json`. Nothing is rendered or converted, and there is no XML.
""",
    "5.3.2.2": "WADO-RS of studies, series, instances, frames, metadata and bulk data.",
    "5.3.2.3": """
As origin server STOW-RS with `application/dicom` parts, stored as by C-STORE. As user agent: results go to a peer with
`stow_url` by STOW-RS, one request for each object.
""",
    "5.3.2.4": """
QIDO-RS for studies, series and instances. Matching keys as attributes of the query, by keyword or tag; `limit` (200 by
default, 10,000 at most) and `offset`. `includefield` and `fuzzymatching` are ignored.
""",
}
"""Text by the number of its section."""

WEB_STATUSES: Final = """
STOW-RS: 200 when all instances were stored, 202 when some were, 409 when none was, 400 for a request that is no
multipart, 413 for one larger than `web.max_request_mb`. Failure Reasons are the statuses of C-STORE above.
"""

TRANSCODING: Final = """
No object is transcoded to fit an association. Results are written in Explicit VR Little Endian and may be sent
deflated, which changes no value.
"""

QUERY_KEYS: Final[dict[str, dict[str, str]]] = {
    "STUDY": {
        "PatientID": "single value",
        "IssuerOfPatientID": "single value or universal",
        "StudyInstanceUID": "universal",
        "StudyDate": "universal",
        "ModalitiesInStudy": "universal",
    },
    "SERIES": {
        "StudyInstanceUID": "single value or universal",
        "SeriesInstanceUID": "single value or universal",
        "Modality": "universal",
        "FrameOfReferenceUID": "universal",
    },
    "IMAGE": {
        "StudyInstanceUID": "single value",
        "SeriesInstanceUID": "single value",
        "SOPInstanceUID": "list of UIDs or universal",
    },
}
"""Keys of the node's queries and how they match, by level."""


def query_keys() -> str:
    """Keys of the queries that the node sends."""
    rows = (
        (level, dictionary_description(keyword), matching)
        for level, keys in QUERY_KEYS.items()
        for keyword, matching in keys.items()
    )
    return table(("Level", "Key", "Matching"), rows)


def worklist_keys() -> str:
    """Keys of the question for an order."""
    asked = matching_keys(PatientIdentity("ID", ""), "NUMBER")
    return table(("Key", "Matching"), _keys(asked))


def _keys(asked: Dataset, above: str = "") -> list[tuple[str, str]]:
    rows = []
    for element in asked:
        name = f"{above} {dictionary_description(element.tag)}".strip()
        if element.keyword == "SpecificCharacterSet":
            continue
        rows.append((name, "sequence" if element.VR == "SQ" else "universal" if element.is_empty else "single value"))
        for item in element.value if element.VR == "SQ" else ():
            rows += _keys(item, f"{above}>")
    return rows


WORKLIST: Final = """
Asked when a CT has no Accession Number or no Requested Procedure ID. The Accession Number is a key only where the CT
has one. Of what is found, the order that names the study counts, else the one with the same Accession Number, else
the only one for a CT on the day of the study. Character set of the request: ISO_IR 192. Modality Performed Procedure
Step is not supported.
"""
