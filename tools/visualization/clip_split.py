"""Where the split reads clips, and how their frames correlate.

    python tools/visualization/clip_split.py CONFIG CHECKPOINT --clips 14 75

Where the data's folder has ``clips.csv`` and ``envelope.npy``, as that of
tools/data/make_sample_dfew.py, the intensity of the expression is drawn too.
Exit codes: 0 drawn, 2 wrong data or arguments.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import BaseDataset

from ifdd_mmaction.analysis import TimedClip, disentangle, read_timed_clips
from ifdd_mmaction.apis import TrainedModel, add_model_arguments
from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.visualization import (
    ClipSplit,
    figure_path,
    plot_clip_split,
    save_figure,
)

NEUTRAL = 'neutral'


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Draw the split of clips')
    add_model_arguments(parser)
    parser.add_argument(
        '--clips', nargs='+', help='names (one of each of the first three classes)'
    )
    parser.add_argument(
        '--out', type=figure_path, help='(clip_split.png by the checkpoint)'
    )
    parser.add_argument(
        '--dpi', type=int, default=150, help='pixels an inch (%(default)s)'
    )
    return parser.parse_args(argv)


@torch.no_grad()
def look_at(
    trained: TrainedModel,
    dataset: BaseDataset,
    index: int,
    timed: Mapping[str, TimedClip],
) -> ClipSplit:
    """Compute what is shown of a clip."""
    clip = trained.load(dataset, index)
    parts = disentangle(trained.model, clip.inputs)
    frames = clip.frames.numpy()
    regular = torch.arange(parts.x.shape[2] + parts.x.shape[2] % 2).float()
    regular = regular.clamp(max=parts.x.shape[2] - 1)
    correlation = parts.indexes.correlation
    known = timed.get(clip.name)
    name = trained.classes[clip.label]
    # No expression is timed in a neutral clip; and the intensity belongs to the frames
    # of the file, all of them in their order.
    envelope = None
    if known is not None and name.lower() != NEUTRAL:
        envelope = known.envelope if len(known.envelope) == len(frames) else None

    def places(positions: torch.Tensor) -> np.ndarray:
        return trained.clip_frames(positions, len(frames))

    return ClipSplit(
        f'clip {clip.name}, {name}',
        frames,
        places(parts.frames_s[0]),
        places(parts.frames_d[0]),
        (places(regular[0::2]), places(regular[1::2])),
        None if correlation is None else correlation[0].cpu().numpy(),
        envelope,
    )


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    out = args.out or Path(args.checkpoint).with_name('clip_split.png')
    try:
        trained = TrainedModel.from_args(args)
        trained.require_split()
        dataset = trained.dataset()
        root = Path(trained.loader.dataset.get('data_root', ''))
        timed = read_timed_clips(root) if (root / 'envelope.npy').is_file() else {}
        if args.clips:
            chosen = trained.find(dataset, args.clips)
        else:
            chosen = list(islice(trained.one_of_each_class(dataset), 3))
        shown = [look_at(trained, dataset, i, timed) for i in chosen]
        save_figure(plot_clip_split(shown), out, dpi=args.dpi)
    except (DatasetError, InputError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(out)
    return 0


if __name__ == '__main__':
    sys.exit(main())
