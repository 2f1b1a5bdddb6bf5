"""Making a lobe mask, and keeping it beside the store with a note on how it was made."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import SimpleITK as sitk

from ren_features.draft import draft_of
from ren_features.errors import SegmentationError
from ren_features.images.fingerprint import content_digest
from ren_features.images.image_file import read_mask, to_itk
from ren_features.regions import LUNGMASK
from ren_features.segmentation.cleanup import clean_up
from ren_features.segmentation.networks import load, weight_files
from ren_features.volume import Volume, check_same_grid


@dataclass(frozen=True)
class MadeMask:
    """A lobe mask on disk, and where it comes from."""

    path: Path
    source: str
    """Segmenter, weights and precision, such as `lungmask 0.2.22: LTRCLobes 3a07043d, R231 d5d2fc3d, float32`."""

    removed_voxels: int
    """Stray labels and islands that the clean-up made background."""


def make_mask(path: Path, weights: Path | None, image: Volume, threads: int) -> MadeMask:
    """The lobe mask of a scan: the one that is there, else a new one.

    A mask is made once. One that a person has corrected, or put in its place, is used as it is, and its source says so.

    Parameters
    ----------
    path : Path
        Where the mask stands, beside it a JSON file that tells how it was made.
    weights : Path, optional
        Folder of lungmask's weights; by default the one that torch itself downloads to. Nothing is ever downloaded.
    image : Volume
        HU, in the canonical frame, in which lungmask's networks were trained.
    threads : int
        Threads of the networks.

    Returns
    -------
    MadeMask
        Its file is a NIfTI of uint8 on the image's grid, with the labels of `regions.LUNGMASK`.

    Raises
    ------
    SegmentationError
        When lungmask is not installed, its weights are absent or wrong, no lobe is found, or the mask cannot be written.
    """
    if not path.is_file():
        labels, source = load(*weight_files(weights)).segment(image.voxels, threads)
        cleaned, removed = clean_up(labels, LUNGMASK.labels.values())
        if not cleaned.any():
            raise SegmentationError(f"{path}: expected lobes, lungmask found none in {image.size} voxels (z, y, x)")
        _keep(replace(image, voxels=cleaned), MadeMask(path, source, removed))
    return _kept(path)


def _keep(mask: Volume, made: MadeMask) -> None:
    """Put a mask in its place when it is whole, and before it the note on how it was made."""
    try:
        made.path.parent.mkdir(parents=True, exist_ok=True)
        with draft_of(made.path) as draft:
            sitk.WriteImage(to_itk(mask), str(draft), useCompression=True)
            check_same_grid(mask, read_mask(draft), where=str(draft))  # a full disk truncates without an error
            content = {"source": made.source, "removed_voxels": made.removed_voxels, "mask_sha256": content_digest(draft)}
            with draft_of(_note(made.path)) as note:
                note.write_text(json.dumps(content, indent=1), encoding="utf-8")
    except (OSError, RuntimeError, ValueError) as error:
        raise SegmentationError(f"{made.path}: expected a folder that can be written, got {error}") from error


def _kept(path: Path) -> MadeMask:
    """A mask that stands in its place. One that lungmask did not make, or not as it is now, has no note, or another digest."""
    try:
        content = json.loads(_note(path).read_text(encoding="utf-8"))
        made = MadeMask(path, str(content["source"]), int(content["removed_voxels"]))
        edited = content["mask_sha256"] != content_digest(path)
    except (OSError, ValueError, KeyError, TypeError):
        return MadeMask(path, f"own file in {path.parent.name}", 0)
    return replace(made, source=f"{made.source}, edited") if edited else made


def _note(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".nii.gz") + ".json")
