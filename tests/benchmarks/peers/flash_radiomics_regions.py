"""Seconds that flash-radiomics (CPU) takes for seven regions; run as `pictologics_regions.py` is."""

import json
import sys
import time
from importlib.metadata import version

import flash_radiomics
import numpy as np
import SimpleITK as sitk
from flash_radiomics.featureextractor import RadiomicsFeatureExtractor


def main():
    volume = np.load(sys.argv[1])
    labels, regions = volume["labels"], json.loads(str(volume["regions"]))
    image = sitk.GetImageFromArray(volume["image"])
    flash_radiomics.setVerbosity(50)
    extractor = RadiomicsFeatureExtractor(backend="cpu", binWidth=25, additionalInfo=False)
    seconds = []
    for _ in range(int(sys.argv[2])):
        start = time.perf_counter()
        for members in regions.values():
            mask = sitk.GetImageFromArray(np.isin(labels, members).astype(np.uint8))
            extractor.extract_from_preprocessed(extractor.preprocess_case(image, mask, label=1))
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"name": f"flash-radiomics {version('flash-radiomics')}", "seconds": seconds}))


main()
