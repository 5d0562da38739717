"""A real viewer in a real browser, before a DICOMweb service."""
