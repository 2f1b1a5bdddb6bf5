"""Names that the header of a mask gives to its numbers, against the scheme that the manifest names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ren_features.errors import LabelError
from ren_features.images import nifti_header
from ren_features.images.slicer import segments_in
from ren_features.images.structure_names import known_names, plain_name
from ren_features.regions import LabelScheme


def check_numbers(path: Path, scheme: LabelScheme) -> None:
    """Refuse a scheme of numbers that contradicts the names in a file: 3D Slicer's segments, or a NIfTI file's table of labels.

    Raises
    ------
    LabelError
        With every number whose name means something else in the scheme; when segments lie in several layers.
    """
    segments = segments_in(path).values()
    if any(segment.layer for segment in segments):
        raise LabelError(f"mask {path}: expected mask_scheme slicer for segments in several layers, got {scheme.name}")
    names = {segment.value: segment.name for segment in segments} or nifti_header.label_names(path)
    if wrong := list(_contradictions(names, scheme)):
        advice = "mask_scheme slicer, which goes by names" if segments else "a scheme that agrees with the names"
        raise LabelError(f"mask {path}: {'; '.join(wrong)}. Expected {advice}; got {scheme.name}")


def _contradictions(names: Mapping[int, str], scheme: LabelScheme) -> Iterator[str]:
    meanings = known_names() | {plain_name(structure): structure for structure in scheme.labels}
    by_number = {number: structure for structure, number in scheme.labels.items()}
    for number, name in names.items():
        structure = meanings.get(plain_name(name))
        if structure and by_number.get(number) != structure:
            yield f"the header calls number {number} {name!r}, the scheme {by_number.get(number, 'nothing')}"
