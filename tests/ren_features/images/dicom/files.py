"""Writing DICOM as scanners and other tools do: CT series, segmentations and contours."""

from pathlib import Path

import highdicom
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sr.coding import Code
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid
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
    return sorted((pydicom.dcmread(path) for path in Path(folder).iterdir()), key=lambda file: file.get("InstanceNumber", 0))


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


def write_enhanced(path, volume, *, order=None, rescales=None, frame_tags=None, **tags):
    """An enhanced CT: the volume in one file.

    Parameters
    ----------
    order : sequence of int, optional
        Slices in the order of their frames; by default as in the volume, a part of them for a part of the scan.
    rescales : sequence of (slope, intercept), optional
        Of each slice.
    frame_tags : mapping of int to mapping, optional
        Tags of FrameContentSequence, by slice.
    """
    order = list(range(len(volume.voxels)) if order is None else order)
    rescales = rescales or [(1.0, -1024.0)] * len(volume.voxels)
    file = new_file(path, EnhancedCTImageStorage)
    file.Modality, file.ImageType, file.Manufacturer, file.ManufacturerModelName = (
        "CT",
        ["ORIGINAL", "PRIMARY"],
        "CANON",
        "Aquilion",
    )
    file.SeriesInstanceUID, file.StudyInstanceUID, file.FrameOfReferenceUID = (generate_uid() for _ in range(3))
    file.Rows, file.Columns = volume.voxels.shape[1:]
    file.SamplesPerPixel, file.PhotometricInterpretation, file.PixelRepresentation = 1, "MONOCHROME2", 1
    file.BitsAllocated, file.BitsStored, file.HighBit, file.NumberOfFrames = 16, 16, 15, len(order)
    shared, axes = Dataset(), volume.axes
    shared.PlaneOrientationSequence = [item(ImageOrientationPatient=decimals([*axes[:, 0], *axes[:, 1]]))]
    shared.PixelMeasuresSequence = [item(PixelSpacing=decimals(volume.spacing_mm[1:]), SliceThickness=2.5)]
    shared.CTReconstructionSequence, shared.CTXRayDetailsSequence = [item(ConvolutionKernel="FC08")], [item(KVP=120)]
    file.SharedFunctionalGroupsSequence, file.PerFrameFunctionalGroupsSequence = [shared], []
    stored = []
    for index in order:
        slope, intercept = rescales[index]
        frame = Dataset()
        frame.PlanePositionSequence = [item(ImagePositionPatient=decimals(volume.position_mm((index, 0, 0))))]
        frame.PixelValueTransformationSequence = [item(RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="HU")]
        frame.FrameContentSequence = [item(**{"StackID": "1", **(frame_tags or {}).get(index, {})})]
        file.PerFrameFunctionalGroupsSequence.append(frame)
        stored.append(np.rint((volume.voxels[index] - intercept) / slope).astype("<i2"))
    file.PixelData = np.stack(stored).tobytes()
    for name, value in {**dict.fromkeys(PERSON, ""), **tags}.items():
        setattr(file, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, file)
    return path


def item(**tags):
    """An item of a sequence."""
    dataset = Dataset()
    for name, value in tags.items():
        setattr(dataset, name, value)
    return dataset


def without_preamble(path, *, meta=True):
    """The file as archives before 2005 wrote it; `meta` keeps the elements that name its transfer syntax."""
    content = path.read_bytes()[132:]
    path.write_bytes(content if meta else content[content.index(b"\x08\x00\x08\x00CS") :])
