"""Choose the cases that a second reader draws, and compare what two readers drew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import click
from pydicom import dcmread
from rich.console import Console

from node.adapters.ledger_cohorts import CohortCase
from node.bootstrap.site import lesion_rule, tolerances
from node.bootstrap.stores import Stores
from node.commands.cohort.keep import members_of, tell
from node.commands.cohort.secret import read_pseudonyms
from node.settings import Settings
from pipelines.cohort.reader_identity import Drawing, TwoReaders, drawing_of, two_readers
from pipelines.cohort.readers import Agreement, Outlined, Pair, agreement, largest, paired, sample
from pipelines.cohort.table_file import write_csv
from pipelines.domain.case import Case
from pipelines.domain.reasons import Rejected
from pipelines.figures.features import icc_histogram
from pipelines.imaging.case import read_case
from pipelines.statistics.agreement import Form, Rule


@dataclass(frozen=True, slots=True)
class AgreementRequest:
    """What was asked for; `every` compares all lesions instead of the largest of each patient.

    `whoever` compares drawings that bear the same reader's name, too.
    """

    cohort: str
    form: Form
    rule: Rule
    threshold: float
    every: bool
    whoever: bool
    output: Path | None
    secret: Path


def run_sample(stores: Stores, cohort: str, n: int, seed: int, output: Path | None, console: Console) -> int:
    """List measured cases, one a patient, chosen at random; the exit code."""
    members = members_of(stores.cohorts, cohort)
    if isinstance(members, Rejected):
        return tell(console, [members])
    first: dict[str, CohortCase] = {}
    for case in stores.cohorts.cases([member.key for member in members]):
        if any(lesion.features for lesion in case.lesions):
            first.setdefault(case.patient_key, case)
    # numbers of cases, not keys: what a patient's key sorts by must not decide anything
    chosen = sample(sorted(first.values(), key=lambda one: one.case), n, seed)
    if not chosen:
        return tell(console, [Rejected("COH-006", "No case of the cohort is measured.", "Wait, or send CTs.")])
    if len(chosen) < n:
        console.print(f"Only {len(chosen)} patients have a measured case.")
    data = write_csv(["case", "ct_series"], [[case.case, case.series] for case in chosen])
    if output is None:
        click.echo(data.decode("utf-8"), nl=False)
    else:
        output.write_bytes(data)
        console.print(f"{len(chosen)} cases written to {output}.", markup=False, soft_wrap=True)
    return 0


def run_agreement(settings: Settings, stores: Stores, request: AgreementRequest, console: Console) -> int:
    """Compare the first two segmentations of each CT of the cohort; the exit code."""
    members = members_of(stores.cohorts, request.cohort)
    if isinstance(members, Rejected):
        return tell(console, [members])
    pseudonyms = read_pseudonyms(request.secret)
    if isinstance(pseudonyms, Rejected):
        return tell(console, [pseudonyms])
    pairs: list[Pair] = []
    twice = twice_drawn(stores, stores.cohorts.cases([member.key for member in members]), whoever=request.whoever)
    for first, second in twice.pairs:
        sides = [_outlined(settings, stores, case) for case in (first, second)]
        faults = [side for side in sides if isinstance(side, Rejected)]
        if faults:
            console.print(f"Cases {first.case} and {second.case} are left out: {faults[0]}", markup=False)
            continue
        one, other = (side for side in sides if not isinstance(side, Rejected))
        pairs += paired(pseudonyms.patient(first.patient_key), one, other)
    for notice in twice.notices():
        console.print(notice, markup=False, soft_wrap=True)
    compared = pairs if request.every else largest(pairs)
    found = agreement(compared, form=request.form, rule=request.rule, threshold=request.threshold)
    if isinstance(found, Rejected):
        return tell(console, [found])
    kept = found.features.kept_names
    console.print(
        f"{len(found.pairs)} lesions drawn twice, median Dice {found.median_dice:.3f}; {len(kept)} of "
        f"{len(found.features.names) + len(found.missing)} features have a {request.form} above {request.threshold:g}."
    )
    if request.output is not None:
        _write(found, request, request.output)
        console.print(f"Written to {request.output}.", markup=False, soft_wrap=True)
    return 0


@dataclass(frozen=True, slots=True)
class TwiceDrawn:
    """CTs that two readers drew.

    Attributes
    ----------
    unnamed
        How many pairs do not tell both readers.
    same
        Cases of CTs that were drawn more than once, but by one reader.
    """

    pairs: tuple[tuple[CohortCase, CohortCase], ...]
    unnamed: int
    same: tuple[tuple[int, ...], ...]

    def notices(self) -> tuple[str, ...]:
        """What a person has to know of the readers."""
        told = [
            str(
                Rejected(
                    "COH-009",
                    f"Cases {', '.join(map(str, cases))} are drawings of one CT by the same reader, and are left out.",
                    "Have another reader draw it; if the program writes one name for everybody, add --any-reader.",
                )
            )
            for cases in self.same
        ]
        if self.unnamed:
            told.append(
                f"Of {self.unnamed} of {len(self.pairs)} CTs the segmentations do not tell who drew them; that their "
                "readers are different is taken on trust."
            )
        return tuple(told)


def twice_drawn(stores: Stores, cases: Sequence[CohortCase], *, whoever: bool) -> TwiceDrawn:
    """Of each CT with several measured segmentations the first two that are not by the same reader."""
    by_series: dict[str, list[CohortCase]] = {}
    for case in cases:
        if case.segmentation is not None and any(lesion.features for lesion in case.lesions):
            by_series.setdefault(case.series, []).append(case)
    found: list[tuple[TwoReaders, dict[int, CohortCase]]] = []
    same = []
    for drawn in by_series.values():
        if len(drawn) < 2:
            continue
        chosen = two_readers([_drawing(stores, case) for case in drawn], whoever=whoever)
        if chosen is None:
            same.append(tuple(case.case for case in drawn))
        else:
            found.append((chosen, {case.case: case for case in drawn}))
    pairs = tuple((here[chosen.first], here[chosen.second]) for chosen, here in found)
    return TwiceDrawn(pairs, sum(not chosen.named for chosen, _ in found), tuple(same))


def _drawing(stores: Stores, case: CohortCase) -> Drawing:
    if case.segmentation is None:
        return Drawing(case.case, "", "")
    header = dcmread(stores.spool.path(case.segmentation), stop_before_pixels=True)
    return drawing_of(case.case, header)


def _outlined(settings: Settings, stores: Stores, case: CohortCase) -> tuple[Outlined, ...] | Rejected:
    if case.segmentation is None or not case.images:
        return Rejected("COH-006", f"Files of case {case.case} were given up.", "Send them again.")
    segmentation = dcmread(BytesIO(stores.spool.read(case.segmentation)))
    read = read_case(
        [dcmread(BytesIO(stores.spool.read(image))) for image in case.images],
        segmentation,
        inputs_digest="",
        rule=lesion_rule(settings),
        assume_charset=settings.receive.assume_charset,
        tolerances=tolerances(settings),
    )
    return read if isinstance(read, Rejected) else _measured(read, case)


def _measured(read: Case, case: CohortCase) -> tuple[Outlined, ...]:
    features: Mapping[int, Mapping[str, float]] = {
        lesion.number: dict(lesion.features) for lesion in case.lesions if lesion.features
    }
    return tuple(
        # a derived UID names the segment, not the lesion
        Outlined(
            lesion.tracking_uid if lesion.tracking_uid_sent else "",
            lesion.mask,
            lesion.mask.volume_ml(read.ct.grid),
            features[lesion.number],
        )
        for lesion in read.lesions
        if lesion.number in features
    )


def _write(found: Agreement, request: AgreementRequest, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for table in found.tables():
        (folder / f"{table.name}.csv").write_bytes(table.csv())
    (folder / "reliable.txt").write_text("".join(f"{name}\n" for name in found.features.kept_names), "utf-8")
    name = f"ICC({request.form[3]},{'k' if request.form.endswith('k') else '1'})"
    drawn = icc_histogram(
        found.features.icc.estimate if request.rule == "estimate" else found.features.icc.lower,
        threshold=request.threshold,
        form=name if request.rule == "estimate" else f"Lower limit of {name}",
    )
    (folder / "icc.svg").write_bytes(drawn.svg())
    (folder / "icc.png").write_bytes(drawn.png())
