"""Watch a camera or stream: draw the faces with their expressions, and write them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import cv2

from ..errors import InputError
from ..fileio import write_atomic
from ..video import Frame, LiveVideo, VideoWriter
from ..video.window import Window, has_display
from ..visualization.live import LiveAnnotator
from .inferencer import DFERInferencer
from .live import LiveFace, LivePrediction, LiveRecognizer
from .live_report import LineFile, LiveSummary, head_line, prediction_line
from .signals import Signals

#: Where drawn frames go.
DRAW = ('window', 'video', 'both', 'none')


class LiveSession:
    """Predicts, draws and writes the frames of a camera or stream.

    With the first frame it begins ``expressions.jsonl``, a line for each prediction,
    and ``annotated.mp4``; at the end it writes ``live.json``, the
    :class:`LiveSummary`.

    Args:
        inferencer: Model, detector and settings.
        folder: Where to write; it is created if missing.
        draw: One of :data:`DRAW`; by default a window if there is a display, else a
            video.

    Raises:
        InputError: If ``draw`` is unknown, or a window is wanted where none can be
            opened.

    Example:
        >>> from ifdd_mmaction.apis import DFERInferencer, LiveSession
        >>> from ifdd_mmaction.video import LiveVideo
        >>> inferencer = DFERInferencer(
        ...     'ifdd_vit_sample', detector='none', window=0.2, show_progress=False
        ... )
        >>> session = LiveSession(inferencer, 'out/live', draw='none')
        >>> session.run(LiveVideo('anna.mp4')).arrived  # or 0, 'rtsp://10.0.0.7/live'
        8
    """

    def __init__(
        self, inferencer: DFERInferencer, folder: str | Path, draw: str | None = None
    ) -> None:
        if draw is None:
            draw = 'window' if has_display() else 'video'
        if draw not in DRAW:
            raise InputError(f'draw={draw!r}: must be one of {", ".join(DRAW)}')
        self.inferencer = inferencer
        self.folder = Path(folder)
        self.writes_video = draw in ('video', 'both')
        self.window = Window('ifdd') if draw in ('window', 'both') else None

    def run(self, video: LiveVideo, seconds: float | None = None) -> LiveSummary:
        """Watch until the source ends, the window is closed, Ctrl-C or SIGTERM.

        Args:
            video: The camera or stream.
            seconds: Ends after this time, in seconds.

        Raises:
            InputError: If the source cannot be opened, or is lost for too long; the
                files are complete up to there.
            OSError: If a file cannot be written.
        """
        summary = LiveSummary(video.name, dict(self.inferencer.settings))
        lost: InputError | None = None
        with ExitStack() as stack:
            signals = stack.enter_context(Signals())
            stack.enter_context(half_the_cores())
            recognizer = stack.enter_context(LiveRecognizer(self.inferencer))
            stack.enter_context(video)
            outputs: _Outputs | None = None
            try:
                for frame in video:
                    closed = self.window is not None and self.window.is_closed()
                    late = seconds is not None and video.seconds >= seconds
                    if signals.received or closed or late:
                        break
                    if frame is not None:
                        outputs = outputs or _Outputs(self, video.name, frame, stack)
                        self._use(frame, recognizer, outputs, summary, video)
            except InputError as error:
                lost = error
            if outputs is not None:
                outputs.write(recognizer.finish(), summary)
            summary.arrived, summary.reopened = video.arrived, video.reopened
            summary.ended_by = signals.received
        if self.window is not None:
            self.window.close()
        if summary.drawn:
            text = json.dumps(summary.to_dict(), indent=1)
            write_atomic(self.folder / 'live.json', text.encode())
        if lost is not None:
            raise lost
        return summary

    def _use(
        self,
        frame: Frame,
        recognizer: LiveRecognizer,
        outputs: _Outputs,
        summary: LiveSummary,
        video: LiveVideo,
    ) -> None:
        faces = recognizer(frame)
        predictions = recognizer.take()
        outputs.draw(frame, faces)
        outputs.write(predictions, summary)
        for prediction in predictions:
            summary.prediction_delays.add(video.seconds - prediction.seconds)
        summary.frame_delays.add(video.seconds - frame.seconds)
        summary.seconds = frame.seconds
        summary.drawn += 1


class _Outputs:
    """The files and the window of a session, opened at its first frame."""

    def __init__(
        self, session: LiveSession, source: str, first: Frame, stack: ExitStack
    ) -> None:
        inferencer = session.inferencer
        height, width = first.image.shape[:2]
        self.annotator = LiveAnnotator(
            inferencer.classes,
            (width, height),
            inferencer.settings.get('abstain_below') or 0.0,
        )
        self.window = session.window
        self.lines = stack.enter_context(LineFile(session.folder / 'expressions.jsonl'))
        self.lines.write(head_line(source, inferencer.classes, inferencer.settings))
        self.writer: VideoWriter | None = None
        if session.writes_video:
            self.writer = stack.enter_context(
                VideoWriter(session.folder / 'annotated.mp4', self.annotator.size)
            )

    def draw(self, frame: Frame, faces: list[LiveFace]) -> None:
        if self.writer is None and self.window is None:
            return
        drawn = self.annotator(
            frame.image,
            [(f'face {f.track}', f.probabilities, f.box) for f in faces],
        )
        if self.window is not None:
            self.window.show(drawn)
        if self.writer is not None:
            self.writer.write(drawn, frame.seconds)

    def write(self, predictions: list[LivePrediction], summary: LiveSummary) -> None:
        for p in predictions:
            expression, _, _ = self.annotator.top(p.smoothed)
            self.lines.write(
                prediction_line(p.track, p.seconds, expression, p.smoothed, p.raw)
            )
            summary.tracks = max(summary.tracks, p.track)


@contextmanager
def half_the_cores() -> Iterator[None]:
    """Let OpenCV, which detects faces, use half of the cores within a block.

    The others read, predict and encode meanwhile. With two cores, a detection by one
    takes no longer than by both.
    """
    before = cv2.getNumThreads()
    cv2.setNumThreads(max(1, (os.cpu_count() or 1) // 2))
    try:
        yield
    finally:
        cv2.setNumThreads(before)
