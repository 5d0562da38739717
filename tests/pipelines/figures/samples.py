"""One figure of every kind, with numbers of the size that the two papers have."""

import numpy as np

from pipelines.figures.alluvial import AlluvialNode, Ribbon, alluvial
from pipelines.figures.calibration import CalibrationCurve, calibration_plot
from pipelines.figures.canvas import Drawing, Style, panels
from pipelines.figures.decision import DecisionCurve, decision_curves
from pipelines.figures.features import correlation_map, icc_histogram, importances
from pipelines.figures.flow import FlowStep, flow_diagram
from pipelines.figures.forest import Estimate, ForestRow, forest_plot
from pipelines.figures.lasso import lasso_cv, lasso_paths
from pipelines.figures.love import love_plot
from pipelines.figures.nomogram import NomogramAxis, nomogram
from pipelines.figures.patients import Course, Swimmer, spider, swimmer, waterfall
from pipelines.figures.proportions import Share, SharesOfGroup, grouped_bars, shares_over_time, stacked_bars
from pipelines.figures.roc import RocCurve, roc_curves
from pipelines.figures.scores import scores_by_class
from pipelines.figures.survival import SurvivalCurve, kaplan_meier

CLASSES = ("Shape", "First order", "Texture", "LoG", "Wavelet")
_TEXTURES = ("glcm_JointEntropy", "glszm_SmallAreaLowGrayLevelEmphasis", "gldm_LargeDependenceHighGrayLevelEmphasis")


def feature_names(count: int) -> tuple[list[str], list[str]]:
    names, classes = [], []
    for n in range(count):
        kind = CLASSES[n % 5]
        stem = {
            "Shape": f"original_shape_Sphericity{n}",
            "First order": f"original_firstorder_Kurtosis{n}",
            "Texture": f"original_{_TEXTURES[n % 3]}{n}",
            "LoG": f"log-sigma-3-0-mm-3D_{_TEXTURES[n % 3]}{n}",
            "Wavelet": f"wavelet-LLH_{_TEXTURES[n % 3]}{n}",
        }[kind]
        names.append(stem)
        classes.append(kind)
    return names, classes


