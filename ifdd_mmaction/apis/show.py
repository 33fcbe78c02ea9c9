"""Pictures of a result."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np

from ..faces import crop_square
from ..video import Video, VideoWriter
from ..visualization.annotate import FrameAnnotator
from ..visualization.emotion_moments import choose_moments, plot_emotion_moments
from ..visualization.emotion_timeline import (
    FaceEmotions,
    longest,
    plot_emotion_timeline,
)
from ..visualization.style import save_figure
from .face_scan import Progress, iterate
from .results import VideoResult

#: Panels of the timeline: the faces that are seen longest.
MAX_PANELS = 8


def face_emotions(result: VideoResult) -> list[FaceEmotions]:
    """Return the smoothed emotions of each track, to be drawn."""
    return [
        FaceEmotions(f'face {t.id}', t.start, t.end, t.middles, t.smoothed)
        for t in result.tracks
    ]


def show_result(
    video: Video,
    result: VideoResult,
    folder: Path,
    *,
    timeline: bool = True,
    moments: bool = True,
    annotated: bool = True,
    progress: Progress | None = None,
) -> dict[str, Path]:
    """Write the pictures of a result into a folder.

    Args:
        video: What the result is of.
        result: The result.
        folder: It is made where it is missing.
        timeline: Whether to write ``timeline.png``, of the faces seen longest.
        moments: Whether to write ``moments.png``, the most emotional moments.
        annotated: Whether to write ``annotated.mp4``; see :class:`VideoWriter`.
        progress: Wraps the frames to show how far it is.

    Returns:
        The files by name: ``timeline``, ``moments``, ``annotated``.
    """
    faces = face_emotions(result)
    files: dict[str, Path] = {}
    if timeline:
        panels = longest(faces, MAX_PANELS)
        files['timeline'] = folder / 'timeline.png'
        figure = plot_emotion_timeline(panels, result.classes, result.seconds)
        save_figure(figure, files['timeline'], dpi=120)
    if annotated or moments:
        files |= _read_again(video, result, faces, folder, moments, annotated, progress)
    return files


def _read_again(
    video: Video,
    result: VideoResult,
    faces: list[FaceEmotions],
    folder: Path,
    moments: bool,
    annotated: bool,
    progress: Progress | None,
) -> dict[str, Path]:
    """Read the video once, for the frames of moments and of the annotated video."""
    files: dict[str, Path] = {}
    chosen = choose_moments(faces, result.classes) if moments else []
    images: dict[int, np.ndarray] = {}
    rows = [
        {frame: np.array(box) for frame, box in zip(t.frames, t.boxes, strict=True)}
        for t in result.tracks
    ]
    annotator = FrameAnnotator(
        faces, result.classes, result.seconds, (result.width, result.height)
    )
    fps = (result.frames - 1) / max(result.seconds, 1e-9)
    with ExitStack() as stack:
        if annotated:
            files['annotated'] = folder / 'annotated.mp4'
            writer = stack.enter_context(
                VideoWriter(files['annotated'], annotator.size, fps)
            )
        for frame in iterate(video, 'drawing', progress):
            boxes = [row.get(frame.index) for row in rows]
            for number, moment in enumerate(chosen):
                box = boxes[moment.face]
                # The first frame at or after the moment, in which the face is seen.
                late = frame.seconds >= moment.seconds - 1e-6
                if late and number not in images and box is not None:
                    images[number] = crop_square(frame.image, box)
            if annotated:
                drawn = annotator(frame.image, frame.seconds, boxes)
                writer.write(drawn, frame.seconds)
            elif len(images) == len(chosen):
                break
    if shown := sorted(images):
        files['moments'] = folder / 'moments.png'
        figure = plot_emotion_moments(
            [chosen[i] for i in shown],
            [images[i] for i in shown],
            [face.name for face in faces],
            result.classes,
        )
        save_figure(figure, files['moments'], dpi=120)
    return files
