"""The items of the reporting checklists that a model card answers, each with the topic that answers it.

References
----------
TRIPOD+AI: Collins et al., BMJ 2024;385:e078378. CLAIM: Tejani et al., Radiology: Artificial Intelligence
2024;6(4):e240300. METRICS: Kocak et al., Insights into Imaging 2024;15:8. Items are named here in short words of our
own; the papers say what belongs to each.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a checklist.

    Attributes
    ----------
    topic
        Key of `TOPICS`: one answer may serve several checklists.
    """

    checklist: str
    number: str
    title: str
    topic: str


TOPICS: Final[dict[str, str]] = {
    "title": "Name, version and kind of model",
    "summary": "Structured summary",
    "background": "Clinical background and existing models",
    "intended_use": "Intended use and population",
    "inequalities": "Known health inequalities in the population",
    "objectives": "Objectives and hypotheses",
    "design": "Prospective or retrospective, and the goal of the study",
    "data": "Sources of the data",
    "dates": "Dates of the data",
    "centres": "Setting and number of centres",
    "eligibility": "Inclusion and exclusion criteria",
    "treatments": "Treatments received",
    "preparation": "Preparation of data and images",
    "subset": "Choice of a part of the data",
    "deidentification": "De-identification",
    "acquisition": "Acquisition of the images",
    "interval": "Interval between imaging and therapy or outcome",
    "outcome": "Definition of the outcome and its time",
    "outcome_rationale": "Why this outcome or reference standard",
    "outcome_assessors": "Who assessed the outcome",
    "outcome_blinding": "Blinding of the assessment",
    "predictor_choice": "Choice of the candidate predictors",
    "predictors": "Definition of the predictors",
    "segmentation": "Segmentation and who did it",
    "test_segmentation": "Segmentation of the test data",
    "automatic_segmentation": "Evaluation of automatic segmentation",
    "observer_agreement": "Agreement between readers, and removal of features that are not robust",
    "sample_size": "Sample size and how it was arrived at",
    "missing_data": "Missing data",
    "partition": "Division of the data",
    "partition_level": "Level at which the parts are disjoint",
    "predictor_handling": "Transformation and scaling of the predictors",
    "selection": "Selection of features, removal of redundant ones",
    "dimensionality": "Number of features beside number of cases",
    "model": "Kind of model and how it was built",
    "training": "How the coefficients were fitted",
    "initialisation": "Starting values and random seeds",
    "final_model": "Choice of the final model",
    "ensemble": "Ensembles",
    "internal_validation": "Internal validation",
    "external_validation": "Testing on other data",
    "heterogeneity": "Differences between centres or scanners",
    "measures": "Measures of performance",
    "uncertainty": "Statistical uncertainty",
    "calibration": "Calibration",
    "robustness": "Robustness and sensitivity",
    "explainability": "Explanation of single predictions",
    "comparison_imaging": "Use of one image type, or comparison with it",
    "comparison_clinical": "Comparison with a model without radiomics",
    "comparison_simple": "Comparison with simple models",
    "confounders": "Confounding factors",
    "deep_learning": "Robustness of deep learning",
    "updating": "Updating of the model",
    "prediction": "How a prediction is computed",
    "imbalance": "Imbalance of the classes",
    "fairness": "Fairness",
    "output": "Output, classes and cut-off",
    "differences": "Differences between training and evaluation data",
    "ethics": "Ethical approval",
    "funding": "Funding",
    "interests": "Conflicts of interest",
    "protocol": "Protocol",
    "registration": "Registration",
    "data_sharing": "Availability of the data",
    "code_sharing": "Availability of the code",
    "model_sharing": "Availability of the model and its licence",
    "public": "Involvement of patients and the public",
    "flow": "Flow of the participants",
    "characteristics": "Characteristics of the participants",
    "events": "Cases and events",
    "specification": "Full specification of the model",
    "performance": "Performance with confidence intervals",
    "failures": "Analysis of failures",
    "interpretation": "Interpretation",
    "limitations": "Limitations",
    "input_quality": "Poor or unavailable input",
    "user": "Users and their expertise",
    "next_steps": "Next steps",
    "software": "Software and versions",
    "extraction": "Feature extraction software and settings",
    "guidelines": "Checklists followed",
}
"""Every topic on which a card can say something."""

