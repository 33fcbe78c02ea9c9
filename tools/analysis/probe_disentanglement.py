"""Measure what a trained IFDD model has disentangled.

    python tools/analysis/probe_disentanglement.py CONFIG CHECKPOINT

On a labelled set whose expression timing is known (``envelope.npy`` and ``clips.csv``
in its root, as tools/data/make_sample_dfew.py writes them): whether the frames of the
dynamics group fall on the expression, and how well class and identity can be read
linearly from context and dynamics. Writes disentanglement.md, .json and .png; what the
numbers mean is in docs/disentanglement.md. Exit codes: 0 measured, 2 wrong data or
arguments.
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from disentanglement_report import plain, to_json, to_markdown
from mmengine.config import Config, ConfigDict
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import Tensor

from ifdd_mmaction.analysis import (
    GroupTiming,
    ProbeError,
    TimedClip,
    class_hits,
    clip_positions,
    cluster_bootstrap,
    disentangle,
    emotion_curves,
    group_timing,
    identity_chance,
    identity_hits,
    largest_share,
    read_timed_clips,
)
from ifdd_mmaction.apis import build_model
from ifdd_mmaction.apis.models import read_config
from ifdd_mmaction.checkpoints import CheckpointError
from ifdd_mmaction.cli import add_cfg_options
from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.fileio import write_atomic
from ifdd_mmaction.models.necks import IFDDNeck
from ifdd_mmaction.progress import track
from ifdd_mmaction.provenance import provenance
from ifdd_mmaction.visualization import ClipTiming, plot_split_timing, save_figure

NEUTRAL = 'neutral'
#: Mean over these dimensions of (N, C, T, H, W).
POOLING = {'all': (2, 3, 4), 'space': (3, 4), 'none': ()}
FEATURES = ('x', 'x_s', 'x_d', 'y_s', 'y_d', 'vector')
NAMES = dict(x='X', x_s='X_S', x_d='X_D', y_s='Y_S', y_d='Y_D', vector='v')


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Measure disentanglement')
    parser.add_argument('config', type=Path, help='config file')
    parser.add_argument('checkpoint', type=Path, help='checkpoint file')
    parser.add_argument('--data-root', type=Path, help='the set (that of the config)')
    parser.add_argument('--fold', type=int, help='fold (that of the config)')
    parser.add_argument(
        '--out', type=Path, help='folder of the results (that of the checkpoint)'
    )
    parser.add_argument(
        '--pooling',
        choices=POOLING,
        default='space',
        help='what the probed features are averaged over (%(default)s)',
    )
    parser.add_argument(
        '--clips', type=int, default=6, help='clips in the picture (%(default)s)'
    )
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    for path in (args.config, args.checkpoint):
        if not path.is_file():
            parser.error(f'no file {path}')
    if args.clips < 0:
        parser.error(f'--clips {args.clips} is less than 0')
    return args


def load_model(cfg: Config, path: Path) -> BaseModel:
    """Build the model with the weights of a checkpoint."""
    model = build_model(cfg, path)
    neck = getattr(model, 'neck', None)
    if not isinstance(neck, IFDDNeck) or neck.split is None:
        raise ProbeError(
            f'{cfg.filename}: the neck is {type(neck).__name__} and splits no clip. '
            'Give a config whose neck is an IFDDNeck with a split or a lifting.'
        )
    return model


def data_settings(cfg: Config, args: argparse.Namespace, split: str) -> ConfigDict:
    """Return the test loader of a config, for a split and without randomness."""
    loader = copy.deepcopy(cfg.test_dataloader)
    dataset = loader.dataset
    dataset.update(split=split, test_mode=True)
    if args.data_root:
        dataset.data_root = str(args.data_root)
    if args.fold is not None:
        dataset.fold = args.fold
    pack = dataset.pipeline[-1]
    if pack.type != 'PackActionInputs':
        raise ProbeError(
            f'{cfg.filename}: the test pipeline ends with {pack.type}, not with '
            'PackActionInputs, which tells the frames of a clip.'
        )
    pack.meta_keys = ('video_id', 'frame_inds', 'total_frames')
    return loader


@torch.no_grad()
def collect(
    model: BaseModel,
    loader: ConfigDict,
    truth: dict[str, TimedClip],
    pooling: tuple[int, ...],
) -> dict[str, Any]:
    """Run all clips of a loader.

    Returns:
        ``clips`` (names), ``labels``, ``subjects``; ``envelope`` (N, F); ``frames_s``
        and ``frames_d`` (N, n); ``num_frames``, T of the feature; ``right`` (N,); and
        the pooled :data:`FEATURES` (N, ...).
    """
    batches = Runner.build_dataloader(loader)
    classes = batches.dataset.metainfo['classes']
    print(f'{loader.dataset.split}: {len(batches.dataset)} clips')
    clips: list[str] = []
    rows: list[dict[str, Tensor]] = []
    for batch in track(batches, len(batches), 'Batches of clips'):
        data = model.data_preprocessor(batch, training=False)
        inputs, samples = data['inputs'], data['data_samples']
        if any(len(sample.frame_inds) != inputs.shape[3] for sample in samples):
            raise ProbeError(
                f'the test pipeline makes {inputs.shape[1]} views of a clip, of other '
                'frames: set num_clips=1 in SampleClip'
            )
        # Of several views, such as a clip and its mirror image, the first.
        parts = disentangle(model, inputs[:, :1])
        timed = [find_clip(truth, sample, classes) for sample in samples]
        clips += [sample.video_id for sample in samples]
        row = {name: pool(getattr(parts, name), pooling) for name in FEATURES}
        row['frames_s'], row['frames_d'] = parts.frames_s.cpu(), parts.frames_d.cpu()
        row['labels'] = torch.tensor([clip.label for clip in timed])
        row['envelope'] = torch.stack(
            [
                torch.from_numpy(clip.envelope[sample.frame_inds])
                for clip, sample in zip(timed, samples, strict=True)
            ]
        )
        scores = model.cls_head(parts.vector[:, :, None, None, None])
        row['right'] = scores.argmax(dim=1).cpu() == row['labels']
        rows.append(row)
        num_frames = parts.x.shape[2]
    joined = {name: torch.cat([row[name] for row in rows]) for name in rows[0]}
    subjects = [truth[name].subject for name in clips]
    return dict(
        joined, clips=clips, subjects=subjects, num_frames=num_frames, classes=classes
    )


def pool(feature: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Average a map ``(N, C, T, H, W)``, flatten what is left; leave a vector."""
    if dims and feature.dim() == 5:
        feature = feature.mean(dim=dims)
    return feature.flatten(1).cpu()


