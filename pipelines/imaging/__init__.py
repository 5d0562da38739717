"""From DICOM to domain: headers, CT volumes, segmentations, and when they make a case."""
