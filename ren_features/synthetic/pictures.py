"""Pictures of synthetic patients: what a scan looks like, and beside it its lobes and the disease that was put into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ren_features.draft import draft_of
from ren_features.images.image_file import read_image, read_mask
from ren_features.measuring.preview import LOBE_COLOURS, Plane, draw_plane, rgb
from ren_features.regions import LUNGMASK
from ren_features.synthetic.cohort import PatientPlan, Visit
from ren_features.synthetic.disease import Pattern
from ren_features.volume import bounding_box, widen

PATTERN_COLOURS = {
    Pattern.ground_glass: "#e6b800",
    Pattern.reticulation: "#e0562b",
    Pattern.honeycombing: "#c51b8a",
    Pattern.emphysema: "#3f8fff",
    Pattern.infection: "#2bb673",
    Pattern.atelectasis: "#9a86c8",
}
MUCH = 0.8
"""Of the largest cross-section of the lungs: slices that show less are not chosen."""

TINT = 0.45
"""Opacity of a pattern's colour."""

MARGIN_MM, PIXEL_MM, GAP, LINE = 14.0, 1.0, 6, 18
"""Around the lungs; of a pixel; between pictures and of a line of text, in pixels."""

INK, PAPER = "#d8d8d8", "#101010"


MOST_SHOWN = 5
"""Patients of each class on the sheet."""


@dataclass(frozen=True)
class Case:
    """A scan to be shown, and what is written above it."""

    patient_id: str
    scan_id: str
    caption: str


def write_pictures(folder: Path, plans: Sequence[PatientPlan]) -> None:
    """Write `contact_sheet.png`, with five patients of each class, and `disease.png`, with the scan that has most of it.

    None is written when every scan is damaged.

    Parameters
    ----------
    folder : Path
        Of a cohort that has been written.
    plans : sequence of PatientPlan
    """
    last = [(plan, visits[-1]) for plan in plans if (visits := [visit for visit in plan.visits if visit.fault is None])]
    ill = sorted(((plan, visit) for plan, visit in last if plan.ill), key=lambda shown: shown[1].burden.ild)
    spread = [
        ill[place]
        for place in np.linspace(len(ill) // 4 if len(ill) > MOST_SHOWN else 0, len(ill) - 1, min(MOST_SHOWN, len(ill))).astype(
            int
        )
    ]
    others = [(plan, visit) for plan, visit in last if not plan.ill][:MOST_SHOWN]
    bands = [("With interstitial lung disease", spread), ("Without", others)]
    sheets = [_titled(_beside([draw_case(folder, _case(*shown)) for shown in band]), title) for title, band in bands if band]
    if sheets:
        _save(folder / "contact_sheet.png", _below(sheets))
        most = _case(*(ill or others)[-1])
        _save(folder / "disease.png", draw_case(folder, most, sagittal=True))


def _case(plan: PatientPlan, visit: Visit) -> Case:
    burden = visit.burden
    what = [f"{name} {100 * part:.2g} %" for name, part in (("ILD", burden.ild), ("emphysema", burden.emphysema)) if part]
    what += [name for name, there in (("atelectasis", burden.atelectasis), ("infection", burden.infection_mm)) if there]
    return Case(plan.patient_id, visit.scan_id, f"{visit.scan_id}: {', '.join(what) or 'nothing'}")


def draw_case(folder: Path, case: Case, *, sagittal: bool = False) -> Image.Image:
    """Axial and coronal slices through most of the disease, each beside the same slice with lobes and patterns marked."""
    image, lobes, patterns = (
        read(folder / kind / case.patient_id / f"{case.scan_id}.nii.gz").canonical()
        for kind, read in (("images", read_image), ("masks", read_mask), ("patterns", read_mask))
    )
    box = widen(bounding_box(lobes.voxels), round(MARGIN_MM / image.spacing_mm[0]), image.size)
    hu, labels, marked = image.voxels[box], lobes.voxels[box], patterns.voxels[box]
    z, y, x = _fullest(marked if marked.any() else labels, labels)
    mm = image.spacing_mm[0]
    cuts = [(slice(z, z + 1),), (slice(None, None, -1), slice(y, y + 1)), (slice(None, None, -1), slice(None), slice(x, x + 1))]
    planes = [[array[cut].squeeze(axis) for array in (hu, labels, marked)] for axis, cut in enumerate(cuts)]
    shown = planes if sagittal else planes[:2]
    pairs = [_beside([_plain(plane, mm), _marked(plane, mm)]) for plane in shown]
    return _titled(_below(pairs), case.caption)


