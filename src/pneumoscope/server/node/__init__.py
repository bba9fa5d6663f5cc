"""The DICOM node: films from modalities and the PACS in, results out."""
