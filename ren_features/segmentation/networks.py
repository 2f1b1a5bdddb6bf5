"""lungmask's two networks: LTRCLobes, filled by R231. torch and lungmask are imported where they are used."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from pickle import UnpicklingError
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ren_features.errors import SegmentationError
from ren_features.images.fingerprint import content_digest

LOBES, LUNGS = "LTRCLobes", "R231"
WEIGHTS = {LOBES: "unet_ltrclobes-3a07043d.pth", LUNGS: "unet_r231-d5d2fc3d.pth"}
CLASSES = {LOBES: 6, LUNGS: 3}
"""Background included."""

ADDRESS = "https://github.com/JoHof/lungmask/releases/download/v0.0"

NETWORK_HU = -1024, 600
"""lungmask cuts intensities off here, which brings every image into 16 bits."""

EVERY, MOST_COMPARED = 8, 16
"""Precisions are compared on every eighth slice of a scan, or on fewer where that would be more than about sixteen."""

MOST_DIFFERENT = 0.001
"""Share of the labelled voxels that half precision may change."""

UNREADABLE = (AttributeError, EOFError, IndexError, KeyError, OSError, RuntimeError, TypeError, ValueError, UnpicklingError)
"""Errors of torch and lungmask for a file that is no state dict of the network."""


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence libraries that warn of their own doings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def check_networks(weights: Path | None) -> None:
    """Refuse to begin what cannot end well; raises as `weight_files`."""
    _import_lungmask()
    weight_files(weights)


def weight_files(given: Path | None) -> tuple[Path, Path]:
    """Weights of the networks for lobes and for lungs, in a folder or in torch's own.

    Raises
    ------
    SegmentationError
        When some are absent: which, where they come from, and where they belong; or when lungmask is not installed.
    """
    folder = given or _torch_folder()
    missing = [name for name in WEIGHTS.values() if not (folder / name).is_file()]
    if missing:
        addresses = ", ".join(f"{ADDRESS}/{name}" for name in missing)
        raise SegmentationError(
            f"expected lungmask's weights in {folder}, found no {', '.join(missing)}; "
            f"download {addresses} to that folder, or name another with --weights DIR"
        )
    return folder / WEIGHTS[LOBES], folder / WEIGHTS[LUNGS]


@dataclass(frozen=True)
class Networks:
    """lungmask's two networks in memory, and what they are called."""

    inferer: Any
    name: str

    def segment(self, hu: NDArray[Any], threads: int) -> tuple[NDArray[np.uint8], str]:
        """Labels as lungmask gives them, shape (z, y, x), and their source."""
        slices = _slices(hu)
        with _torch_threads(threads):
            half = self._half_precision_serves(slices)
            return self._apply(slices, half=half), f"{self.name}, {'bfloat16' if half else 'float32'}"

    def _half_precision_serves(self, slices: NDArray[np.int16]) -> bool:
        """True when the processor has bfloat16 and a sample of this very scan gives the same labels.

        It depends on nothing else, so that a scan's mask does not depend on which scans came before it.
        """
        if self.inferer.device.type != "cpu" or not has_bfloat16():
            return False
        sample = slices[:: max(EVERY, len(slices) // MOST_COMPARED)]
        return same_result(self._apply(sample, half=False), self._apply(sample, half=True))

    def _apply(self, slices: NDArray[np.int16], *, half: bool) -> NDArray[np.uint8]:
        import torch

        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            labels: NDArray[np.uint8] = self.inferer.apply(slices)
        return labels


def has_bfloat16() -> bool:
    """True when the processor multiplies bfloat16 itself; others imitate it, slowly."""
    import torch

    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # older versions of torch cannot tell
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))


def same_result(labels: NDArray[np.uint8], others: NDArray[np.uint8]) -> bool:
    """True when two maps differ in at most `MOST_DIFFERENT` of the voxels that the first one labels; False without labels."""
    labelled, different = np.count_nonzero(labels), np.count_nonzero(labels != others)
    return bool(labelled > 0 and different <= MOST_DIFFERENT * labelled)


@lru_cache(maxsize=1)
@_quiet()
def load(lobes: Path, lungs: Path) -> Networks:
    """Load lungmask's networks, once in a process.

    Raises
    ------
    SegmentationError
        Naming the file that holds no weights of its network.
    """
    lungmask = _import_lungmask()
    files = {LOBES: lobes, LUNGS: lungs}
    try:
        inferer = lungmask.LMInferer(LOBES, str(lobes), LUNGS, str(lungs), tqdm_disable=True)
    except UNREADABLE:
        for file in files.values():
            _check_weights(file, lungmask)
        raise
    for (name, file), network in zip(files.items(), (inferer.model, inferer.fillmodelm), strict=True):
        if network.last.out_channels != CLASSES[name]:  # lungmask takes the number from the file
            raise SegmentationError(f"{file}: expected {CLASSES[name]} classes of {name}, got {network.last.out_channels}")
    _suit_processor(inferer)
    digests = ", ".join(f"{name} {content_digest(file)[:8]}" for name, file in files.items())
    return Networks(inferer, f"lungmask {version('lungmask')}: {digests}")


def _check_weights(file: Path, lungmask: Any) -> None:
    try:
        lungmask.get_model("", str(file))
    except UNREADABLE as error:
        reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        raise SegmentationError(f"{file}: expected weights of lungmask's network, got {reason}") from error


def _suit_processor(inferer: Any) -> None:
    """On a CPU take slices one by one, channels last: measured the fastest, in a third of the memory."""
    import torch

    if inferer.device.type == "cpu":
        inferer.batch_size = 1
        for network in (inferer.model, inferer.fillmodelm):
            network.to(memory_format=torch.channels_last)


def _import_lungmask() -> Any:
    with _quiet():  # importing it silences warnings for the whole process
        try:
            from lungmask import mask
            from tqdm import tqdm
        except ImportError as error:
            raise SegmentationError(f"expected lungmask, got: {error}; pip install 'ren-toolkit[segment]'") from error
    tqdm.set_lock(RLock())  # its own lock would be one between processes, left behind when a worker is stopped
    logging.getLogger("lungmask").setLevel(logging.WARNING)
    return mask


def _torch_folder() -> Path:
    _import_lungmask()
    import torch

    return Path(torch.hub.get_dir(), "checkpoints")


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    """The number belongs to the process: set it back for whoever else computes in it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _slices(voxels: NDArray[Any]) -> NDArray[np.int16]:
    """Whole HU within the networks' range, shape (z, y, x); one slice after another, to spare memory."""
    return np.stack([np.clip(np.rint(plane), *NETWORK_HU).astype(np.int16) for plane in voxels])