def scores(n: int = 141, seed: int = 7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    outcome = rng.random(n) < 0.48
    return np.clip(np.where(outcome, 0.58, 0.25) + rng.normal(0, 0.19, n), 0.01, 0.99), outcome


def roc_curve(label: str, n: int, seed: int, *, band: bool = False) -> RocCurve:
    score, outcome = scores(n, seed)
    order = np.argsort(-score)
    tpr = np.r_[0, np.cumsum(outcome[order]) / outcome.sum()]
    fpr = np.r_[0, np.cumsum(~outcome[order]) / (~outcome).sum()]
    best = int(np.argmax(tpr - fpr))
    grid = np.linspace(0, 1, 101)
    middle = np.interp(grid, fpr, tpr)
    limits = (grid, np.clip(middle - 0.12, 0, 1), np.clip(middle + 0.08, 0, 1))
    return RocCurve(
        label, fpr, tpr, float(np.trapezoid(tpr, fpr)), (0.837, 0.960), limits if band else None,
        (float(fpr[best]), float(tpr[best])), 0.412, int(outcome.sum()), int((~outcome).sum()),
    )  # fmt: skip


def survival_curve(label: str, n: int, median: float, seed: int) -> SurvivalCurve:
    rng = np.random.default_rng(seed)
    death, lost = rng.exponential(median / np.log(2), n), rng.uniform(6, 72, n)
    durations, censored = np.minimum(death, lost), lost < death
    times = np.unique(durations[~censored])
    risk = np.array([(durations >= t).sum() for t in times])
    fails = np.array([((durations == t) & ~censored).sum() for t in times])
    surviving = np.cumprod(1 - fails / risk)
    half = 1.96 * surviving * np.sqrt(np.cumsum(fails / np.maximum(risk * (risk - fails), 1)))
    below = times[surviving <= 0.5]
    return SurvivalCurve(
        label, times, surviving, durations, censored, np.clip(surviving - half, 0, 1), np.clip(surviving + half, 0, 1),
        float(below[0]) if below.size else float("nan"), (median * 0.9, median * 1.15),
    )  # fmt: skip


def lasso_figures(style: Style) -> tuple[Drawing, Drawing]:
    rng = np.random.default_rng(3)
    names, _ = feature_names(60)
    lambdas = np.geomspace(0.3, 0.003, 100)
    size = rng.normal(0, 0.7, 60) * (rng.random(60) < 0.5)
    enter = np.geomspace(0.25, 0.004, 60)
    paths = size * np.clip(np.log(enter / lambdas[:, None]), 0, 3) / 3
    error = 1.05 + 0.35 * (np.log10(lambdas) + 1.35) ** 2
    kept = (paths != 0).sum(axis=1)
    marks = {"lambda_min": 0.0447, "lambda_1se": 0.1}
    return (
        lasso_paths(lambdas, paths, names, style=style, **marks),
        lasso_cv(lambdas, error, np.full(100, 0.08), kept, style=style, **marks),
    )


def flow_figures(style: Style) -> tuple[Drawing, Drawing]:
    first = flow_diagram(
        [
            FlowStep(
                "Patients with stage III–IV NSCLC who received PD-1/PD-L1 inhibitor monotherapy, 2018 to 2024",
                203,
                excluded=(
                    ("Less than one cycle of treatment", 17),
                    ("CT more than 28 days before the start of immunotherapy", 24),
                    ("Image quality prevents segmentation", 14),
                    ("Feature extraction failed", 7),
                ),
            ),
            FlowStep("Patients included", 141, ("Responders (CR/PR) n = 67", "Non-responders (SD/PD) n = 74")),
        ],
        [
            [FlowStep("Training set", 98, ("Responders n = 49", "Non-responders n = 49"))],
            [FlowStep("Test set", 43, ("Responders n = 18", "Non-responders n = 25"))],
        ],
        style=style,
    )
    second = flow_diagram(
        [
            FlowStep(
                "Advanced NSCLC screened",
                1204,
                excluded=(("Stage I–IIIB", 211), ("No first-line chemo-immunotherapy", 150), ("No progression", 264)),
            ),
            FlowStep("Progressed after first-line chemo-immunotherapy", 579),
        ],
        [
            [
                FlowStep("Oligoprogression", 289, excluded=(("Not matched", 55),)),
                FlowStep("Matched, oligoprogression", 234),
            ],
            [
                FlowStep("Systemic progression", 290, excluded=(("Not matched", 56),)),
                FlowStep("Matched, systemic progression", 234),
            ],
        ],
        style=style,
    )
    return first, second


def forest_figures(style: Style) -> tuple[Drawing, Drawing, Drawing]:
    def both(value: float, low: float, high: float, p: float) -> tuple[Estimate, Estimate]:
        return Estimate(value, low, high, p), Estimate(value * 1.08, low * 1.02, high * 1.2, min(1.0, p * 1.8))

    rows = [
        ForestRow("Age", kind="heading"),
        ForestRow("< 60 years", kind="reference", n="126/139"),
        ForestRow("≥ 60 years", both(0.84, 0.605, 1.165, 0.296), n="163/151"),
        ForestRow("Sex", kind="heading"),
        ForestRow("Female", kind="reference", n="34/58"),
        ForestRow("Male", both(0.533, 0.337, 0.844, 0.0073), n="255/232"),
        ForestRow("Smoking history", kind="heading"),
        ForestRow("Never", kind="reference", n="56/79"),
        ForestRow("Ever", both(0.642, 0.435, 0.948, 0.0258), n="233/211"),
        ForestRow("Histology", kind="heading"),
        ForestRow("Adenocarcinoma", kind="reference", n="89/142"),
        ForestRow("Squamous cell carcinoma", both(0.464, 0.33, 0.651, 0.000009), n="200/148"),
        ForestRow("PD-L1", kind="heading"),
        ForestRow("< 1%", kind="reference", n="97/122"),
        ForestRow("1–49%", (Estimate(0.688, 0.473, 1.001, 0.051), None), n="119/103"),
        ForestRow("≥ 50%", (Estimate(0.708, 0.462, 1.086, 0.113), Estimate(0.7, 0.01, float("inf"), 0.8)), n="73/65"),
    ]
    crude = forest_plot(
        rows, models=("Crude", "Adjusted"), n_heading="Oligo/systemic", favours=("Oligo", "Systemic"), style=style
    )
    single = forest_plot(
        [ForestRow(r.label, r.estimates[:1], r.kind, r.n) for r in rows[:9]], n_heading="O/S", measure="OR", style=style
    )
    imputed = [
        ForestRow(f"Imputation {n + 1}", (Estimate(0.62 + d, 0.51 + d, 0.75 + d, 1e-5),), n=str(462 + 2 * n))
        for n, d in enumerate((0.0, 0.01, 0.02, 0.03, 0.04))
    ]  # fmt: skip
    pooled = ForestRow("Pooled (Rubin)", (Estimate(0.64, 0.52, 0.79, 2e-5),), "pooled")
    imputations = forest_plot([*imputed, pooled], measure="HR", n_heading="n matched", style=style)
    return crude, single, imputations


def alluvial_figure(style: Style) -> Drawing:
    sites = ("Lung", "Lymph node", "Bone", "Liver", "Adrenal gland", "Brain")
    before, after = (468, 402, 131, 71, 62, 53), (374, 192, 93, 69, 54, 44)
    same = (337, 131, 70, 32, 30, 15)
    ribbons = []
    for i, source in enumerate(sites):
        for j, target in enumerate(sites):
            n = same[i] if i == j else before[i] * after[j] // 2400
            ribbons.append(Ribbon(source, target, n))
    return alluvial(
        [AlluvialNode(s, n) for s, n in zip(sites, before, strict=True)],
        [AlluvialNode(s, n) for s, n in zip(sites, after, strict=True)],
        ribbons,
        patients=579,
        style=style,
    )


def proportion_figures(style: Style) -> tuple[Drawing, Drawing, Drawing, Drawing]:
    def share(count: int, n: int) -> Share:
        p = count / n
        half = 1.96 * (p * (1 - p) / n) ** 0.5
        return Share(count, n, (max(0.0, p - half), min(1.0, p + half)))

    sites = ("Lung", "Lymph node", "Bone", "Adrenal", "Brain", "Liver")
    oligo = SharesOfGroup("Oligoprogression", tuple(share(c, 289) for c in (193, 70, 27, 21, 14, 12)))
    systemic = SharesOfGroup("Systemic progression", tuple(share(c, 290) for c in (181, 122, 66, 33, 30, 57)))
    by_site = grouped_bars(sites, (oligo, systemic), p=(0.27, 5e-6, 1e-5, 0.089, 0.013, 9e-9), style=style)
    response = grouped_bars(
        ("Objective response",),
        (SharesOfGroup("Oligoprogression", (share(184, 289),)), SharesOfGroup("Systemic", (share(119, 290),))),
        p=(5e-8,),
        style=style,
    )
    levels = stacked_bars(
        ("< 1%", "1–49%", "≥ 50%"),
        (
            SharesOfGroup("Oligoprogression", tuple(Share(c, 289) for c in (97, 119, 73))),
            SharesOfGroup("Systemic progression", tuple(Share(c, 290) for c in (122, 103, 65))),
        ),
        p=0.107,
        test="χ² test,",
        title="PD-L1 (TPS)",
        style=style,
    )
    over_time = shares_over_time(
        ("0–2", "2–4", "4–6", "6–8", "8–10", "10–12", "> 12"),
        [share(c, n) for c, n in ((22, 70), (45, 120), (50, 105), (40, 81), (30, 52), (35, 50))] + [share(67, 101)],
        label="Oligoprogression",
        other="Systemic progression",
        p_trend=2e-9,
        test="Cochran–Armitage test for trend",
        style=style,
    )
    return by_site, response, levels, over_time


def patient_figures(style: Style) -> dict[str, Drawing]:
    rng = np.random.default_rng(11)
    score, outcome = scores()
    best = np.array(["CR", "PR", "SD", "PD"])[np.clip((rng.random(141) * 4).astype(int), 0, 3)]
    change = {"CR": -100.0, "PR": -50.0, "SD": -5.0, "PD": 45.0}
    changes = np.array([np.clip(change[b] + rng.normal(0, 12) * (b != "CR"), -100, 160) for b in best])
    changes[5] = np.nan
    courses, lanes = [], []
    for n in range(30):
        months = np.arange(0, rng.integers(3, 9)) * 2.0
        drift = change[best[n]] * (1 - np.exp(-months / 4)) + np.r_[0, rng.normal(0, 6, months.size - 1)]
        events = ((float(months[-1]), "New lesion"),) if best[n] == "PD" else ()
        courses.append(Course(months, drift, str(best[n]), events))
        pfs, os = float(months[-1]), float(months[-1] + rng.exponential(8))
        done = ((2.0, str(best[n])), (pfs, "PD")) + (((os, "Death"),) if n % 3 else ())
        lanes.append(
            Swimmer(f"{n + 1:03d}", ((0.0, pfs, "First line"), (pfs, os, "After progression")), done, n % 3 == 0)
        )
    levels = ("CR", "PR", "SD", "PD")
    return {
        "waterfall_score": waterfall(
            np.log(score / (1 - score)), ["Responder" if o else "Non-responder" for o in outcome],
            ylabel="Rad-signature (log odds)", lines=((-0.35, "cut-off"),), style=style,
        ),
        "waterfall_change": waterfall(
            changes, list(map(str, best)), levels=levels, ylabel="Best change of the sum of diameters (%)",
            lines=((20, "+20%"), (-30, "−30%")), limits=(-100, 100), style=style,
        ),
        "spider": spider(courses, levels=levels, style=style),
        "swimmer": swimmer(lanes, style=style),
        "scores_box": scores_by_class(
            (("Responder", score[outcome]), ("Non-responder", score[~outcome])), ylabel="Rad-score", p=2e-16,
            test="Mann–Whitney", cut_off=0.41, style=style,
        ),
        "scores_violin": scores_by_class(
            (("CR", score[:9]), ("PR", score[9:67]), ("SD", score[67:91]), ("PD", score[91:])), ylabel="Rad-score",
            kind="violin", style=style,
        ),
    }  # fmt: skip


def model_figures(style: Style) -> dict[str, Drawing]:
    score, outcome = scores()
    grid = np.linspace(0.02, 0.98, 60)
    flexible = np.clip(0.05 + 0.95 * grid**1.2, 0, 1)
    thresholds = np.arange(0.01, 0.96, 0.01)

    def benefit(values: np.ndarray) -> np.ndarray:
        tp = np.array([(values >= t)[outcome].sum() for t in thresholds])
        fp = np.array([(values >= t)[~outcome].sum() for t in thresholds])
        return (tp - fp * thresholds / (1 - thresholds)) / outcome.size

    model, clinical = benefit(score), benefit(np.clip(score * 0.5 + 0.2, 0, 1))
    one = NomogramAxis(
        "Rad-signature", tuple(np.linspace(0, 100, 11)), tuple(f"{v:.1f}" for v in np.linspace(0, 1, 11))
    )
    stage = NomogramAxis("Clinical stage (8th edition)", (0, 9, 14, 31, 38), ("IIIA", "IIIB", "IIIC", "IVA", "IVB"))
    sex = NomogramAxis("Sex", (0, 12), ("Female", "Male"))
    probabilities = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)

    def outcome_axis(label: str, shift: float) -> NomogramAxis:
        at = tuple(75 + shift + 14 * float(np.log(p / (1 - p))) for p in probabilities)
        return NomogramAxis(label, at, tuple(f"{p:g}" for p in probabilities))

    return {
        "roc": roc_curves([roc_curve("Training", 98, 1, band=True), roc_curve("Test", 43, 2)], style=style),
        "roc_many": roc_curves([roc_curve(f"Model {n} with a long name", 141, n) for n in range(5)], style=style),
        "calibration": calibration_plot(
            [
                CalibrationCurve(
                    "Training", grid, flexible, flexible - 0.1, flexible + 0.1,
                    tuple((p, p + 0.04, p - 0.1, p + 0.15) for p in (0.1, 0.3, 0.5, 0.7, 0.85)), score, outcome,
                    ("slope 0.94 (0.71–1.20)", "intercept 0.05 (−0.30–0.40)", "Brier 0.142"),
                )
            ],
            outcome="response", style=style,
        ),
        "calibration_two": calibration_plot(
            [
                CalibrationCurve("Training", grid, flexible, predictions=score, outcomes=outcome),
                CalibrationCurve(
                    "Test", grid, flexible**1.5, predictions=score[:43], outcomes=outcome[:43], note=("slope 0.8",)
                ),
            ],
            style=style,
        ),
        "nomogram_one": nomogram([one], [outcome_axis("Probability of response", -25)], style=style),
        "nomogram_cox": nomogram(
            [one, stage, sex],
            [outcome_axis(f"{months}-month survival", shift) for months, shift in ((6, 20), (12, 0), (24, -20))],
            style=style,
        ),
        "decision": decision_curves(
            [
                DecisionCurve("Rad-score", thresholds, model, model - 0.06, model + 0.06),
                DecisionCurve("Clinical", thresholds, clinical),
            ],
            prevalence=float(outcome.mean()), n=141, style=style,
        ),
    }  # fmt: skip


