"""`extract` against PyRadiomics called directly, and what is left out."""

import numpy as np
import pytest
import SimpleITK as sitk
from radiomics.featureextractor import RadiomicsFeatureExtractor

from ren_features.errors import GeometryError, SpecError
from ren_features.radiomics import extract, refusal
from ren_features.regions import LABEL_SCHEMES, LUNGMASK, REN_REGIONS, RegionSet
from ren_features.spec import FEATURE_NAMES, ExtractionSpec
from ren_features.voxels.extents import joined, label_extents
from tests.phantom import chest_phantom

SPACING = (2.5, 0.7, 0.8)


@pytest.fixture(scope="module")
def chest():
    image, mask = chest_phantom(11, size=(24, 26, 30))
    return image.voxels, mask.voxels


def directly(image, mask, spacing_mm, bin_width=25):
    """PyRadiomics on a whole volume."""
    itk_image, itk_mask = sitk.GetImageFromArray(image), sitk.GetImageFromArray(mask.astype(np.uint8))
    for itk in (itk_image, itk_mask):
        itk.SetSpacing(spacing_mm[::-1])
    found = RadiomicsFeatureExtractor(binWidth=bin_width).execute(itk_image, itk_mask)
    return {name: float(value) for name, value in found.items() if name.startswith("original_")}


def extent(mask):
    return joined(label_extents(mask.astype(np.uint8)), [1])


@pytest.fixture(params=["fast", "pyradiomics"])
def engine(request):
    return request.param


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("region", REN_REGIONS.regions, ids=lambda region: region.name)
def test_values_are_pyradiomics_values(chest, region, engine):
    image, labels = chest
    mask = np.isin(labels, [LUNGMASK.labels[member] for member in region.members])
    found = extract(image, labels, SPACING, engine=engine)[region.name]
    assert found == pytest.approx(directly(image, mask, SPACING), rel=1e-7, abs=1e-9, nan_ok=True)


@pytest.mark.filterwarnings("ignore")
def test_bin_width_and_features_are_honoured(chest, engine):
    image, labels = chest
    spec = ExtractionSpec(bin_width=60, features=("ngtdm", "original_glcm_Contrast"))
    found = extract(image, labels, SPACING, spec=spec, engine=engine)["LLL"]
    everything = directly(image, labels == LUNGMASK.labels["LLL"], SPACING, bin_width=60)
    assert tuple(found) == spec.features
    assert found == pytest.approx({name: everything[name] for name in spec.features})


EXTREMES = {"lowest int16": (np.int16, -32768), "highest int16": (np.int16, 32500), "highest uint8": (np.uint8, 100)}


def at_the_end_of(kind, lowest):
    """A block of intensities that reach to the end of what their type holds."""
    highest = min(lowest + 267, np.iinfo(kind).max)
    image = np.random.default_rng(0).integers(lowest, highest, (8, 9, 10), endpoint=True).astype(kind)
    image[3, 3, 3:5] = lowest, highest
    labels = np.zeros(image.shape, np.uint8)
    labels[1:7, 1:8, 1:9] = 1
    return image, labels


@pytest.mark.parametrize("extreme", EXTREMES)
@pytest.mark.parametrize("bin_width", [25, 25.0])
def test_a_whole_bin_width_overflows_at_no_end_of_a_type(extreme, bin_width, engine):
    image, labels = at_the_end_of(*EXTREMES[extreme])
    regions = RegionSet.from_dict({"regions": {"A": [1]}})
    spec = ExtractionSpec(bin_width=bin_width, regions=regions)
    found, expected = (extract(voxels, labels, SPACING, spec=spec, engine=engine) for voxels in (image, image.astype(np.float64)))
    assert found["A"] == pytest.approx(expected["A"], rel=1e-9)
    assert found["A"] == pytest.approx(extract(image.astype(np.int32), labels, SPACING, spec=spec)["A"], rel=1e-9)


@pytest.mark.filterwarnings("ignore")
def test_pyradiomics_itself_overflows_with_a_whole_bin_width():
    """With NumPy 2, the lower edge of 25 HU bins below -32768 wraps around to 32761: why widths are floats here."""
    image, labels = at_the_end_of(*EXTREMES["lowest int16"])
    name = "original_glcm_Contrast"
    whole, decimal = (directly(image, labels, SPACING, bin_width)[name] for bin_width in (25, 25.0))
    assert whole != pytest.approx(decimal, rel=0.5)
    assert isinstance(ExtractionSpec(bin_width=25).bin_width, float)


