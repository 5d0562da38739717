"""From a measured cohort to a validated Rad-signature: selection, model, validation, package."""
