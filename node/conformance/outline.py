"""The sections of a conformance statement as PS3.2 annex N numbers them, and which of them do not apply."""

from collections.abc import Iterator, Mapping
from typing import Final

OUTLINE: Final[dict[str, str]] = {
    "1": "Overview",
    "1.1": "Content and Transfer",
    "1.1.1": "Structured Reporting Root Template IDs",
    "1.2": "DIMSE Services",
    "1.2.1": "Verification",
    "1.2.2": "Storage",
    "1.2.3": "Workflow Management",
    "1.2.4": "Query/Retrieve",
    "1.2.5": "Printing",
    "1.3": "DICOM Web Services",
    "1.3.1": "URI Service",
    "1.3.2": "Studies Service",
    "1.3.3": "Worklist Service",
    "1.3.4": "Non-Patient Instance Service",
    "1.3.5": "Storage Commitment Service",
    "1.3.6": "Modality Scheduled Procedure Step Service",
    "1.3.7": "Modality Performed Procedure Step Service",
    "1.4": "Media Services",
    "1.5": "Real-Time Video Service",
    "1.6": "De-identification Profiles",
    "1.7": "Specific Character Sets",
    "2": "Table of Contents",
    "3": "Introduction",
    "3.1": "Revision History",
    "3.2": "Audience",
    "3.3": "Remarks",
    "3.4": "Terms and Definitions",
    "3.5": "Abbreviations",
    "3.6": "References",
    "4": "Implementation Model",
    "4.1": "Application Entities and Data Flow",
    "4.1.1": "Functional Definition of the Application Entity",
    "5": "Service and Interoperability Description",
    "5.1": "Mapping of Services to Application Entities",
    "5.2": "DIMSE Services",
    "5.2.1": "Basic Worklist Management Service",
    "5.2.2": "Modality Performed Procedure Step Service",
    "5.2.3": "Unified Worklist and Procedure Step Service",
    "5.2.4": "Instance Availability Notification Service",
    "5.2.5": "Storage Service",
    "5.2.5.1": "SCU of the Storage SOP Classes",
    "5.2.5.1.1": "Transcoding of Transfer Syntaxes",
    "5.2.5.2": "SCP of the Storage SOP Classes",
    "5.2.6": "Storage Commitment Service",
    "5.2.7": "Query/Retrieve Service",
    "5.2.8": "Print Management Service",
    "5.3": "DICOM Web Services",
    "5.3.1": "URI Web Service",
    "5.3.2": "Studies Web Service",
    "5.3.2.1": "Media Types",
    "5.3.2.2": "Retrieve",
    "5.3.2.3": "Store",
    "5.3.2.4": "Search",
    "5.3.3": "Worklist Web Service",
    "5.3.4": "Non-Patient Instance Web Service",
    "5.3.5": "Notification Web Service",
    "5.3.6": "Storage Commitment Web Service",
    "5.3.7": "Modality Scheduled Procedure Step Web Service",
    "5.3.8": "Modality Performed Procedure Step Web Service",
    "5.4": "Media Services",
    "5.5": "Real-Time Video Services",
    "5.6": "Cross-Service Considerations",
    "5.7": "Specific Character Sets",
    "6": "Configuration",
    "6.1": "General Configuration Parameters",
    "6.2": "Configuration of DIMSE Services",
    "6.2.1": "Basic Worklist Management Service",
    "6.2.2": "Modality Performed Procedure Step Service",
    "6.2.3": "Unified Worklist and Procedure Step Service",
    "6.2.4": "Instance Availability Notification Service",
    "6.2.5": "Storage Service",
    "6.2.6": "Storage Commitment Service",
    "6.2.7": "Query/Retrieve Service",
    "6.2.8": "Print Management Service",
    "6.3": "Configuration of DICOM Web Services",
    "6.4": "Configuration of the Media Storage Service",
    "6.5": "Configuration of the Real-Time Video Service",
    "6.6": "Configuration of the Audit Trail",
    "7": "Network and Media Communication Details",
    "7.1": "General",
    "7.1.1": "General Association Parameters",
    "7.2": "Specifications",
    "7.2.1": "Application Entity",
    "7.2.1.1": "Sequencing of Real-World Activities",
    "7.2.1.2": "Association Parameters",
    "7.2.1.3": "Association Initiation",
    "7.2.1.4": "Association Acceptance",
    "7.3": "Status Codes",
    "7.3.1": "General Communication and Failure Behaviour",
    "7.3.2": "DIMSE Services",
    "7.3.3": "DICOM Web Services",
    "8": "Security",
    "8.1": "Introduction",
    "8.2": "External Network Requirements",
    "8.3": "TCP Port Configuration",
    "8.4": "DICOM Security Profiles Support",
    "8.4.1": "Secure Use and User Identity Profiles",
    "8.4.2": "Secure Transport Connection Profiles",
    "8.4.3": "Media Storage Security Profiles",
    "8.4.4": "Attribute Confidentiality Profiles",
    "8.4.5": "Digital Signature Profiles",
    "8.4.6": "Additional DICOM Security Profiles",
    "8.5": "User Identity Negotiation Support",
    "8.6": "Web Services Security Features",
    "8.7": "Other Security Features",
    "A.A": "Information Object Definitions",
    "A.A.1": "Information Shared across Multiple IODs",
    "A.B": "Structured Report Content Encoding",
    "A.C": "Security Details",
    "A.D": "Mapping of Attributes",
    "A.E": "Code Set Usage",
}
"""Titles by number. What the template numbers N.1 is 1 here, as it asks; its annexes keep their letters."""

