"""Test a recognizer on the variants of all clips of a dataset, resumably."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmaction.models.recognizers import BaseRecognizer
from mmengine.dataset import BaseDataset
from torch.utils.data import DataLoader, Dataset

from ..errors import InputError
from ..progress import track
from .clip_frames import from_frames, num_segments, to_frames
from .clip_variants import OTHER_CLIP, VariantPlan, clip_variants, other_clip
from .score_parts import Row, ScoreParts
from .variant_predictions import Predictor

#: Names of arrays that are not the scores of a variant.
STILL, ERROR, POSITIONS = 'still', 'error', 'positions'


class VariantScores(NamedTuple):
    """What a recognizer says of each variant of N clips.

    Attributes:
        num_frames: Frames T of a view.
        clips: Names of the clips.
        scores: Probabilities by name of the variant, ``(N, K)``.
        still: Whether all frames of the clip are the same, ``(N,)``.
        errors: Why a clip could not be read, else empty; its scores are of another.
        positions: Frames that the split of an IFDD neck reads, ``(N, 2, n)``, dynamics
            before context, in frames of the feature, by name of the variant.
        split_frames: Frames of that feature; None without a split.
    """

    num_frames: int
    clips: list[str]
    scores: dict[str, np.ndarray]
    still: np.ndarray
    errors: list[str]
    positions: dict[str, np.ndarray]
    split_frames: int | None


def clip_name(info: Mapping[str, Any], index: int) -> str:
    """Return the name of a clip of any dataset.

    Example:
        >>> from ifdd_mmaction.analysis import clip_name
        >>> clip_name(dict(filename='videos/anna.mp4', label=2), index=7)
        'videos/anna.mp4'
    """
    keys = ('video_id', 'filename', 'frame_dir')
    return next((str(info[key]) for key in keys if key in info), str(index))


class _Pairs(Dataset):
    """Clips, each with one of another group if the plan needs it."""

    def __init__(
        self, dataset: Any, names: list[str], plan: VariantPlan, groups: Sequence[str]
    ) -> None:
        self.dataset, self.names, self.seed = dataset, names, plan.seed
        self.groups = groups if OTHER_CLIP in plan.kinds else None
        self.indexes = list(range(len(names)))

    def __len__(self) -> int:
        return len(self.indexes)

    def __getitem__(self, i: int) -> tuple[int, dict, dict | None]:
        index, other = self.indexes[i], None
        if self.groups is not None:
            name = self.names[index]
            other = self.dataset[other_clip(index, name, self.groups, self.seed)]
        return index, self.dataset[index], other


def run_variants(
    model: BaseRecognizer,
    dataset: BaseDataset,
    folder: str | os.PathLike,
    plan: VariantPlan,
    groups: Sequence[str],
    *,
    settings: Mapping[str, Any] | None = None,
    batch_size: int = 16,
    num_workers: int = 0,
    part_size: int = 32,
    title: str = 'Clips',
) -> VariantScores:
    """Test a recognizer on the variants of every clip of a dataset.

    The scores of ``part_size`` clips are kept in a file each: after an interruption, or
    with a plan of more variants, only the rest is computed.

    Args:
        model: In evaluation mode; it needs no IFDD neck.
        dataset: Its pipeline packs ``(M, C, T, H, W)`` or ``(M * T, C, H, W)``.
        folder: Of the scores, for one model and one set of clips.
        plan: The variants.
        groups: Group of each clip; frames of ``other_clip`` are of another group.
        settings: What else the scores depend on, such as the checkpoint.
        batch_size: Variants of a clip that are tested at once.
        num_workers: Processes that load clips.
        part_size: Clips of a file.
        title: Of the progress.

    Raises:
        InputError: If the folder has scores of something else, or the clips have no
            time axis, or differ in their number of frames.

    Example:
        >>> from ifdd_mmaction.analysis import VariantPlan, run_variants
        >>> from ifdd_mmaction.apis import TrainedModel, get_checkpoint
        >>> weights = get_checkpoint('ifdd_vit_sample')
        >>> trained = TrainedModel('ifdd_vit_sample', weights)
        >>> dataset = trained.dataset()
        >>> dataset.get_subset_([0])
        >>> plan = VariantPlan(kinds=('black',), counts=(1,))
        >>> found = run_variants(trained.model, dataset, 'scores', plan, ['anna'])
        >>> len(found.scores), found.scores['black 1'].shape
        (25, (1, 7))
    """
    names = [clip_name(dataset.get_data_info(i), i) for i in range(len(dataset))]
    first = to_frames(dataset[0]['inputs'], num_segments(model))
    wanted = plan.names(first.shape[1])
    facts = dict(
        settings or {},
        seed=plan.seed,
        part_size=part_size,
        clips=names,
        groups=[str(group) for group in groups],
    )
    parts = ScoreParts(Path(folder), len(names), part_size, facts)
    pairs = _Pairs(dataset, names, plan, groups)
    pairs.indexes = [i for i in pairs.indexes if parts.missing(i, wanted)]
    done = len(names) - len(pairs)
    if done:
        print(f'{done} of {len(names)} clips are already done in {folder}')
    predictor = Predictor(model, batch_size)
    # Not MMEngine's loader: a batch has the variants of one clip.
    loader = DataLoader(pairs, batch_size=None, num_workers=num_workers)
    for index, item, other in track(loader, len(names), title, done=done):
        clip, missing = names[index], parts.missing(index, wanted)
        row = _test_clip(predictor, plan, missing, clip, item, other, first.shape)
        parts.add(index, row)

    positions = {name: f'{POSITIONS} {name}' for name in wanted}
    return VariantScores(
        first.shape[1],
        names,
        {name: parts[name] for name in wanted},
        parts[STILL],
        parts[ERROR].tolist(),
        {name: parts[key] for name, key in positions.items() if key in parts},
        predictor.split_frames,
    )


def _test_clip(
    predictor: Predictor,
    plan: VariantPlan,
    wanted: Sequence[str],
    clip: str,
    item: dict,
    other: dict | None,
    shape: torch.Size,
) -> Row:
    """Return the scores of the wanted variants, and what is known of the clip."""
    inputs, segments = item['inputs'], num_segments(predictor.model)
    frames = to_frames(inputs, segments)
    strange = None if other is None else to_frames(other['inputs'], segments)
    for found in (frames, strange):
        if found is not None and found.shape[1:] != shape[1:]:
            raise InputError(
                f'clip {clip}: frames (T, C, H, W) of {tuple(found.shape[1:])}, the '
                f'first clip has {tuple(shape[1:])}: let the test pipeline sample as '
                'many and crop one size'
            )
    if strange is not None and len(strange) != len(frames):
        strange = strange[:1].expand_as(frames)  # another number of views
    variants = (
        (name, from_frames(variant, inputs.dim()))
        for name, variant in clip_variants(plan, wanted, frames, clip, strange)
    )
    row: Row = {}
    for name, scores, positions in predictor(variants, item['data_samples']):
        row[name] = scores
        if positions is not None:
            row[f'{POSITIONS} {name}'] = positions
    bad = item['data_samples'].get('bad_clips')
    row[ERROR] = np.array(str(bad[0][1]) if bad else '')
    row[STILL] = np.array(bool((frames == frames[:, :1]).all()))
    return row