_TRIPOD: Final = """
1 Title: title
2 Abstract: summary
3a Healthcare context: background
3b Target population and purpose: intended_use
3c Health inequalities: inequalities
4 Objectives: objectives
5a Sources of data: data
5b Dates: dates
6a Setting and centres: centres
6b Eligibility: eligibility
6c Treatments: treatments
7 Data preparation: preparation
8a Outcome: outcome
8b Outcome assessors: outcome_assessors
8c Blinding of the outcome assessment: outcome_blinding
9a Choice of initial predictors: predictor_choice
9b Definition of predictors: predictors
9c Predictor assessors: segmentation
10 Sample size: sample_size
11 Missing data: missing_data
12a Use of the data: partition
12b Handling of predictors: predictor_handling
12c Type of model and building: model
12d Heterogeneity: heterogeneity
12e Measures of performance: measures
12f Model updating: updating
12g Computation of predictions: prediction
13 Class imbalance: imbalance
14 Fairness: fairness
15 Model output: output
16 Training versus evaluation: differences
17 Ethical approval: ethics
18a Funding: funding
18b Conflicts of interest: interests
18c Protocol: protocol
18d Registration: registration
18e Data sharing: data_sharing
18f Code sharing: code_sharing
19 Patient and public involvement: public
20a Flow of participants: flow
20b Characteristics of participants: characteristics
20c Differences from the evaluation data: differences
21 Participants and events of each analysis: events
22 Full specification: specification
23a Performance: performance
23b Performance by cluster: heterogeneity
24 Results of updating: updating
25 Interpretation: interpretation
26 Limitations: limitations
27a Poor or unavailable input: input_quality
27b User interaction and expertise: user
27c Next steps: next_steps
"""
_CLAIM: Final = """
1 AI technology in the title: title
2 Summary: summary
3 Background and intended use: intended_use
4 Aims and hypotheses: objectives
5 Prospective or retrospective: design
6 Goal of the study: design
7 Data sources: data
8 Inclusion and exclusion: eligibility
9 Preprocessing: preparation
10 Selection of data subsets: subset
11 De-identification: deidentification
12 Missing data: missing_data
13 Image acquisition: acquisition
14 Reference standard: outcome
15 Rationale of the reference standard: outcome_rationale
16 Source of annotations: segmentation
17 Annotation of the test set: test_segmentation
18 Reader variability: observer_agreement
19 Assignment to partitions: partition
20 Level of the partitions: partition_level
21 Sample size: sample_size
22 Description of the model: specification
23 Software: software
24 Initialisation: initialisation
25 Training: training
26 Choice of the final model: final_model
27 Ensembles: ensemble
28 Metrics: measures
29 Statistical uncertainty: uncertainty
30 Robustness or sensitivity: robustness
31 Explainability: explainability
32 Evaluation on internal data: internal_validation
33 Testing on external data: external_validation
34 Registration: registration
35 Flow of participants: flow
36 Demographic and clinical characteristics: characteristics
37 Performance: performance
38 Estimates with their precision: uncertainty
39 Failure analysis: failures
40 Limitations: limitations
41 Implications for practice: interpretation
42 Protocol: protocol
43 Availability of software, model and data: model_sharing
44 Funding: funding
"""
_METRICS: Final = """
1 Adherence to guidelines: guidelines
2 Eligibility: eligibility
3 Reference standard: outcome
4 Multi-centre: centres
5 Clinical translatability of the images: intended_use
6 Acquisition protocol: acquisition
7 Interval between imaging and reference: interval
8 Segmentation: segmentation
9 Evaluation of automatic segmentation: automatic_segmentation
10 Segmentation of the test set: test_segmentation
11 Image preprocessing: preparation
12 Standardised extraction software: extraction
13 Extraction parameters: extraction
14 Removal of non-robust features: observer_agreement
15 Removal of redundant features: selection
16 Dimensionality: dimensionality
17 Robustness of deep learning: deep_learning
18 Data partitioning: partition
19 Confounding factors: confounders
20 Evaluation metrics: measures
21 Uncertainty: uncertainty
22 Calibration: calibration
23 Uni-parametric imaging: comparison_imaging
24 Comparison with a non-radiomic approach: comparison_clinical
25 Comparison with simple models: comparison_simple
26 Internal testing: internal_validation
27 External testing: external_validation
28 Availability of data: data_sharing
29 Availability of code: code_sharing
30 Availability of the model: model_sharing
"""


def _items(checklist: str, lines: str) -> tuple[Item, ...]:
    parts = (line.split(" ", 1) for line in lines.strip().splitlines())
    return tuple(Item(checklist, number, *rest.rsplit(": ", 1)) for number, rest in parts)


CHECKLISTS: Final = {
    "TRIPOD+AI": _items("TRIPOD+AI", _TRIPOD),
    "CLAIM 2024": _items("CLAIM 2024", _CLAIM),
    "METRICS": _items("METRICS", _METRICS),
}
"""The items of each checklist in their order."""
