"""Seconds that pictologics takes for seven regions. `radiomics.py` runs it: the file of a volume, and the number of repeats.

Its families that PyRadiomics has too, on each region's own box, discretised once and with one pass for all textures; computed
from its functions, which is faster than its pipeline.
"""

import json
import sys
import time

import numpy as np
import pictologics
from pictologics import Image, features
from pictologics.preprocessing import discretise_image

BIN_WIDTH = 25.0
TEXTURES = ["glcm", "glrlm", "glszm", "ngtdm", "ngldm"]


def box_of(mask):
    found = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    return tuple(slice(axis[0], axis[-1] + 1) for axis in found)


def measure(image, labels, members):
    inside = np.isin(labels, members)
    box = box_of(inside)
    part, mask = np.ascontiguousarray(image[box], dtype=np.float64), np.ascontiguousarray(inside[box], dtype=np.uint8)
    values = part[mask != 0]
    lowest = np.floor(values.min() / BIN_WIDTH) * BIN_WIDTH
    bins = int((values.max() - lowest) // BIN_WIDTH) + 1
    levels = discretise_image(part, method="FBS", roi_mask=mask, bin_width=BIN_WIDTH, min_val=lowest)
    features.calculate_intensity_features(values)
    features.calculate_intensity_histogram_features(levels[mask != 0], n_bins=bins)
    features.calculate_morphology_features(Image(array=mask, spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0)))
    features.calculate_all_texture_features(levels, mask, bins, families=TEXTURES)


def main():
    volume = np.load(sys.argv[1])
    image, labels, regions = volume["image"], volume["labels"], json.loads(str(volume["regions"]))
    middle = tuple(slice(length // 4, length // 2) for length in image.shape)
    measure(image[middle], labels[middle], np.unique(labels[labels > 0]).tolist())  # compiles
    seconds = []
    for _ in range(int(sys.argv[2])):
        start = time.perf_counter()
        for members in regions.values():
            measure(image, labels, members)
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"name": f"pictologics {pictologics.__version__}", "seconds": seconds}))


main()