def _fullest(marked: NDArray[np.integer], labels: NDArray[np.integer]) -> list[int]:
    """On each axis the slice with most that is marked, among those that show much of the lungs."""
    slices = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        lung = np.count_nonzero(labels, axis=others)
        slices.append(int(np.where(lung > MUCH * lung.max(), np.count_nonzero(marked, axis=others), -1).argmax()))
    return slices


def _plain(plane: Sequence[NDArray[np.integer]], mm: float) -> Image.Image:
    hu, labels, _ = plane
    return draw_plane(Plane(hu, np.zeros_like(labels), hu.shape[0] * mm, hu.shape[1] * mm), {}, PIXEL_MM)


def _marked(plane: Sequence[NDArray[np.integer]], mm: float) -> Image.Image:
    hu, labels, marked = plane
    outlined = {number: rgb(LOBE_COLOURS[lobe]) for lobe, number in LUNGMASK.labels.items()}
    picture = draw_plane(Plane(hu, labels, hu.shape[0] * mm, hu.shape[1] * mm), outlined, PIXEL_MM)
    colours = np.zeros((*marked.shape, 4), np.uint8)
    for pattern, colour in PATTERN_COLOURS.items():
        colours[marked == pattern] = (*rgb(colour), round(255 * TINT))
    tint = Image.fromarray(colours).resize(picture.size, Image.Resampling.NEAREST)
    picture.paste(tint, mask=tint.getchannel("A"))
    return picture


def _save(path: Path, picture: Image.Image) -> None:
    """Write a PNG with what the colours mean beneath it."""
    with draft_of(path) as draft:
        _below([picture, _legend(picture.width)]).save(draft, "PNG", optimize=True)


def _font(size: int = 13) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _titled(picture: Image.Image, title: str) -> Image.Image:
    head = Image.new("RGB", (max(picture.width, round(_font().getlength(title))), LINE), PAPER)
    ImageDraw.Draw(head).text((0, 0), title, fill=INK, font=_font())
    return _below([head, picture], gap=0)


def _legend(width: int) -> Image.Image:
    """Names beside squares: filled for patterns, empty for lobes; in as many lines as they need."""
    entries = [_legend_entry(each.name.replace("_", " "), colour, filled=True) for each, colour in PATTERN_COLOURS.items()]
    entries += [_legend_entry(lobe, colour, filled=False) for lobe, colour in LOBE_COLOURS.items()]
    lines: list[list[Image.Image]] = [[]]
    for entry in entries:
        if sum(other.width + GAP for other in lines[-1]) + entry.width > width:
            lines.append([])
        lines[-1].append(entry)
    return _below([_beside(line) for line in lines if line])


def _legend_entry(name: str, colour: str, *, filled: bool) -> Image.Image:
    entry = Image.new("RGB", (LINE + 6 + round(_font().getlength(name)), LINE), PAPER)
    pen, square = ImageDraw.Draw(entry), (0, 2, 11, 13)
    pen.rectangle(square, fill=colour) if filled else pen.rectangle(square, outline=colour, width=2)
    pen.text((LINE, 0), name, fill=INK, font=_font())
    return entry


def _beside(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures in a row, at the top."""
    sheet = Image.new("RGB", (sum(p.width for p in pictures) + GAP * (len(pictures) - 1), max(p.height for p in pictures)), PAPER)
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width + GAP
    return sheet


def _below(pictures: Sequence[Image.Image], gap: int = GAP) -> Image.Image:
    """Pictures in a column, at the left."""
    sheet = Image.new("RGB", (max(p.width for p in pictures), sum(p.height for p in pictures) + gap * (len(pictures) - 1)), PAPER)
    top = 0
    for picture in pictures:
        sheet.paste(picture, (0, top))
        top += picture.height + gap
    return sheet