def find_clip(
    truth: dict[str, TimedClip], sample: Any, classes: Sequence[str]
) -> TimedClip:
    """Return what is known of a clip, or say what does not fit."""
    name, label = sample.video_id, int(sample.gt_label)
    if name not in truth:
        raise DatasetError(f'clip {name} is not in clips.csv')
    clip = truth[name]
    if clip.label != label:
        raise DatasetError(
            f'clip {name} is {classes[label]} ({label + 1}) in the list of its fold '
            f'and {clip.label + 1} in clips.csv'
        )
    if len(clip.envelope) != sample.total_frames:
        raise DatasetError(
            f'clip {name} has {sample.total_frames} frames, but {len(clip.envelope)} '
            'numbers in envelope.npy'
        )
    return clip


def emotional(part: dict[str, Any]) -> np.ndarray:
    """Return the numbers of the clips that are not neutral."""
    names = [name.lower() for name in part['classes']]
    shown = part['labels'].numpy()
    if NEUTRAL in names:
        shown = shown != names.index(NEUTRAL)
    else:
        shown = np.ones_like(shown, dtype=bool)
    if not shown.any():
        raise ProbeError('every clip in the test split is neutral: nothing is timed')
    return np.flatnonzero(shown)


def measure_timing(part: dict[str, Any]) -> GroupTiming:
    """Compare the frames of both groups with the expression, Neutral left out."""
    shown = emotional(part)
    curves = emotion_curves(part['envelope'], part['num_frames'])
    return group_timing(
        curves[shown],
        part['frames_s'][shown],
        part['frames_d'][shown],
        [part['subjects'][i] for i in shown],
    )