NOT_APPLICABLE: Final[dict[str, str]] = {
    "1.2.5": "the node prints nothing",
    "1.3.1": "WADO-URI is not offered",
    "1.3.3": "procedure steps are served by DIMSE only",
    "1.3.4": "the node has no instances without a patient",
    "1.3.5": "commitment is asked for and given by DIMSE only",
    "1.3.6": "the node schedules no modality",
    "1.3.7": "the node is no modality",
    "1.4": "the node reads and writes no DICOM media: no DICOMDIR, no application profile of PS3.11",
    "1.5": "the node has nothing to do with video",
    "5.2.2": "the node neither reports nor takes performed procedure steps of a modality",
    "5.2.4": "a commitment or a query tells that results are there",
    "5.2.8": "the node prints nothing",
    "5.3.1": "WADO-URI is not offered",
    "5.3.3": "procedure steps are served by DIMSE only",
    "5.3.4": "the node has no instances without a patient",
    "5.3.5": "subscribers of procedure steps are told by DIMSE only",
    "5.3.6": "commitment is asked for and given by DIMSE only",
    "5.3.7": "the node schedules no modality",
    "5.3.8": "the node is no modality",
    "5.4": "the node reads and writes no DICOM media",
    "5.5": "the node has nothing to do with video",
    "6.2.2": "there is no such service",
    "6.2.4": "there is no such service",
    "6.2.8": "there is no such service",
    "6.4": "there is no such service",
    "6.5": "there is no such service",
    "6.6": "no audit messages after PS3.15 A.5 are sent",
    "8.4.1": "none is claimed",
    "8.4.2": "none is claimed",
    "8.4.3": "the node reads and writes no DICOM media",
    "8.4.4": "none is claimed",
    "8.4.5": "none is claimed; results are not signed, signatures of received instances are kept and not verified",
    "8.4.6": "none is claimed",
    "A.C": "no security profile is claimed",
}
"""Why a section has nothing to say, for the node whatever its settings."""


def sections(content: Mapping[str, str]) -> Iterator[str]:
    """The statement section by section, each with its heading.

    Parameters
    ----------
    content
        Text of a section by its number.

    Raises
    ------
    ValueError
        If a section that holds no others has neither a text nor a reason why it has none, if one has both, or if there
        is text for a section that the outline lacks.
    """
    unknown = content.keys() - OUTLINE.keys()
    if unknown:
        raise ValueError(f"there is text for {', '.join(sorted(unknown))}, which the outline lacks")
    for number, title in OUTLINE.items():
        holds_others = any(other.startswith(f"{number}.") for other in OUTLINE)
        if number in content and number in NOT_APPLICABLE:
            raise ValueError(f"section {number} has a text and a reason why it has none")
        if number not in content and number not in NOT_APPLICABLE and not holds_others:
            raise ValueError(f"section {number} has neither a text nor a reason why it has none")
        yield heading(number, title)
        if number in content:
            yield content[number]
        elif number in NOT_APPLICABLE:
            yield f"Does not apply: {NOT_APPLICABLE[number]}."


def heading(number: str, title: str) -> str:
    """The heading of a section; the levels of Markdown end at six."""
    level = min(6, number.removeprefix("A.").count(".") + 2)
    shown = f"Annex {number}" if number.startswith("A.") and number.count(".") == 1 else number
    return f"{'#' * level} {shown} {title}"


def contents() -> str:
    """The table of contents, two levels deep."""
    lines = []
    for number, title in OUTLINE.items():
        depth = number.removeprefix("A.").count(".")
        if depth < 2:
            lines.append(f"{'  ' * depth}- {number} {title}")
    return "\n".join(lines)
