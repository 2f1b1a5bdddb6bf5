"""DICOM: CT series in folders, lobes as SEG and RTSTRUCT, and exports of a PACS. Nothing here is imported before it is needed."""
