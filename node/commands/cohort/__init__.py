"""Cohorts of the node's own patients: put together, screened, exported, and read by a second reader."""
