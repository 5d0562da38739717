"""Figures for a journal, as deterministic SVG and PNG, and the reports that hold them."""
