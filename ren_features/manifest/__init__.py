"""Writing a manifest for a folder of scans, so that nobody has to write a script for it."""

from ren_features.manifest.export import ExportOptions
from ren_features.manifest.labels import LabelsTable
from ren_features.manifest.writing import Written, write_manifest

__all__ = ["ExportOptions", "LabelsTable", "Written", "write_manifest"]
