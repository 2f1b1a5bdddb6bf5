"""Frames of an enhanced CT: one file holds a whole scan, and the tags of each frame stand in functional groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pydicom

from ren_features.images.dicom.headers import raw_parts

ENHANCED = ("1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
"""SOP classes: Enhanced CT and Legacy Converted Enhanced CT (DICOM PS3.3, A.38 and A.70)."""

SHARED, PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"

UNASSIGNED = ("UnassignedSharedConvertedAttributesSequence", "UnassignedPerFrameConvertedAttributesSequence")
"""Where a converted series keeps tags that have no group of their own."""

GROUPS = {
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "SliceThickness": "PixelMeasuresSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "FrameType": "CTImageFrameTypeSequence",
    "StackID": "FrameContentSequence",
    "TemporalPositionIndex": "FrameContentSequence",
    "ConvolutionKernel": "CTReconstructionSequence",
    "KVP": "CTXRayDetailsSequence",
    "ContrastBolusAgent": "ContrastBolusUsageSequence",
}
"""The functional group of each tag (DICOM PS3.3, C.7.6.16 and C.8.15.3)."""


@dataclass(frozen=True)
class Frame:
    """Functional groups of one frame, its own before those that all frames share."""

    groups: Sequence[pydicom.Dataset]

    def parts(self, name: str) -> list[str]:
        """Values of a tag as they stand in the file; empty where no group has it."""
        item = self._item(name)
        return raw_parts(item, name) if item is not None else []

    def text(self, name: str) -> str:
        """A tag as text, also one that is a binary number."""
        item = self._item(name)
        return str(item.get(name)) if item is not None else ""

    def _item(self, name: str) -> pydicom.Dataset | None:
        places = (group.get(sequence) for group in self.groups for sequence in (GROUPS[name], *UNASSIGNED))
        return next((items[0] for items in places if items and name in items[0]), None)


def is_enhanced(header: pydicom.Dataset) -> bool:
    """True for the file of an enhanced CT."""
    return str(header.get("SOPClassUID")) in ENHANCED


def frames_of(header: pydicom.Dataset) -> Iterator[Frame]:
    """Frames in the order of the file; one without groups of its own has those that all share."""
    shared, per_frame = list(header.get(SHARED) or ()), list(header.get(PER_FRAME) or ())
    for number in range(int(header.get("NumberOfFrames") or len(per_frame))):
        yield Frame([*per_frame[number : number + 1], *shared])
