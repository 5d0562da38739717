"""Clinical data and readers' decisions, read from tables, FHIR bundles and Structured Reports."""
