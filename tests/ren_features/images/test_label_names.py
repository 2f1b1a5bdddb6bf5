"""A scheme of numbers that contradicts the names in a mask's header is refused, before any voxel is read."""

import gzip
import struct

import pytest
import SimpleITK as sitk

from ren_features.errors import LabelError
from ren_features.images.image_file import read_mask, to_itk
from ren_features.images.label_names import check_numbers
from ren_features.images.nifti_header import label_names
from ren_features.regions import LABEL_SCHEMES

TOTALSEGMENTATOR = LABEL_SCHEMES["totalsegmentator"]
NAMES = {10: "lung_upper_lobe_left", 11: "lung_lower_lobe_left", 14: "lung_lower_lobe_right"}


def write_named(path, mask, names):
    """A NIfTI-1 file with a table of labels in an extension, as TotalSegmentator writes it."""
    plain = path.with_name("plain.nii")
    sitk.WriteImage(to_itk(mask), str(plain))
    content = plain.read_bytes()
    labels = "".join(f'<Label Key="{number}" Red="1">{name}</Label>' for number, name in names.items())
    xml = f"<?xml?><CaretExtension><LabelTable>{labels}</LabelTable></CaretExtension>".encode()
    xml += bytes(-(len(xml) + 8) % 16)
    extension = bytes((1, 0, 0, 0)) + struct.pack("<ii", len(xml) + 8, 0) + xml
    header = content[:108] + struct.pack("<f", 348 + len(extension)) + content[112:348]
    path.write_bytes(gzip.compress(header + extension + content[352:]))
    return path


def test_names_that_agree_with_the_scheme_are_no_problem(tmp_path, phantom):
    path = write_named(tmp_path / "lobes.nii.gz", phantom[1], NAMES)
    assert label_names(path) == NAMES
    check_numbers(path, TOTALSEGMENTATOR)
    assert (read_mask(path).voxels == read_mask(tmp_path / "plain.nii").voxels).all()
    assert label_names(tmp_path / "plain.nii") == {}


def test_swapped_names_are_refused(tmp_path, phantom):
    path = write_named(tmp_path / "lobes.nii.gz", phantom[1], {10: NAMES[14], 14: NAMES[10], 51: "heart"})
    with pytest.raises(LabelError, match=r"the header calls number 10 'lung_lower_lobe_right', the scheme LUL; .*number 14"):
        check_numbers(path, TOTALSEGMENTATOR)
