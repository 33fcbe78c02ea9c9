"""What models say of clips: of clips, and of their frames one by one."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.runner import Runner

from ifdd_mmaction.analysis import clip_name, clip_probabilities
from ifdd_mmaction.apis import TrainedModel
from ifdd_mmaction.engine import divide_logits, read_temperature
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.progress import track

from .package import FerPackage
from .sets import PhotoSet

#: Clips of a batch of frames: each has as many views as frames.
FRAME_BATCH = 4


class ClipScores(NamedTuple):
    """Names of clips, labels ``(N,)`` and probabilities ``(N, K)``.

    Labels and columns are those of the dataset's classes.
    """

    clips: list[str]
    labels: np.ndarray
    probabilities: np.ndarray


class ClipModel:
    """A recognizer of clips; its logits are divided by its temperature, if it has one.

    Args:
        config: Config file, or name of a model of the zoo.
        checkpoint: File of the weights.
        options: Of :class:`TrainedModel`.
    """

    def __init__(
        self, config: str, checkpoint: str, options: Mapping[str, Any]
    ) -> None:
        self.trained = TrainedModel(config, checkpoint, **options)
        self.model = self.trained.model
        meta = self.model.checkpoint_meta
        self.temperature: float | None = None
        if meta.get('calibration'):
            self.temperature = read_temperature(meta, checkpoint)
            divide_logits(self.model, self.temperature)
        fold = self.trained.loader.dataset.get('fold')
        own = self.model.dataset_meta.get('fold', fold)
        if own != fold:
            raise InputError(
                f'{checkpoint} was trained on fold {own}: the people of fold {fold} '
                f'are not new to it. Give --fold {own}'
            )
        self.facts: dict[str, Any] = dict(
            config=Path(config).name,
            checkpoint=Path(checkpoint).name,
            epoch=meta.get('epoch'),
            parameters=sum(p.numel() for p in self.model.parameters()),
            temperature=self.temperature,
        )

    def dataset(self, ann_file: Path | None = None, **changes: Any) -> BaseDataset:
        """Build the test dataset; of another list, of another folder if asked for."""
        loader = self.trained.loader
        original = copy.deepcopy(loader.dataset)
        try:
            if ann_file is not None:
                changes['ann_file'] = str(ann_file.absolute())
            loader.dataset.update(changes)
            return self.trained.dataset()
        finally:
            loader.dataset = original

    @torch.no_grad()
    def __call__(self, dataset: BaseDataset, what: str) -> ClipScores:
        """Predict all clips of a dataset."""
        order = self.trained.label_order(dataset)
        loader = Runner.build_dataloader({**self.trained.loader, 'dataset': dataset})
        clips, labels, rows = [], [], []
        for batch in track(loader, len(loader), what):
            for sample in self.model.test_step(self.prepare(batch)):
                info = dict(video_id=sample.get('video_id', len(clips)))
                clips.append(clip_name(info, len(clips)))
                labels.append(int(sample.gt_label))
                rows.append(clip_probabilities(sample.pred_score)[order])
        return ClipScores(clips, np.array(labels), np.array(rows))

    def prepare(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Return what the model gets of a batch."""
        return batch


class FrameModel(ClipModel):
    """A recognizer of single frames, as the first stage of static_first.py trains it.

    It gets each frame of a clip as a view, repeated as often as in its config; its
    probabilities are averaged over time.

    Args:
        clips: The model whose frames are sampled.
        config: Config of the first stage.
        checkpoint: File of the weights.
        options: Of :class:`TrainedModel`.

    Raises:
        InputError: If the config does not sample single frames.
    """

    def __init__(
        self, clips: ClipModel, config: str, checkpoint: str, options: Mapping[str, Any]
    ) -> None:
        super().__init__(config, checkpoint, options)
        data = self.trained.loader.dataset
        first = data.pipeline[0]
        if first['type'] != 'SampleFrame':
            raise InputError(
                f'{config} samples clips ({first["type"]}), not frames (SampleFrame): '
                'give the config that tools/static_first.py keeps in WORK_DIR/frames'
            )
        self.copies = first.get('copies', 2)
        data.pipeline[0] = copy.deepcopy(clips.trained.loader.dataset.pipeline[0])
        data.pop('intensity', None)  # which chooses frames
        self.trained.loader.batch_size = FRAME_BATCH
        self.model.cls_head.average_clips = None  # the logits of each frame

    def prepare(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Turn clips ``(M, C, T, H, W)`` into views ``(M T, C, copies, H, W)``."""
        frames = [clip.transpose(1, 2).flatten(0, 1) for clip in batch['inputs']]
        copies = [f[:, :, None].expand(-1, -1, self.copies, -1, -1) for f in frames]
        return dict(batch, inputs=[clip.contiguous() for clip in copies])


def predict_package(
    package: FerPackage, of: PhotoSet, like: ClipScores, what: str
) -> ClipScores:
    """Average over time what a package says of each frame of the same clips."""
    rows = [
        package(of.frames(clip)).mean(axis=0)
        for clip in track(like.clips, len(like.clips), what)
    ]
    return like._replace(probabilities=np.array(rows, np.float64))