def measure_probes(train: dict[str, Any], test: dict[str, Any]) -> dict[str, Any]:
    """Probe each feature for class (train to test) and identity (test only)."""
    subjects, labels = test['subjects'], test['labels'].numpy()
    found: dict[str, Any] = {}
    hits: dict[str, dict[str, np.ndarray]] = {}
    for name in track(FEATURES, len(FEATURES), 'Linear probes'):
        features = test[name].numpy()
        hits[name] = dict(
            classes=class_hits(
                train[name].numpy(),
                train['labels'].numpy(),
                train['subjects'],
                features,
                labels,
            ),
            identity=identity_hits(features, subjects, labels),
        )
        found[NAMES[name]] = dict(
            {k: cluster_bootstrap(v, subjects) for k, v in hits[name].items()},
            size=features.shape[1],
        )
    pairs = (('y_d', 'y_s'), ('vector', 'y_s'))
    differences = {
        f'{NAMES[one]} - {NAMES[other]}': {
            kind: cluster_bootstrap(
                hits[one][kind].astype(float) - hits[other][kind], subjects
            )
            for kind in ('classes', 'identity')
        }
        for one, other in pairs
    }
    chance = dict(
        classes=largest_share(labels), identity=identity_chance(subjects, labels)
    )
    return dict(features=found, differences=differences, chance=chance)


def choose(part: dict[str, Any], count: int) -> list[int]:
    """Choose the first clips of each class in turn, Neutral left out."""
    labels = part['labels'].tolist()
    turn: dict[int, int] = {}
    order = []
    for i in emotional(part).tolist():
        turn[labels[i]] = turn.get(labels[i], 0) + 1
        order.append((turn[labels[i]], labels[i], i))
    return [i for _, _, i in sorted(order)[:count]]


def timing_of(part: dict[str, Any], i: int) -> ClipTiming:
    """Return what the picture shows of a clip, in frames of the clip."""
    envelope, t = part['envelope'][i].numpy(), part['num_frames']

    def place(frames: Any) -> np.ndarray:
        return clip_positions(frames, t, len(envelope))

    return ClipTiming(
        f'{part["classes"][part["labels"][i]]}, clip {part["clips"][i]}',
        envelope,
        place(part['frames_d'][i]),
        place(part['frames_s'][i]),
        place(np.arange(1, t + t % 2, 2).clip(max=t - 1)),
    )


def probe(cfg: Config, args: argparse.Namespace) -> None:
    """Measure, and write what was measured."""
    loaders = {split: data_settings(cfg, args, split) for split in ('train', 'test')}
    dataset = loaders['test'].dataset
    truth = read_timed_clips(dataset.data_root)
    model = load_model(cfg, args.checkpoint)
    meta = model.checkpoint_meta
    trained = model.dataset_meta.get('fold', dataset.fold)
    if trained != dataset.fold:
        print(
            f'warning: the checkpoint was trained on fold {trained}; subjects of the '
            f'test split of fold {dataset.fold} may not be new to it.',
            file=sys.stderr,
        )
    dims = POOLING[args.pooling]
    train, test = (
        collect(model, loaders[split], truth, dims) for split in ('train', 'test')
    )
    if both := set(train['subjects']) & set(test['subjects']):
        raise DatasetError(
            f'{len(both)} subjects are in the train and in the test split of fold '
            f'{dataset.fold}, {min(both)} for one: the class probe needs new subjects.'
        )
    timing, probes = measure_timing(test), measure_probes(train, test)
    report = dict(
        config=str(args.config),
        checkpoint=str(args.checkpoint),
        epoch=meta.get('epoch'),
        seed=meta.get('seed'),
        data_root=str(dataset.data_root),
        fold=dataset.fold,
        split=type(model.neck.split).__name__,
        lifting=type(model.neck.lifting).__name__,
        train_clips=len(train['clips']),
        test_clips=len(test['clips']),
        test_subjects=len(set(test['subjects'])),
        timed_clips=len(emotional(test)),
        num_frames=test['num_frames'],
        pooling=args.pooling,
        accuracy=test['right'].float().mean().item(),
        timing=plain(timing),
        probes=plain(probes),
        **provenance(),
    )
    out = args.out or args.checkpoint.parent
    text = to_markdown(report)
    write_atomic(out / 'disentanglement.md', text.encode())
    write_atomic(out / 'disentanglement.json', to_json(report).encode())
    written = ['disentanglement.md', 'disentanglement.json']
    if args.clips:
        shown = [timing_of(test, i) for i in choose(test, args.clips)]
        save_figure(plot_split_timing(shown), out / 'disentanglement.png', dpi=150)
        written.append('disentanglement.png')
    print(text)
    for name in written:
        print(out / name)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    try:
        cfg = read_config(args.config, args.cfg_options)
        init_default_scope(cfg.get('default_scope', 'mmaction'))
        probe(cfg, args)
    except (
        CheckpointError, DatasetError, InputError, ProbeError, ImportError
    ) as error:  # fmt: skip
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
