"""Where the split of a model reads the strongest moment of a video."""

from __future__ import annotations

import numpy as np
import torch
from mmaction.structures import ActionDataSample

from ifdd_mmaction.analysis import clip_positions, disentangle
from ifdd_mmaction.apis import DFERInferencer, TorchPredictor, VideoResult
from ifdd_mmaction.apis.face_clips import FaceScan, cut_clips
from ifdd_mmaction.apis.results import face_emotions
from ifdd_mmaction.models.necks import IFDDNeck
from ifdd_mmaction.models.necks.temporal_split import interval_frames
from ifdd_mmaction.visualization import ClipSplit
from ifdd_mmaction.visualization.emotion_pictures import choose_moments


@torch.inference_mode()
def view_split(
    inferencer: DFERInferencer, scan: FaceScan, result: VideoResult
) -> ClipSplit | None:
    """Return what the split does to the clip of the moment of the strongest expression.

    Args:
        inferencer: What made the result.
        scan: The faces of the video.
        result: Its expressions.

    Returns:
        What ``plot_clip_split`` draws; None for a model without a split, one in
        another format than PyTorch's, and a video without expression.
    """
    predictor = inferencer.model
    neck = getattr(getattr(predictor, 'model', None), 'neck', None)
    moments = choose_moments(face_emotions(result), result.classes, count=1)
    if not isinstance(predictor, TorchPredictor) or not isinstance(neck, IFDDNeck):
        return None
    split = neck.split
    if split is None or not moments:
        return None
    (moment,) = moments
    windows = inferencer.windows(scan, scan.tracks[moment.face])
    middles = np.array([(window.start + window.end) / 2 for window in windows])
    window = windows[int(np.abs(middles - moment.seconds).argmin())]
    settings = inferencer.settings
    cut = cut_clips(scan.video, [window], settings['crop'], settings['crop_size'])
    _, faces = next(cut)
    clip = inferencer.pipeline([face.copy() for face in faces])
    data = dict(inputs=[clip], data_samples=[ActionDataSample()])
    parts = disentangle(
        predictor.model, predictor.model.data_preprocessor(data)['inputs']
    )

    def frames(positions: torch.Tensor) -> np.ndarray:
        return clip_positions(positions.float().cpu(), split.num_frames, len(faces))

    even, odd = interval_frames(parts.x.shape[2])
    correlation = parts.indexes.correlation
    return ClipSplit(
        f'face {scan.tracks[moment.face].id}, {window.start:.1f} to {window.end:.1f} s',
        np.stack(faces),
        frames(parts.frames_s[0]),
        frames(parts.frames_d[0]),
        (frames(even), frames(odd)),
        None if correlation is None else correlation[0].float().cpu().numpy(),
    )
