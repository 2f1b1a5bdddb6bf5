"""Pictures of a scan with its structures outlined: one coronal, one sagittal and one axial slice, side by side in a WebP file.

Beside each picture stands a thumbnail, drawn anew at its own size so that the outlines stay visible in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ren_features.draft import draft_of
from ren_features.errors import VolumeError
from ren_features.images.fingerprint import Fingerprint
from ren_features.scan import file_name
from ren_features.volume import Box, Volume, bounding_box, widen

if TYPE_CHECKING:
    from PIL import Image

from ren_features.digest import short_digest

WINDOW_HU = -1000, 200
"""[METHOD section 4] The window `lung`."""

MARGIN_MM = 10.0
PICTURE_MM, THUMBNAIL_MM = 1.0, 2.0
"""Size of a pixel; larger where a plane would be longer than `LONGEST` pixels."""

LONGEST = 480
GAP = 0.02
"""Between two planes, as a part of the strip's height."""

QUALITY = 75

LOBE_COLOURS = {"LUL": "#56b4e9", "LLL": "#e69f00", "RUL": "#e78ac3", "RML": "#f0e442", "RLL": "#1fc79a"}
"""After Okabe and Ito's colours that colour-blind readers tell apart, the dark ones lightened for a black ground."""

OTHER_COLOURS = ("#ff8a5c", "#b9a7ff", "#d0d0d0", *LOBE_COLOURS.values())
STRENGTH = 0.85
"""Opacity of an outline: the texture beneath shows through."""

LINE = 3
"""Width of an outline, in half pixels: WebP keeps colours at half the resolution and would dull a thinner one."""


class Plane(NamedTuple):
    """One slice as a radiologist looks at it: the patient's right at the left, the head or the front up."""

    image: NDArray[np.integer]
    labels: NDArray[np.integer]
    height_mm: float
    width_mm: float


def structure_colours(structures: Iterable[str]) -> dict[str, str]:
    """Colour of every structure, the same for the same names: `#rrggbb`; lobes have their own."""
    others = sorted(set(structures) - set(LOBE_COLOURS))
    colours = {name: OTHER_COLOURS[place % len(OTHER_COLOURS)] for place, name in enumerate(others)}
    return {name: LOBE_COLOURS.get(name) or colours[name] for name in structures}


def preview_folder(store: Path) -> Path:
    """Where the pictures of a store's scans stand."""
    return store.with_name(f"{store.name}.previews")


def preview_path(folder: Path, scan_id: str, files: Fingerprint, structures: Iterable[str]) -> Path:
    """Where the picture of a scan stands; a changed image or mask has another picture, and other structures have."""
    drawn = (scan_id, files.image_sha256, files.mask_sha256, files.mask_scheme, *sorted(structures))
    digest = short_digest("\0".join(map(str, drawn)))
    return folder / f"{file_name(scan_id)}-{digest}.webp"


def thumbnail_path(picture: Path) -> Path:
    """Where the thumbnail of a picture stands."""
    return picture.with_suffix(".thumb.webp")


def write_preview(image: Volume, mask: Volume, path: Path, structures: Mapping[str, int]) -> None:
    """Write the picture of a scan and its thumbnail; a picture that stands is whole, and has its thumbnail.

    Parameters
    ----------
    image, mask : Volume
        HU and labels on one grid in the canonical frame, of any spacing; cropped to the structures and a margin here.
    path : Path
        From `preview_path`; its folder is made when absent.
    structures : mapping of str to int
        Structure name -> label number, of what is outlined.

    Raises
    ------
    EmptyRegionError
        When the mask has no voxel of the structures.
    VolumeError
        When the file cannot be written.
    """
    colours = structure_colours(structures)
    outlined = {number: rgb(colours[name]) for name, number in structures.items()}
    planes = _planes(image, mask, list(outlined))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _save(_strip(planes, outlined, THUMBNAIL_MM), thumbnail_path(path))
        _save(_strip(planes, outlined, PICTURE_MM), path)
    except OSError as error:
        raise VolumeError(f"{path}: expected a place for a picture, it could not be written: {error}") from error


def _planes(image: Volume, mask: Volume, numbers: list[int]) -> tuple[Plane, Plane, Plane]:
    """Coronal, sagittal and axial slice, each the one that shows the most structures best."""
    kept = np.where(np.isin(mask.voxels, numbers), mask.voxels, 0)
    box = _with_margin(bounding_box(kept), mask)
    hounsfield, labels = image.voxels[box], kept[box]
    z, y, x = _fullest_slices(labels, numbers)
    depth, height, width = (size * step for size, step in zip(labels.shape, image.spacing_mm, strict=True))
    return (
        Plane(hounsfield[::-1, y], labels[::-1, y], depth, width),
        Plane(hounsfield[::-1, :, x], labels[::-1, :, x], depth, height),
        Plane(hounsfield[z], labels[z], height, width),
    )


