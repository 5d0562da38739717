"""The verb by which readers decide about lesions."""

import click

from node.verbs.context import Node
from node.verbs.failing import reporting_errors
from pipelines.domain.identifiers import CaseId
from pipelines.domain.readings import Question, words_of


@click.command()
@click.argument("case", type=int)
@click.option("--lesion", type=int, help="Number of the lesion that the decisions are about.")
@click.option("--role", type=click.Choice(list(words_of(Question.ROLE))), help="What it counts as.")
@click.option(
    "--non-target", type=click.Choice(list(words_of(Question.NON_TARGET))), help="How this non-target lesion does."
)
@click.option("--new", type=click.Choice(list(words_of(Question.NEW_LESION))), help="How sure it is that it is new.")
@click.option("--nature", type=click.Choice(list(words_of(Question.NATURE))), help="What it consists of.")
@click.option("--same-as", help="Which lesion it is: CASE:LESION, a Tracking UID, or `different`.")
@click.option("--irradiated", type=click.Choice(["yes", "no"]), help="In an irradiated field, and not grown since.")
@click.option("--node", "new_node", type=click.Choice(["yes", "no"]), help="A node that grew is new disease.")
@click.option("--markers", type=click.Choice(["yes", "no"]), help="A tumour marker is above normal at this scan.")
@click.option("--baseline", type=click.Choice(["yes", "no"]), help="This scan is the baseline.")
@click.option("--undo", type=int, is_flag=False, flag_value=0, help="Take back decision N; without N the last one.")
@click.option("--reason", default="", help="Why.")
@click.option("--by", "who", help="Who decides, a role or an account.  [default: the account]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_obj
@reporting_errors
def review(
    node: Node,
    case: int,
    lesion: int | None,
    role: str | None,
    non_target: str | None,
    new: str | None,
    nature: str | None,
    same_as: str | None,
    irradiated: str | None,
    new_node: str | None,
    markers: str | None,
    baseline: str | None,
    undo: int | None,
    reason: str,
    who: str | None,
    *,
    as_json: bool,
) -> None:
    """List the lesions of CASE with what readers decided, or decide. Every decision is kept, also when taken back.

    \b
    Example: pulmonode review 17 --lesion 2 --role non-target --reason "beside the heart"
    """
    from node.commands.patient import account
    from node.commands.review import run_review

    given = {
        Question.ROLE: role,
        Question.NON_TARGET: non_target,
        Question.NEW_LESION: new,
        Question.NATURE: nature,
        Question.SAME_AS: same_as,
        Question.IRRADIATED: irradiated,
        Question.NODE: new_node,
        Question.MARKERS: markers,
        Question.BASELINE: baseline,
    }
    answers = {question: word for question, word in given.items() if word is not None}
    asked = who or account()
    click.echo(
        run_review(node.stores(), CaseId(case), answers, lesion, undo, who=asked, reason=reason, as_json=as_json)
    )
