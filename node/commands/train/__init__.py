"""Training a signature on a cohort in files."""