def _with_margin(box: Box, mask: Volume) -> Box:
    wide = [widen(box, round(MARGIN_MM / step), mask.size)[axis] for axis, step in enumerate(mask.spacing_mm)]
    return wide[0], wide[1], wide[2]


def _fullest_slices(labels: NDArray[np.integer], numbers: list[int]) -> list[int]:
    """On each axis the slice with the largest sum of square roots of areas: a small structure weighs more than its voxels."""
    roots = [np.zeros(length) for length in labels.shape]
    for number in numbers:
        inside = labels == number
        for axis, others in enumerate(((1, 2), (0, 2), (0, 1))):
            roots[axis] += np.sqrt(np.count_nonzero(inside, axis=others))
    return [int(sums.argmax()) for sums in roots]


def _strip(planes: tuple[Plane, Plane, Plane], colours: Mapping[int, NDArray[np.uint8]], pixel_mm: float) -> Image.Image:
    """The planes side by side on black, at one scale, each centred in height."""
    from PIL import Image

    longest = max(max(plane.height_mm, plane.width_mm) for plane in planes)
    drawn = [draw_plane(plane, colours, max(pixel_mm, longest / LONGEST)) for plane in planes]
    height = max(part.height for part in drawn)
    gap = max(1, round(GAP * height))
    strip = Image.new("RGB", (sum(part.width for part in drawn) + gap * (len(drawn) - 1), height))
    left = 0
    for part in drawn:
        strip.paste(part, (left, (height - part.height) // 2))
        left += part.width + gap
    return strip


def draw_plane(plane: Plane, colours: Mapping[int, NDArray[np.uint8]], pixel_mm: float) -> Image.Image:
    """One plane with square pixels: lung window, and a line along the inner edge of every structure."""
    from PIL import Image

    low, high = WINDOW_HU
    gray = ((np.clip(plane.image, low, high) - float(low)) * (255 / (high - low))).round().astype(np.uint8)
    size = max(1, round(plane.width_mm / pixel_mm)), max(1, round(plane.height_mm / pixel_mm))
    texture = np.asarray(Image.fromarray(gray).resize(size, Image.Resampling.BICUBIC), np.float32)[..., None]
    fine = _resized_labels(plane.labels, (2 * size[0], 2 * size[1]))  # twice as fine: the lines come out smooth
    edges = Image.fromarray(_outlines(fine, colours)).resize(size, Image.Resampling.BOX)
    line = np.asarray(edges, np.float32)
    cover = STRENGTH * line[..., 3:] / 255
    tint = line[..., :3] / np.maximum(line[..., 3:] / 255, 1 / 255)
    return Image.fromarray((texture * (1 - cover) + tint * cover).clip(0, 255).round().astype(np.uint8))


def _resized_labels(labels: NDArray[np.integer], size: tuple[int, int]) -> NDArray[np.integer]:
    """Label of the nearest voxel of every pixel; `size` is width, height."""
    rows, columns = (
        ((np.arange(count) + 0.5) * length / count).astype(int) for count, length in zip(size[::-1], labels.shape, strict=True)
    )
    return labels[np.ix_(rows, columns)]


def _outlines(labels: NDArray[np.integer], colours: Mapping[int, NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Pixels of a structure within `LINE` steps of something else in its colour, shape (row, column, 4); 0 elsewhere."""
    around = np.pad(labels, LINE)
    rows, columns = labels.shape
    edge = np.zeros(labels.shape, bool)
    for down, right in product(range(2 * LINE + 1), repeat=2):
        if (down - LINE) ** 2 + (right - LINE) ** 2 <= LINE**2:
            edge |= around[down : down + rows, right : right + columns] != labels
    lines = np.zeros((*labels.shape, 4), np.uint8)
    for number, colour in colours.items():
        lines[edge & (labels == number)] = (*colour, 255)
    return lines


def rgb(colour: str) -> NDArray[np.uint8]:
    """Red, green and blue of `#rrggbb`."""
    return np.frombuffer(bytes.fromhex(colour.removeprefix("#")), np.uint8)


def _save(picture: Image.Image, path: Path) -> None:
    with draft_of(path) as draft:
        picture.save(draft, "WEBP", quality=QUALITY, method=4)
