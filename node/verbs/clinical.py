"""The verbs about what is known of patients."""

import sys
from pathlib import Path

import click

from node.commands.entries import entry_options
from node.verbs.context import Node
from node.verbs.failing import reporting_errors
from pipelines.domain.clinical_fields import MOST_REPEATED


@click.group()
def patient() -> None:
    """Enter what is known of a patient's treatment and fate, and look at it.

    ID is the Patient ID as the images have it; `-` reads it from standard input. Only its digest is kept.
    """


@patient.command("set")
@click.argument("patient_id", metavar="ID")
@click.option("--issuer", default="", help="Issuer of Patient ID (0010,0021), where images have it.")
@click.option("--line", type=click.IntRange(1, MOST_REPEATED), help="Number of the line that --line-... is about.")
@click.option("--local", type=click.IntRange(1, MOST_REPEATED), help="Number of the treatment of --local-....")
@click.option("--by", "who", help="Who says so, a role or an account.  [default: the account]")
@entry_options
@click.pass_obj
@reporting_errors
def patient_set(
    node: Node, patient_id: str, issuer: str, line: int | None, local: int | None, who: str | None, **entries: str
) -> None:
    """Record what is known of the patient ID. An empty value takes an entry back; nothing is ever overwritten.

    \b
    Example: pulmonode patient set 4711 --ici-start 2024-01-15 --line 2 --line-start 2024-09
    """
    from node.commands.patient import account, key_from, keyed, set_patient

    values = keyed(entries, line=line, local=local)
    if not values:
        raise click.UsageError("Nothing to record; see --help for what can be said.")
    for told in set_patient(node.settings(), key_from(patient_id, issuer), values, who=who or account()):
        click.echo(told)


@patient.command("show")
@click.argument("patient_id", metavar="ID")
@click.option("--issuer", default="", help="Issuer of Patient ID (0010,0021), where images have it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_obj
@reporting_errors
def patient_show(node: Node, patient_id: str, issuer: str, *, as_json: bool) -> None:
    """Show what is known of the patient ID, who entered it and when.

    \b
    Example: pulmonode patient show 4711
    """
    from node.commands.patient import key_from, shown

    click.echo(shown(node.settings(), key_from(patient_id, issuer), as_json=as_json))


@patient.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--skip", is_flag=True, help="Import the rows that are right and leave the others.")
@click.option("--issuer", default="", help="Issuer of Patient ID (0010,0021) of the patients of a bundle.")
@click.option("--identifier-system", help="System of the identifier in a bundle that is the Patient ID of DICOM.")
@click.option("--by", "who", help="Who says so, a role or an account.  [default: the account]")
@click.pass_obj
@reporting_errors
def patient_import(
    node: Node, file: Path, issuer: str, identifier_system: str | None, who: str | None, *, skip: bool
) -> None:
    """Import a table of patients (CSV or XLSX) or a FHIR R4 bundle (JSON).

    The columns are those of the data dictionary in the manual. When one cell is wrong nothing is imported, unless
    --skip is given. What is not understood in a bundle is listed and left.

    \b
    Example: pulmonode patient import cohort.xlsx
    """
    from node.commands.patient import account, describe, import_bundle, import_table

    asked = who or account()
    if file.suffix.lower() == ".json":
        told, problems, whole = import_bundle(
            node.settings(), file, issuer=issuer, identifier_system=identifier_system, who=asked
        )
    else:
        told, problems, whole = import_table(node.settings(), file, skip=skip, who=asked)
    for line in describe(problems):
        click.echo(line, err=True)
    for line in told:
        click.echo(line)
    sys.exit(0 if whole or skip else 1)