def test_regions_come_in_order_with_features_in_catalog_order(chest, engine):
    found = extract(*chest, SPACING, engine=engine)
    assert list(found) == [region.name for region in REN_REGIONS.regions]
    assert all(tuple(features) == FEATURE_NAMES for features in found.values())


def test_an_absent_lobe_is_left_out_and_its_lung_is_measured_without(chest):
    image, labels = chest
    found = extract(image, np.where(labels == LUNGMASK.labels["RML"], 0, labels), SPACING)
    assert set(found) == {"LUL", "LLL", "RUL", "RLL", "LEFT", "RIGHT"}
    assert found["RIGHT"]["original_shape_VoxelVolume"] < extract(*chest, SPACING)["RIGHT"]["original_shape_VoxelVolume"]


def test_labels_mean_what_the_scheme_says(chest):
    image, labels = chest
    renumbered = np.zeros_like(labels)
    for lobe, number in LABEL_SCHEMES["cip"].labels.items():
        renumbered[labels == LUNGMASK.labels[lobe]] = number
    assert extract(image, renumbered, SPACING, scheme=LABEL_SCHEMES["cip"]) == extract(image, labels, SPACING)


def test_own_regions_take_the_place_of_the_lobes(chest):
    upper = RegionSet.from_dict({"regions": {"UPPER": ["LUL", "RUL"]}})
    assert set(extract(*chest, SPACING, regions=upper)) == {"UPPER"}
    assert set(extract(*chest, SPACING, spec=ExtractionSpec(regions=upper))) == {"UPPER"}


def test_a_region_that_fills_the_volume_is_measured(engine):
    image = np.random.default_rng(0).integers(-900, -500, (5, 6, 7)).astype(np.int16)
    assert (
        extract(image, np.ones(image.shape, np.uint8), (1.0, 1.0, 1.0), engine=engine)["LUL"]["original_shape_VoxelVolume"] == 210
    )


@pytest.mark.parametrize(
    ("shape", "measurable"),
    [((1, 1, 1), False), ((1, 1, 5), False), ((5, 1, 1), False), ((1, 2, 2), True), ((2, 1, 2), True), ((3, 3, 3), True)],
)
def test_a_voxel_and_a_line_are_refused_as_by_pyradiomics(shape, measurable, engine):
    mask = np.zeros((7, 7, 7), bool)
    mask[tuple(slice(1, 1 + length) for length in shape)] = True
    image = np.random.default_rng(0).integers(-900, -500, mask.shape).astype(np.int16)
    assert (refusal(extent(mask)) is None) == measurable
    assert ("LUL" in extract(image, mask.astype(np.uint8), (1.0, 1.0, 1.0), engine=engine)) == measurable
    if not measurable:
        with pytest.raises(ValueError, match="mask"):
            directly(image, mask, (1.0, 1.0, 1.0))


def test_a_refusal_tells_voxels_and_extent():
    mask = np.zeros((7, 7, 7), bool)
    mask[3, 3, 3] = True
    assert refusal(extent(mask)) == "expected voxels along at least two axes, got 1 voxels of extent (1, 1, 1) (z, y, x)"
    assert "got 0 voxels" in refusal(extent(np.zeros((2, 2, 2), bool)))


def test_shapes_must_agree(chest):
    image, labels = chest
    with pytest.raises(GeometryError, match="one shape"):
        extract(image, labels[1:], SPACING)


def test_an_unknown_engine_is_refused(chest):
    with pytest.raises(SpecError, match="expected one of fast, pyradiomics"):
        extract(*chest, SPACING, engine="magic")


def test_another_pyradiomics_than_the_digest_says_is_refused(chest, monkeypatch):
    monkeypatch.setattr("ren_features.spec.version", lambda _: "2.2.0")
    with pytest.raises(SpecError, match=r"expected PyRadiomics 3\.0\.1, got 2\.2\.0"):
        extract(*chest, SPACING, engine="pyradiomics")


@pytest.mark.parametrize("spacing", [(-1.0, 1.0, 1.0), (0.0, 1.0, 1.0), (float("nan"), 1.0, 1.0), (1.0, 1.0)])
def test_an_impossible_spacing_is_refused(chest, spacing):
    with pytest.raises(GeometryError, match="expected three positive spacings"):
        extract(*chest, spacing)


@pytest.mark.parametrize("threads", [0, -1])
def test_a_number_of_threads_is_positive(chest, threads):
    with pytest.raises(SpecError, match=f"threads: expected 1 or more, got {threads}"):
        extract(*chest, SPACING, threads=threads)
