"""Synthetic chest CT cases, for the demonstration and the tests: no patient was ever involved."""
