"""Grad-CAM of context Y_S and dynamics Y_D, a clip of each expression.

    python tools/visualization/grad_cam.py CONFIG CHECKPOINT

The maps are those of the IFDD neck, so any backbone will do. Exit codes: 0 drawn, 2
wrong data or arguments.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mmengine.dataset import BaseDataset

from ifdd_mmaction.analysis import grad_cam
from ifdd_mmaction.apis import TrainedModel, add_model_arguments
from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.visualization import (
    CamRow,
    figure_path,
    plot_cam_overlay,
    save_figure,
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Draw Grad-CAM of Y_S and Y_D')
    add_model_arguments(parser)
    parser.add_argument(
        '--clips', nargs='+', help='names (the first of each class that is right)'
    )
    parser.add_argument(
        '--target',
        help='class that the maps explain (the true class of each clip)',
    )
    parser.add_argument(
        '--out', type=figure_path, help='(grad_cam.png by the checkpoint)'
    )
    parser.add_argument('--title', default='')
    parser.add_argument(
        '--dpi', type=int, default=150, help='pixels an inch (%(default)s)'
    )
    return parser.parse_args(argv)


def explain(
    trained: TrainedModel, dataset: BaseDataset, index: int, target: int | None
) -> CamRow:
    """Compute what is shown of a clip."""
    clip = trained.load(dataset, index)
    explained = clip.label if target is None else target
    # All views go through the model, the first one is shown.
    views = clip.inputs.shape[1] if clip.inputs.dim() == 6 else 1
    found = grad_cam(trained.model, clip.inputs, [explained] * views)
    share, best = found.scores[0].softmax(dim=0).max(dim=0)
    frames = clip.frames.numpy()
    at_s, at_d = (
        trained.clip_frames(places[0], len(frames))
        for places in (found.frames_s, found.frames_d)
    )
    return CamRow(
        clip.name,
        trained.classes[explained],
        (trained.classes[int(best)], float(share)),
        frames[at_s.round().astype(int)],
        None if found.y_s is None else found.y_s[0].cpu().numpy(),
        at_s.tolist(),
        frames[at_d.round().astype(int)],
        found.y_d[0].cpu().numpy(),
        at_d.tolist(),
    )


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    out = args.out or Path(args.checkpoint).with_name('grad_cam.png')
    try:
        trained = TrainedModel.from_args(args)
        trained.require_split()
        dataset = trained.dataset()
        target = None if args.target is None else trained.class_index(args.target)
        if args.clips:
            chosen = trained.find(dataset, args.clips)
        else:
            chosen = list(trained.one_of_each_class(dataset))
        rows = [explain(trained, dataset, i, target) for i in chosen]
        save_figure(plot_cam_overlay(rows, args.title), out, dpi=args.dpi)
    except (DatasetError, InputError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if all(row.context_cam is None for row in rows):
        print('the score does not depend on Y_S in this model: its frames are bare')
    print(out)
    return 0


if __name__ == '__main__':
    sys.exit(main())
