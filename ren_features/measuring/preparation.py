"""One scan from its files to image and mask on the analysed grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ren_features.errors import VolumeError
from ren_features.images.acquisition import Acquisition
from ren_features.images.fingerprint import hash_file
from ren_features.images.image_file import CT, read_ct
from ren_features.images.lobe_mask import read_lobes
from ren_features.images.mask_fit import extent_remarks, fit_mask, form_remarks
from ren_features.measuring.scan_files import Files
from ren_features.quality import Observation
from ren_features.regions import LabelScheme
from ren_features.scan import Scan
from ren_features.segmentation.making import make_mask
from ren_features.segmentation.masks import LobeMasks
from ren_features.segmentation.networks import check_networks
from ren_features.spec import ExtractionSpec
from ren_features.volume import Volume
from ren_features.voxels.extents import Extent, label_extents
from ren_features.voxels.gaps import check_gaps
from ren_features.voxels.label_digest import label_digests
from ren_features.voxels.resampling import to_analysis_grid
from ren_features.voxels.void import void_voxels


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
    void : mapping of int to int
        Voxels of its labels where nothing was scanned.
    image, mask : Volume
        Both on the analysed grid.
    digests : mapping of int to str
        By which labels are known again (`label_digests`).
    lost : mapping of int to int
        Voxels of each label that lie outside the image.
    remarks : tuple of Observation
        On how image and mask had to be read.
    """

    original: Volume
    acquisition: Acquisition
    present: Mapping[int, Extent]
    void: Mapping[int, int]
    scheme: LabelScheme
    image: Volume
    mask: Volume
    digests: Mapping[int, str]
    lost: Mapping[int, int]
    remarks: tuple[Observation, ...]


def read_image(files: Files, lobes: LobeMasks, spec: ExtractionSpec) -> CT:
    """Read the image of a scan, in the canonical frame; not when its mask is to be made and cannot be."""
    scan = files.scan
    if files.made_here and files.mask is None:
        with stage("labels"):
            spec.regions.scheme_for(scan.mask_scheme, where=f"scan {scan.scan_id}")
        with stage("segment"):
            check_networks(lobes.weights)
    with stage("read"):
        return read_ct(scan.image, scan.series_uid, spec.tolerance_mm).canonical()


def with_mask(files: Files, image: Volume, lobes: LobeMasks, threads: int) -> Files:
    """The files with the mask that is made here, or was; as they are when the manifest gives one."""
    if not files.made_here or files.scan.mask is None:
        return files
    with stage("segment"):
        made = make_mask(files.scan.mask, lobes.weights, image, threads)
        return replace(files, mask=hash_file(made.path), mask_source=made.source, removed_voxels=made.removed_voxels)


def prepare(scan: Scan, ct: CT, spec: ExtractionSpec, threads: int) -> Prepared:
    """Read the mask of an image in the canonical frame, check both, and bring them to the analysed grid."""
    image = ct.volume
    with stage("read"):
        if scan.mask is None:
            raise VolumeError(f"scan {scan.scan_id}: expected a lobe mask, the manifest gives none; --segment makes one")
    with stage("labels"):
        scheme = spec.regions.scheme_for(scan.mask_scheme, where=f"scan {scan.scan_id}")
    with stage("read"):
        mask = read_lobes(scan.mask, image, scheme)
    with stage("geometry"):
        fitted = fit_mask(image, mask, scan.image, scan.mask)
        mask = fitted.mask
    with stage("labels"):
        present = label_extents(mask.voxels)
        scheme.check({label: extent.voxels for label, extent in present.items()}, where=f"mask {scan.mask}")
        gaps = [] if ct.gaps is None else [check_gaps(ct.gaps, mask, scan.image)]
    with stage("quality"):
        void = void_voxels(image.voxels, mask.voxels, present)
        digests = label_digests(image, mask, present)
        remarks = (*gaps, *extent_remarks(fitted), *form_remarks(scan.image, scan.mask))
    with stage("resample"):
        analysed = to_analysis_grid(image, mask, spec.grid_spacing_mm, where=f"mask {scan.mask}", threads=threads)
    return Prepared(image, ct.acquisition, present, void, scheme, *analysed, digests, fitted.lost, remarks)