def feature_figures(style: Style) -> dict[str, Drawing]:
    rng = np.random.default_rng(5)
    names, classes = feature_names(120)
    small, large = rng.normal(size=(141, 10)), rng.normal(size=(141, 120))
    small[:, 5:] = small[:, :5] + rng.normal(0, 0.6, (141, 5))
    large += rng.normal(size=(141, 4)) @ rng.normal(size=(4, 120))
    wide = np.corrcoef(large.T)
    wide[3, :] = wide[:, 3] = np.nan
    icc = np.r_[np.clip(1 - rng.exponential(0.12, 1200), -0.5, 1), np.full(18, np.nan)]
    return {
        "importances": importances(names, rng.exponential(1, 120) * (rng.random(120) > 0.2), classes, style=style),
        "importances_signed": importances(
            names[:10], rng.normal(size=10), classes[:10], xlabel="Coefficient", style=style
        ),
        "correlation_small": correlation_map(np.corrcoef(small.T), names[:10], style=style),
        "correlation_middle": correlation_map(wide[:40, :40], names[:40], style=style),
        "correlation_large": correlation_map(wide, names, style=style),
        "icc": icc_histogram(icc, style=style),
    }


def gallery(style: Style) -> dict[str, Drawing]:
    """Every kind of figure by name."""
    paths, cv = lasso_figures(style)
    flow_a, flow_b = flow_figures(style)
    crude, single, imputations = forest_figures(style)
    by_site, response, levels, over_time = proportion_figures(style)
    covariates = ("Age", "Sex", "Smoking history", "ECOG", "Brain metastasis", "Histology", "Stage", "PD-L1 (3 levels)")
    pre = (0.087, 0.227, 0.187, 0.031, 0.107, 0.378, 0.158, 0.176)
    post = (0.077, 0.012, 0.031, 0.098, 0.043, 0.009, 0.044, 0.188)
    curves = [survival_curve("Oligoprogression", 289, 20.0, 1), survival_curve("Systemic progression", 290, 10.5, 2)]
    survival = kaplan_meier(
        curves, ylabel="Overall survival", p=2e-9, notes=("HR 0.59 (95% CI 0.49–0.70)",), until=72, style=style
    )
    few = kaplan_meier(
        [survival_curve(f"Group {n}", 40, 8.0 * (n + 1), n) for n in range(4)], ylabel="Progression-free survival",
        landmark=6.0, p=0.03, style=style,
    )  # fmt: skip
    matched = [True, True, True, False, True, True, True, True]
    return {
        "flow_a": flow_a,
        "flow_b": flow_b,
        "lasso_paths": paths,
        "lasso_cv": cv,
        **feature_figures(style),
        **model_figures(style),
        **patient_figures(style),
        "love": love_plot(covariates, pre, post, n_before=579, n_after=468, matched_on=matched, style=style),
        "forest": crude,
        "forest_single": single,
        "forest_imputations": imputations,
        "survival": survival,
        "survival_four": few,
        "alluvial": alluvial_figure(style),
        "sites": by_site,
        "response": response,
        "pdl1": levels,
        "over_time": over_time,
        "panels": panels([survival, few, cv, response], style=style),
    }
