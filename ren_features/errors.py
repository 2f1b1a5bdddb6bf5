"""Every error that the software raises on purpose; `main()` alone turns one into a line and an exit status."""


class RenError(Exception):
    """Base of all of them. The message says what was expected, what was found, and in which scan or file."""

    @property
    def to_keep(self) -> str:
        """The message as a store may keep it."""
        return str(self)


class CohortError(RenError, ValueError):
    """A manifest that cannot be used.

    Parameters
    ----------
    problems : str
        Every problem that was found, one message each.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class SpecError(RenError, ValueError):
    """Settings that contradict each other, or a key that would not be honoured."""


class VolumeError(RenError, ValueError):
    """A file that is not one readable three-dimensional scalar image: truncated, 4-D, RGB, empty."""


class DicomError(VolumeError):
    """DICOM files that are not what they should be.

    Parameters
    ----------
    message : str
        In technical tags alone, for the store.
    on_screen : str
        What is added for a person: texts and names that may tell who the patient is, and must not be kept.
    """

    def __init__(self, message: str, *, on_screen: str = "") -> None:
        super().__init__(message + on_screen)
        self._message = message

    @property
    def to_keep(self) -> str:
        """The message without what is for the screen."""
        return self._message


class GeometryError(RenError, ValueError):
    """Image and mask do not lie on one grid, or a grid is impossible."""


class LabelError(RenError, ValueError):
    """A mask holds a label that its scheme does not know."""


class EmptyRegionError(RenError, ValueError):
    """A mask without a labelled voxel, or a region too small to measure."""


class LeakageError(RenError, ValueError):
    """A patient in two parts of a round, or something that was about to be fitted to rows that it must not see."""


class SplitError(RenError, ValueError):
    """A cohort that cannot be split as asked, or a split that is not there."""


class StoreError(RenError):
    """The store cannot be opened, read or written."""


class StaleError(StoreError):
    """Results that do not belong to the features, labels, split or software as they are now."""


class SegmentationError(RenError):
    """Lobes cannot be segmented: no weights, no lungmask, or an image that its network cannot take."""
