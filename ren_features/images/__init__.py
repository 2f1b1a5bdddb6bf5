"""Files to volumes: NIfTI, DICOM and the other formats of images and lobe masks."""
