"""The DICOM standard as data: packaged tables with their edition and origin, and one small look-up module for each."""
