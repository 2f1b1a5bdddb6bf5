"""Segmentations of 3D Slicer (`.seg.nrrd`): segments named in the header, in one layer of numbers or in several.

References
----------
Slicer's manual, "Segmentations": `Segment0_Name`, `Segment0_Layer` and `Segment0_LabelValue`. Before version 4.11 each segment
had a layer of its own, where it was 1, and the header gave neither layer nor value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ren_features.errors import LabelError
from ren_features.images.image_file import read_layers, read_tags
from ren_features.images.structure_names import structures_of
from ren_features.regions import LabelScheme
from ren_features.volume import Volume


@dataclass(frozen=True)
class Segment:
    """Name of a segment, and where its voxels are: in which layer, and with which number."""

    name: str
    layer: int
    value: int


def segments_in(path: Path) -> dict[int, Segment]:
    """Segments that the header of a file names, by their number; none in a file that is no NRRD.

    Raises
    ------
    LabelError
        When a layer or value is no number.
    """
    if not path.name.lower().endswith(".nrrd"):
        return {}
    tags = read_tags(path)
    numbers = sorted(int(match[1]) for key in tags if (match := re.fullmatch(r"Segment(\d+)_Name", key)))
    try:
        return {
            number: Segment(
                tags[f"Segment{number}_Name"].strip(),
                int(tags.get(f"Segment{number}_Layer", number)),
                int(tags.get(f"Segment{number}_LabelValue", 1)),
            )
            for number in numbers
        }
    except ValueError as error:
        raise LabelError(f"mask {path}: expected whole numbers as Layer and LabelValue of its segments: {error}") from error


def lobes_in(path: Path, scheme: LabelScheme) -> dict[int, Segment]:
    """Segments that are structures of the scheme, by the structure's label number.

    Raises
    ------
    LabelError
        When the header names no segment, none is one of the structures, or two are the same.
    """
    segments = segments_in(path)
    if not segments:
        raise LabelError(f"mask {path}: expected a segmentation of 3D Slicer (.seg.nrrd), got a header without names of segments")
    keys = structures_of({number: [segment.name] for number, segment in segments.items()}, scheme, path)
    return {label: segments[key] for label, key in keys.items()}


def read_lobes(path: Path, scheme: LabelScheme) -> Volume:
    """Read the structures of a scheme as a label map, on the file's own grid and in its own axis order.

    Raises
    ------
    LabelError
        As `lobes_in`; when a segment's layer does not exist, or two structures overlap.
    """
    lobes, layers = lobes_in(path, scheme), read_layers(path)
    labels = np.zeros(layers[0].size, np.uint16)
    for label, segment in lobes.items():
        if not 0 <= segment.layer < len(layers):
            raise LabelError(
                f"mask {path}: segment {segment.name}: expected one of {len(layers)} layers, got layer {segment.layer}"
            )
        inside = layers[segment.layer].voxels == segment.value
        if overlap := int(np.count_nonzero(labels[inside])):
            raise LabelError(
                f"mask {path}: segment {segment.name}: expected lobes apart, {overlap} voxels belong to another one too"
            )
        labels[inside] = label
    return Volume(labels, layers[0].spacing_mm, layers[0].origin_mm, layers[0].direction)
