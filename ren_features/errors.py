"""Every error that the software raises on purpose; `main()` alone turns one into a line and an exit status."""


class RenError(Exception):
    """Base of all of them. The message says what was expected, what was found, and in which scan or file."""


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


class GeometryError(RenError, ValueError):
    """Image and mask do not lie on one grid, or a grid is impossible."""


class LabelError(RenError, ValueError):
    """A mask holds a label that its scheme does not know."""


class EmptyRegionError(RenError, ValueError):
    """A mask without a labelled voxel, or a region too small to measure."""


class StoreError(RenError):
    """The store cannot be opened, read or written."""
