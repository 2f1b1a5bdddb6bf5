"""Writing DICOM as scanners and other tools do: CT series, segmentations and contours."""

from pathlib import Path

import highdicom
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sr.coding import Code
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid
from pydicom.valuerep import DS
from skimage.measure import find_contours

PERSON = {
    "PatientName": "MUSTERMANN^ERIKA",
    "PatientID": "HOSP4711",
    "PatientBirthDate": "19450518",
    "PatientSex": "F",
    "AccessionNumber": "ACC998877",
    "ReferringPhysicianName": "EISENBARTH^J",
    "InstitutionName": "CHARITABLE CLINIC",
    "StudyDate": "20190703",
    "StudyTime": "101500",
    "StudyID": "STU31337",
}
"""What must not get anywhere."""


def decimals(values):
    """Numbers with as many digits as DICOM has room for."""
    return [DS(float(value), auto_format=True) for value in values]


def new_file(path, storage):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = storage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    return file


def write_series(folder, volume, *, slope=1.0, intercept=-1024.0, positions=None, **tags):
    """One file a slice, named in no order; `positions` in place of those of the volume, None for a missing slice."""
    folder.mkdir(parents=True, exist_ok=True)
    start, names = len(list(folder.iterdir())), np.random.default_rng(0).permutation(len(volume.voxels))
    whole = {"SeriesInstanceUID": generate_uid(), "StudyInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid()}
    axes = volume.axes
    for index, slice_hu in enumerate(volume.voxels):
        position = volume.position_mm((index, 0, 0)) if positions is None else positions[index]
        if position is None:
            continue
        path = folder / f"IM{start + names[index]:04d}"
        file = new_file(path, CTImageStorage)
        file.Modality, file.ImageType, file.InstanceNumber = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"], index + 1
        file.SeriesDescription, file.ConvolutionKernel, file.SliceThickness = "THORAX", "B31f", 2.5
        file.KVP, file.Manufacturer, file.ManufacturerModelName = 120, "SIEMENS", "Sensation 64"
        file.ImagePositionPatient = decimals(position)
        file.ImageOrientationPatient = decimals([*axes[:, 0], *axes[:, 1]])
        file.PixelSpacing = decimals(volume.spacing_mm[1:])
        file.Rows, file.Columns = slice_hu.shape
        file.SamplesPerPixel, file.PhotometricInterpretation, file.PixelRepresentation = 1, "MONOCHROME2", 1
        file.BitsAllocated, file.BitsStored, file.HighBit = 16, 16, 15
        file.RescaleSlope, file.RescaleIntercept = slope, intercept
        file.PixelData = np.rint((slice_hu - intercept) / slope).astype("<i2").tobytes()
        for name, value in {**whole, **dict.fromkeys(PERSON, ""), **tags}.items():
            setattr(file, name, value)
        pydicom.dcmwrite(path, file)
    return folder


def slices_of(folder):
    """Datasets of a series in the order of their instance numbers."""
    return sorted((pydicom.dcmread(path) for path in Path(folder).iterdir()), key=lambda file: file.InstanceNumber)


def write_seg(path, series, mask, names, *, codes=None, segmentation_type="BINARY"):
    """A SEG of labels in array order of the series, as highdicom writes it.

    Parameters
    ----------
    names : mapping of int to str
        Label -> name of the segment.
    """
    organ = Code("123037004", "SCT", "Anatomical Structure")
    segments = [
        highdicom.seg.SegmentDescription(number, name, organ, (codes or {}).get(label, Code("39607008", "SCT", "Lung")), "MANUAL")
        for number, (label, name) in enumerate(names.items(), start=1)
    ]
    pixels = np.zeros(mask.shape, np.uint8)
    for number, label in enumerate(names, start=1):
        pixels[mask == label] = number
    source = slices_of(series)
    highdicom.seg.Segmentation(
        source, pixels, segmentation_type, segments, generate_uid(), 300, generate_uid(), 1, "maker", "model", "1", "serial"
    ).save_as(path)
    return path


def write_rtstruct(path, series, volume, names, *, contours_of=None):
    """An RTSTRUCT of labels: contours halfway between voxels inside and outside, as many tools draw them."""
    contours_of = contours_of or halfway
    source = slices_of(series)[0]
    file = new_file(path, RTStructureSetStorage)
    for name in ("PatientName", "PatientID", "StudyInstanceUID", "FrameOfReferenceUID"):
        setattr(file, name, source.get(name))
    file.Modality, file.SeriesInstanceUID, file.StructureSetLabel = "RTSTRUCT", generate_uid(), "lobes"
    of_series, of_study, of_frame = Dataset(), Dataset(), Dataset()
    of_series.SeriesInstanceUID = source.SeriesInstanceUID
    of_study.RTReferencedSeriesSequence = [of_series]
    of_frame.FrameOfReferenceUID, of_frame.RTReferencedStudySequence = source.FrameOfReferenceUID, [of_study]
    file.ReferencedFrameOfReferenceSequence = [of_frame]
    file.StructureSetROISequence, file.ROIContourSequence = [], []
    for number, (label, name) in enumerate(names.items(), start=1):
        roi, drawn = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, source.FrameOfReferenceUID
        drawn.ReferencedROINumber, drawn.ContourSequence = number, []
        for plane, labels in enumerate(volume.voxels):
            for points in contours_of(labels == label):
                contour = Dataset()
                contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", len(points)
                index = np.column_stack([np.full(len(points), plane), points])
                contour.ContourData = decimals(np.round(volume.position_mm(index), 4).ravel())
                drawn.ContourSequence.append(contour)
        file.StructureSetROISequence.append(roi)
        file.ROIContourSequence.append(drawn)
    pydicom.dcmwrite(path, file)
    return path


def halfway(inside):
    """Contours of a slice in rows and columns, half a voxel outside the outermost centres."""
    return [points[:-1] - 1 for points in find_contours(np.pad(inside, 1).astype(float), 0.5)]
