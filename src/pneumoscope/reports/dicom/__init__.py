"""A reading as DICOM objects: report, overlay, outline, segmentation, map, PDF, key objects."""
