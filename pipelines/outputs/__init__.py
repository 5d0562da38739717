"""What was found, as DICOM objects: one module for each kind of object."""
