"""Prediction of expressions over time from videos."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.infer import BaseInferencer
from torch import Tensor

from ..errors import InputError
from ..faces import CROPS, Track, build_detector
from ..progress import track as progress_bar
from ..video import (
    Frame,
    Video,
    find_videos,
    open_video,
    result_folders,
)
from ..video.sources import DEFAULT_FPS, MAX_SIDE
from .face_clips import (
    ClipPipeline,
    FaceScan,
    Window,
    cut_clips,
    iterate,
    plan_windows,
    scan_faces,
    smooth_windows,
)
from .models import read_config
from .predictor import Predictor, build_predictor
from .results import TrackResult, VideoResult, WindowResult, show_result
from .zoo import get_checkpoint


class Batch(NamedTuple):
    """Windows, and their clips ``(N, M, C, T, H, W)``; see :class:`Predictor`."""

    windows: list[Window]
    clips: Tensor


class DFERInferencer(BaseInferencer):
    """Detect and track the faces of videos, and predict their expressions over time.

    A video is read twice, frame by frame: once to detect faces, once to crop the clips
    of the model from sliding windows over each face. It is read a third time to draw
    figures, if requested. Memory does not grow with the length of a video.

    The interface is that of MMEngine's ``BaseInferencer``; :meth:`infer_video` returns
    the :class:`VideoResult` of one video.

    Args:
        model: Config of the model: a file, a ``Config``, or a name of the zoo.
        weights: Checkpoint; that of the zoo by default.
        device: Name of a PyTorch device; the best one by default.
        detector: ``'centerface'``, ``'none'`` for videos that are already cropped to
            the face, or the path of a YuNet model.
        detect_size: Longer side of the detector's input, in pixels.
        detect_every: Run the detector on every n-th frame.
        max_gap: Maximum time without a detection within a track, in seconds.
        crop: ``'square'`` or ``'align'``; see ``ifdd_mmaction.faces``.
        crop_size: Width and height of face crops before the test pipeline, in pixels.
        window: Time from the first to the last frame of a clip, in seconds.
        stride: Time from one window to the next, in seconds.
        smooth: Standard deviation of the smoothing over windows, in seconds; 0 disables
            it.
        fps: Frames per second of arrays and folders of images.
        show_progress: Whether to show progress bars on standard error.
        predictor: Used instead of one built from ``weights``.
        calibrated: Whether to divide the logits by the temperature in ``weights``; see
            :func:`calibrate`.
        abstain_below: Windows whose largest smoothed probability is below this get
            ``'not sure'`` in place of a class; from 0 to 1.

    Raises:
        InputError: If an option, the config or the checkpoint cannot be used.

    Example:
        >>> from ifdd_mmaction.apis import DFERInferencer
        >>> inferencer = DFERInferencer(
        ...     'ifdd_vit_sample', detector='none', show_progress=False
        ... )
        >>> result = inferencer.infer_video('anna.mp4')
        >>> [track] = result.tracks  # one for each face
        >>> track.smoothed.shape  # (windows, classes)
        (1, 7)
    """

    visualize_kwargs: ClassVar[set] = {'out_dir', 'annotated', 'timeline', 'moments'}

    def __init__(
        self,
        model: str | Path | Config,
        weights: str | Path | None = None,
        device: str | None = None,
        *,
        detector: str = 'centerface',
        detect_size: int = 320,
        detect_every: int = 1,
        max_gap: float = 1.0,
        crop: str = 'square',
        crop_size: int = 224,
        window: float = 2.0,
        stride: float = 0.5,
        smooth: float = 0.5,
        fps: float = DEFAULT_FPS,
        show_progress: bool = True,
        predictor: Predictor | None = None,
        calibrated: bool = False,
        abstain_below: float | None = None,
    ) -> None:
        positive = dict(
            detect_size=detect_size, detect_every=detect_every, crop_size=crop_size,
            window=window, stride=stride, fps=fps,
        )  # fmt: skip
        for name, value in positive.items():
            if not value > 0:
                raise InputError(f'{name}={value}: must be more than 0')
        for name, value in dict(max_gap=max_gap, smooth=smooth).items():
            if not value >= 0:
                raise InputError(f'{name}={value}: must be 0 or more')
        if crop not in CROPS:
            raise InputError(f'crop={crop!r}: must be one of {", ".join(CROPS)}')
        if abstain_below is not None and not 0 <= abstain_below <= 1:
            raise InputError(f'abstain_below={abstain_below}: must be from 0 to 1')
        if calibrated and predictor is not None:
            raise InputError(
                f'calibrated={calibrated}: a {type(predictor).__name__} is used as it '
                'is; calibrate it where it is made'
            )
        if weights is None and predictor is None:
            if isinstance(model, Config) or Path(model).is_file():
                raise InputError(f'weights={weights}: give the path of a checkpoint')
            weights = get_checkpoint(str(model))
        self._predictor = predictor
        self._calibrated = calibrated
        self.settings: dict[str, Any] = dict(
            detector=detector, detect_size=detect_size, detect_every=detect_every,
            max_gap=max_gap, crop=None if detector == 'none' else crop,
            crop_size=crop_size, window=window, stride=stride, smooth=smooth,
            checkpoint=None if weights is None else str(weights),
        )  # fmt: skip
        if abstain_below is not None:
            self.settings['abstain_below'] = abstain_below
        self.fps = fps
        self.detector = build_detector(detector, detect_size)
        super().__init__(
            read_config(model),
            None if weights is None else str(weights),
            device,
            scope='mmaction',
            show_progress=show_progress,
        )
        if temperature := getattr(self.model, 'temperature', None):
            self.settings['temperature'] = temperature

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the probabilities."""
        return self.model.classes

    @property
    def max_side(self) -> int:
        """Largest side of frames that are used, in pixels; larger ones are reduced."""
        # Without a crop, windows hold whole frames: these are downscaled further.
        whole = self.settings['crop'] is None
        return 2 * self.settings['crop_size'] if whole else MAX_SIDE

    def __call__(  # type: ignore[override]
        self,
        inputs: Any,
        return_datasamples: bool = False,
        batch_size: int = 8,
        **kwargs: Any,
    ) -> dict[str, list]:
        """Predict the expressions of videos.

        Args:
            inputs: A file, a folder, a glob pattern, an array ``(T, H, W, 3)`` of
                uint8 RGB, or a list of these. For cameras and streams there is
                :class:`LiveSession`.
            return_datasamples: Whether predictions are :class:`VideoResult`, not dicts.
            batch_size: Clips per forward pass.
            kwargs: Arguments of :meth:`visualize`.

        Returns:
            ``predictions``, one per video, and ``visualization``, the files written for
            each video.

        Raises:
            InputError: If a video cannot be read or shows no face.
        """
        _, _, visualize_kwargs, _ = self._dispatch_kwargs(**kwargs)
        sources = self._inputs_to_list(inputs)
        results = [self.infer_video(source, batch_size) for source in sources]
        files = self.visualize(sources, results, **visualize_kwargs)
        return self.postprocess(results, files, return_datasamples)

    def infer_video(
        self, source: str | os.PathLike | np.ndarray | Video, batch_size: int = 8
    ) -> VideoResult:
        """Predict the expressions of one video.

        Args:
            source: A file, a folder of numbered images, an array ``(T, H, W, 3)`` or a
                :class:`Video`.
            batch_size: Clips per forward pass.

        Raises:
            InputError: If the video cannot be read or shows no face.
        """
        return self.infer_scan(self.scan(source), batch_size)

    def infer_scan(self, scan: FaceScan, batch_size: int = 8) -> VideoResult:
        """Predict the expressions of a scanned video.

        Args:
            scan: Scan of :meth:`scan`.
            batch_size: Clips per forward pass.

        Raises:
            InputError: If the video cannot be read again, or batch_size is less than 1.
        """
        if batch_size < 1:
            raise InputError(f'batch_size={batch_size}: must be 1 or more')
        found: dict[int, list[tuple[Window, np.ndarray]]] = {}
        for batch in self.preprocess([scan], batch_size):
            for window, probabilities in self.forward(batch):
                found.setdefault(window.track.id, []).append((window, probabilities))
        return self._collect(scan, found)

    def scan(self, source: str | os.PathLike | np.ndarray | Video) -> FaceScan:
        """Find the faces of one video, ``(T, H, W, 3)``; see :func:`scan_faces`."""
        return scan_faces(
            self._open(source),
            self.detector,
            self.settings['detect_every'],
            self.settings['max_gap'],
            progress=self._progress,
        )

    def windows(self, scan: FaceScan, track: Track) -> list[Window]:
        """Divide a track of a scan into windows; see :func:`plan_windows`."""
        return plan_windows(
            track,
            scan.seconds,
            self.pipeline.clip_len,
            self.settings['window'],
            self.settings['stride'],
        )

    def preprocess(  # type: ignore[override]
        self, inputs: Sequence[FaceScan], batch_size: int = 8
    ) -> Iterator[Batch]:
        """Yield the clips of scanned videos, a batch at a time."""
        settings = self.settings
        for scan in inputs:
            windows = [w for track in scan.tracks for w in self.windows(scan, track)]
            frames = iterate(scan.video, 'predicting expressions', self._progress)
            cut = cut_clips(frames, windows, settings['crop'], settings['crop_size'])
            # The pipeline is applied before batching: its output is smaller.
            clips = ((window, self.pipeline(faces)) for window, faces in cut)
            for chunk in self._get_chunk_data(clips, batch_size):
                yield Batch(
                    [window for window, _ in chunk],
                    torch.stack([clip for _, clip in chunk]),
                )

    def forward(  # type: ignore[override]
        self, inputs: Batch
    ) -> list[tuple[Window, np.ndarray]]:
        """Return each window with its probabilities ``(K,)``."""
        return list(zip(inputs.windows, self.model(inputs.clips), strict=True))

    def visualize(  # type: ignore[override]
        self,
        inputs: Sequence[Any],
        preds: Sequence[VideoResult],
        out_dir: str | os.PathLike | None = None,
        annotated: bool = True,
        timeline: bool = True,
        moments: bool = True,
    ) -> list[dict[str, Path]]:
        """Write figures and an annotated video of each result.

        Args:
            inputs: The videos.
            preds: Results of the videos.
            out_dir: Output folder, with a subfolder per video; None writes nothing.
            annotated: Whether to write the video with boxes and expressions.
            timeline: Whether to plot the probabilities over time.
            moments: Whether to draw the moments of the highest probabilities.

        Returns:
            The files of each video by name; see :func:`show_result`.
        """
        if out_dir is None:
            return [{} for _ in inputs]
        which = dict(annotated=annotated, timeline=timeline, moments=moments)
        folders = result_folders(out_dir, [result.video for result in preds])
        return [
            self.show(source, result, folder, **which)
            for source, result, folder in zip(inputs, preds, folders, strict=True)
        ]

    def show(
        self,
        source: str | os.PathLike | np.ndarray | Video,
        result: VideoResult,
        folder: str | os.PathLike,
        **which: bool,
    ) -> dict[str, Path]:
        """Write the figures of one result to a folder; see :func:`show_result`.

        The source is read again; an array is ``(T, H, W, 3)``.
        """
        video = self._open(source)
        return show_result(
            video, result, Path(folder), progress=self._progress, **which
        )

    def postprocess(  # type: ignore[override]
        self,
        preds: Sequence[VideoResult],
        visualization: list[dict[str, Path]],
        return_datasamples: bool = False,
    ) -> dict[str, list]:
        """Return results in the format of MMEngine's inferencers."""
        results = preds if return_datasamples else [p.to_dict() for p in preds]
        return dict(predictions=list(results), visualization=visualization)

    def _collect(
        self, scan: FaceScan, found: dict[int, list[tuple[Window, np.ndarray]]]
    ) -> VideoResult:
        tracks = []
        for track in scan.tracks:
            pairs = sorted(found[track.id], key=lambda pair: pair[0].start)
            middles = np.array([(w.start + w.end) / 2 for w, _ in pairs])
            smoothed = smooth_windows(
                np.stack([p for _, p in pairs]), middles, self.settings['smooth']
            )
            windows = [
                WindowResult(
                    w.start, w.end, tuple(map(float, raw)), tuple(map(float, smooth))
                )
                for (w, raw), smooth in zip(pairs, smoothed, strict=True)
            ]
            tracks.append(
                TrackResult(
                    track.id,
                    float(scan.seconds[track.frames[0]]),
                    float(scan.seconds[track.frames[-1]]),
                    track.frames.tolist(),
                    [tuple(box) for box in track.boxes.tolist()],
                    windows,
                )
            )
        width, height = scan.size
        decoder = getattr(scan.video, 'decoder', None)  # of files
        return VideoResult(
            scan.video.name,
            self.classes,
            len(scan.seconds),
            float(scan.seconds[-1]),
            width,
            height,
            tracks,
            {
                **self.settings,
                'dropped_tracks': scan.dropped,
                'detector_frames_per_second': round(scan.rate, 1),
                **({'decoder': decoder} if decoder else {}),
            },
        )

    def _inputs_to_list(self, inputs: Any) -> list:
        if isinstance(inputs, (str, os.PathLike)):
            return find_videos([inputs])
        if not isinstance(inputs, (list, tuple)):
            return [inputs]
        return [one for entry in inputs for one in self._inputs_to_list(entry)]

    def _open(self, source: str | os.PathLike | np.ndarray | Video) -> Video:
        if isinstance(source, int):
            raise InputError(f'{source} is the number of a camera: use LiveSession')
        return open_video(source, self.fps, self.max_side)

    def _progress(
        self, frames: Iterable[Frame], what: str, length: int | None
    ) -> Iterable[Frame]:
        return progress_bar(
            frames, length, what, show=self.show_progress, only_terminal=True
        )

    def _init_model(  # type: ignore[override]
        self, cfg: Config, weights: str | None, device: str | None = None
    ) -> Predictor:
        if self._predictor is not None:
            return self._predictor
        if weights is None:
            raise InputError(f'weights={weights}: give the path of a checkpoint')
        return build_predictor(cfg, weights, device or '', calibrated=self._calibrated)

    def _init_pipeline(self, cfg: Config) -> ClipPipeline:  # type: ignore[override]
        return ClipPipeline(cfg)

    def _init_visualizer(self, cfg: Config) -> None:  # type: ignore[override]
        return None
