"""The same video through all entrances, to compare them with each other and FFmpeg."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.datasets.prepare.check import check_clip
from ifdd_mmaction.datasets.prepare.convert import extract_frames
from ifdd_mmaction.datasets.storage import VideoClipSource
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.video import FileVideo

#: Largest mean difference of a frame to FFmpeg's, of 255, where colors are converted
#: from more than 8 bits or pixels are not square: the scalers of FFmpeg 5 and 8 differ
#: at the edges of colors. Else there is no difference.
TOLERANCE = 8.0


def training(path: Path) -> np.ndarray:
    """Read all frames by their index, as a clip of a dataset is read."""
    video = VideoClipSource(path)
    return np.stack(video.read(range(len(video))))


def preparation(path: Path) -> np.ndarray:
    """Decode in order, as ``prepare.py`` does to check and to extract."""
    check = check_clip(Path(path))
    if check.errors:
        raise DatasetError(check.errors[0])
    frames = np.stack(list(VideoClipSource(path).frames()))
    height, width = frames.shape[1:3]
    assert check.frames == len(frames)
    assert check.sizes == {f'{height} x {width}': len(frames)}
    return frames


def inference(path: Path) -> np.ndarray:
    """Read the frames that inference searches for faces."""
    return np.stack([frame.image for frame in FileVideo(path)])


ENTRANCES: dict[str, Callable[[Path], np.ndarray]] = dict(
    training=training, preparation=preparation, inference=inference
)


def read_everywhere(path: Path) -> np.ndarray | str:
    """Return the frames ``(T, H, W, 3)`` that all entrances give, or their refusal.

    Raises:
        AssertionError: If they differ.
    """
    results: list[np.ndarray | str] = []
    for entrance in ENTRANCES.values():
        try:
            results.append(entrance(path))
        except (DatasetError, InputError) as error:
            results.append(str(error))
    first = results[0]
    said = [r if isinstance(r, str) else r.shape for r in results]
    assert said == said[:1] * len(said)
    assert all(np.array_equal(first, other) for other in results)
    return first


def extract(path: Path) -> np.ndarray:
    """Return the extracted frames, ``(T, H, W)`` gray: JPEG stores colors coarsely."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / 'frames'
        assert not extract_frames(path, folder, quality=95)
        files = sorted(folder.iterdir())
        return np.stack([cv2.imread(str(f), cv2.IMREAD_GRAYSCALE) for f in files])


def gray(frames: np.ndarray) -> np.ndarray:
    """Return ``(T, H, W)`` of ``(T, H, W, 3)`` RGB."""
    return np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames])


def difference(frames: np.ndarray, true: np.ndarray) -> float:
    """Compare with FFmpeg's frames; return the largest mean difference of a frame.

    Raises:
        AssertionError: If their number or shape differs, or a frame is nearer to a
            neighbor of its true one.
    """
    assert frames.shape == true.shape
    own = distances(frames, true)
    for shift in (-1, 1):
        neighbors = distances(frames, np.roll(true, shift, axis=0))
        assert (own <= neighbors).all()
    return float(own.max())


def distances(frames: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the mean difference of each frame, ``(T,)``."""
    return np.abs(frames.astype(np.int16) - others).mean(axis=(1, 2, 3))
