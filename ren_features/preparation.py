"""One scan from its files to image and mask on the analysed grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ren_features.acquisition import Acquisition
from ren_features.errors import VolumeError
from ren_features.extents import Extent, label_extents
from ren_features.fingerprint import hash_file
from ren_features.image_file import read_ct, read_lobes
from ren_features.regions import LabelScheme
from ren_features.resampling import to_analysis_grid
from ren_features.scan import Scan
from ren_features.scan_files import Files
from ren_features.segmentation.making import make_mask
from ren_features.segmentation.masks import LobeMasks
from ren_features.spec import ExtractionSpec
from ren_features.volume import Volume, check_same_grid


class StageError(Exception):
    """Carries the name of the stage that failed; the error itself is its cause."""


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Name what is being done, for the table `failures`."""
    try:
        yield
    except Exception as error:
        raise StageError(name) from error


@dataclass(frozen=True)
class Prepared:
    """A scan that can be measured.

    Attributes
    ----------
    original : Volume
        The image as it was read, in the canonical frame.
    present : mapping of int to Extent
        Labels of the mask on the same grid.
    image, mask : Volume
        Both on the analysed grid.
    """

    original: Volume
    acquisition: Acquisition
    present: Mapping[int, Extent]
    scheme: LabelScheme
    image: Volume
    mask: Volume


def prepare(scan: Scan, image: Volume, acquisition: Acquisition, spec: ExtractionSpec, threads: int) -> Prepared:
    """Read the mask of an image in the canonical frame, check both, and bring them to the analysed grid."""
    with stage("read"):
        if scan.mask is None:
            raise VolumeError(f"scan {scan.scan_id}: expected a lobe mask, the manifest gives none; --segment makes one")
    with stage("labels"):
        scheme = spec.regions.scheme_for(scan.mask_scheme, where=f"scan {scan.scan_id}")
    with stage("read"):
        mask = read_lobes(scan.mask, image, scheme)
    with stage("geometry"):
        check_same_grid(image, mask, where=f"mask {scan.mask}")
    with stage("labels"):
        present = label_extents(mask.voxels)
        scheme.check({label: extent.voxels for label, extent in present.items()}, where=f"mask {scan.mask}")
    with stage("resample"):
        analysed = to_analysis_grid(image, mask, spec.grid_spacing_mm, where=f"mask {scan.mask}", threads=threads)
    return Prepared(image, acquisition, present, scheme, *analysed)


def read_scan(files: Files, lobes: LobeMasks, spec: ExtractionSpec, threads: int) -> tuple[Files, Prepared]:
    """Read a scan; a mask that is to be made, and is not there yet, is made first."""
    with stage("read"):
        ct = read_ct(files.scan.image, files.scan.series_uid)
        image = ct.volume.canonical()
    if files.made_here and files.scan.mask:
        with stage("segment"):
            made = make_mask(files.scan.mask, lobes.weights, image, threads)
            files = replace(files, mask=hash_file(made.path), mask_source=made.source, islands=made.removed_voxels)
    return files, prepare(files.scan, image, ct.acquisition, spec, threads)
