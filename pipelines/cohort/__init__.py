"""A cohort of patients: eligibility, covariates, matching, survival and what a report says of them."""
