"""Writing a manifest for a folder of scans, so that nobody has to write a script for it."""

from ren_features.manifest.export import Dicom
from ren_features.manifest.writing import Written, write_manifest

__all__ = ["Dicom", "Written", "write_manifest"]
