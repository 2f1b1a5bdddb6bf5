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


class SeriesError(VolumeError):
    """A folder that does not have the one CT series that is wanted.

    Parameters
    ----------
    to_keep : str
        Message in technical tags alone.
    to_show : str
        The same with descriptions and UIDs of the series, from which a person chooses; these must not enter a store.
    """

    def __init__(self, to_keep: str, to_show: str) -> None:
        super().__init__(to_show)
        self._to_keep = to_keep

    @property
    def to_keep(self) -> str:
        """The message without what an operator wrote."""
        return self._to_keep


class GeometryError(RenError, ValueError):
    """Image and mask do not lie on one grid, or a grid is impossible."""


class LabelError(RenError, ValueError):
    """A mask holds a label that its scheme does not know."""


class EmptyRegionError(RenError, ValueError):
    """A mask without a labelled voxel, or a region too small to measure."""


class StoreError(RenError):
    """The store cannot be opened, read or written."""


class SegmentationError(RenError):
    """Lobes cannot be segmented: no weights, no lungmask, or an image that its network cannot take."""
