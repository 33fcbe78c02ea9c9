"""Convert a checkpoint of the authors' released code to this package, and back.

    python tools/convert/from_authors.py IN OUT [--config CONFIG]
    python tools/convert/from_authors.py IN OUT --reverse [--config CONFIG]

The authors' file is a dict with the weights under ``model``, or the weights alone; OUT
is a checkpoint for ``tools/test.py`` and ``load_from``. The config is the model's, the
paper's on DFEW by default: every weight must fit it.

Some tensors of the authors' model compute nothing: position embeddings of the lifting
module, the time projection and the index buffers of the split, and the counters that
their profiler (thop) leaves in every checkpoint they train. OUT keeps these apart,
under ``authors_unused``, so that ``--reverse`` restores the file; for a checkpoint that
was trained here it writes zeros, and the indexes, in their place.

A converted model gives the authors' predictions with their sampling grid:
``model.neck.split.align_corners=False``.

Exit codes: 0 converted, 2 the file does not fit or cannot be read; nothing is written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

import torch
from checkpoint import (
    ROOT,
    ConvertError,
    build_model,
    check_fits,
    find_weights,
    origin,
    print_table,
    read,
    run,
    write,
)
from mmengine.config import Config
from torch import Tensor

#: From the authors' names to ours, as prefixes; the first that fits decides.
RENAMES = {
    'embed.conv_proj': 'backbone.patch_embed.projection',
    'backbone.backbone.pos_encoding.class_token': 'backbone.cls_token',
    'backbone.backbone.norm': 'backbone.norm3',
    'backbone.backbone.blocks': 'backbone.blocks',
    'backbone.PANLayer': 'neck.aggregation.downsample',
    'backbone.CatConv': 'neck.aggregation.mix',
    'backbone.WaveLifts.adapt_split.dim_project.0': 'neck.split.reduce',
    'backbone.WaveLifts.adapt_split.offset_project_approx.0': (
        'neck.split.offset_static'
    ),
    'backbone.WaveLifts.adapt_split.offset_project_detail.0': (
        'neck.split.offset_dynamic'
    ),
    'backbone.WaveLifts.q_a': 'neck.lifting.updater.q',
    'backbone.WaveLifts.kv_d': 'neck.lifting.updater.kv',
    'backbone.WaveLifts.project_a.0': 'neck.lifting.updater.proj',
    'backbone.WaveLifts.q_d': 'neck.lifting.predictor.q',
    'backbone.WaveLifts.kv_a': 'neck.lifting.predictor.kv',
    'backbone.WaveLifts.project_d.0': 'neck.lifting.predictor.proj',
    'backbone.WaveLifts.xa_norm': 'neck.lifting.norm_static',
    'backbone.WaveLifts.xd_norm': 'neck.lifting.norm_dynamic',
    'backbone.WaveLifts.out_norm1': 'neck.lifting.norm1',
    'backbone.WaveLifts.out_norm2': 'neck.lifting.norm2',
    'backbone.WaveLifts.qkv': 'neck.lifting.attn.qkv',
    'backbone.WaveLifts.project.0': 'neck.lifting.attn.proj',
    'backbone.WaveLifts.mlp.0': 'neck.lifting.mlp.0',
    'backbone.WaveLifts.mlp.3': 'neck.lifting.mlp.2',
    'backbone.WaveLifts.project_compress': 'neck.lifting.token_weight',
    'head.head.1': 'cls_head.fc_cls',
    # Variants: the convolutional lifting, and the weighting split, whose dim_project
    # is above.
    'backbone.WaveLifts.U': 'neck.lifting.updater',
    'backbone.WaveLifts.P': 'neck.lifting.predictor',
    'backbone.WaveLifts.adapt_split.temporal_pos': 'neck.split.position',
    'backbone.WaveLifts.adapt_split.dim_project2': 'neck.split.mix',
    'backbone.WaveLifts.adapt_split.T_project.0': 'neck.split.score',
}
#: Within the backbone's blocks (which are torchvision's), as parts of a name.
BLOCK_RENAMES = {
    '.attn.project.0.': '.attn.proj.',
    '.attn.pool_q.pool.': '.attn.pool_q.',
    '.attn.pool_k.pool.': '.attn.pool_k.',
    '.attn.pool_v.pool.': '.attn.pool_v.',
    '.attn.pool_q.norm_act.0.': '.attn.norm_q.',
    '.attn.pool_k.norm_act.0.': '.attn.norm_k.',
    '.attn.pool_v.norm_act.0.': '.attn.norm_v.',
    '.mlp.0.': '.mlp.fc1.',
    '.mlp.3.': '.mlp.fc2.',
    '.project.': '.proj.',
}
#: What the authors' model carries without using it.
DEAD = (
    'backbone.WaveLifts.spatial_pos',
    'backbone.WaveLifts.temporal_pos',
    'backbone.WaveLifts.class_pos',
    'backbone.WaveLifts.adapt_split.time_project',
    'backbone.WaveLifts.adapt_split.index_',
)
#: Buffers that thop.profile, which their trainer calls, adds to the model.
COUNTERS = ('total_ops', 'total_params')
#: Where the weights are in a checkpoint: the authors' place, and MMEngine's.
ENTRIES = ('model', 'state_dict')
#: The authors read the frames of an index with a shift.
GRID_OPTION = 'model.neck.split.align_corners=False'
#: What to change where a weight does not fit, by our names.
HINTS = {
    'cls_head.': 'Give the --config of a model with as many classes '
    '(model.cls_head.num_classes).',
    'neck.': 'Give the --config of a model with the same stages, clip length, frame '
    'size and neck (model.neck).',
    'backbone.': 'Give the --config of a model with the same model.backbone.',
    '': 'Give the --config of the model that was trained.',
}


def our_key(key: str) -> str | None:
    """Return our name of one of the authors' keys, or None for a dead one.

    Raises:
        KeyError: If it is no key of the authors' model.
    """
    if key.startswith(DEAD) or key.rpartition('.')[2] in COUNTERS:
        return None
    return rename(key, RENAMES, BLOCK_RENAMES)


def their_key(key: str) -> str:
    """Return the authors' name of one of our keys.

    Raises:
        KeyError: If the authors' model has nothing like it.
    """
    return rename(key, _swap(RENAMES), _swap(BLOCK_RENAMES))


def rename(key: str, prefixes: Mapping[str, str], in_blocks: Mapping[str, str]) -> str:
    """Replace the first prefix that fits and, in a block, the first part that does.

    Raises:
        KeyError: If no prefix fits.
    """
    for old, new in prefixes.items():
        if key == old or key.startswith(f'{old}.'):
            key = new + key[len(old) :]
            break
    else:
        raise KeyError(key)
    if 'blocks.' in key:
        for old, new in in_blocks.items():
            if old in key:
                return key.replace(old, new)
    return key


def _swap(names: Mapping[str, str]) -> dict[str, str]:
    return {new: old for old, new in names.items()}


def from_authors(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename and reshape the authors' weights to those of our recognizer."""
    converted = {}
    for key, value in state.items():
        name = our_key(key)
        if name is None:
            continue
        if name == 'backbone.cls_token':
            value = value.reshape(1, 1, -1)
        elif name.startswith('neck.aggregation.') and value.dim() == 4:
            value = value.unsqueeze(2)  # a 2-D kernel as (1, k, k)
        converted[name] = value
    return converted


def to_authors(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Undo :func:`from_authors`."""
    converted = {}
    for name, value in state.items():
        if name == 'backbone.cls_token':
            value = value.flatten()
        elif name.startswith('neck.aggregation.'):
            value = value.squeeze(2)
        converted[their_key(name)] = value
    return converted


def blank_unused(cfg: Config, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return what the authors' model of our ``state`` carries unused, as zeros.

    The two index buffers are what they always are: the even and the odd frames.
    """
    neck = cfg.model.get('neck')
    if not neck:
        return {}
    (t, h, w), c = neck.input_size, neck.in_channels[-1]
    unused: dict[str, Tensor] = {}
    if 'neck.lifting.updater.q.weight' in state:
        shapes = dict(spatial_pos=(h * w, c), temporal_pos=(t, c), class_pos=(c,))
        for name, shape in shapes.items():
            unused[f'backbone.WaveLifts.{name}'] = torch.zeros(shape)
    if 'neck.split.offset_static.weight' in state:
        split = 'backbone.WaveLifts.adapt_split'
        for index, first in (('index_even', 0), ('index_odd', 1)):
            unused[f'{split}.{index}'] = torch.arange(first, t, 2)
        for i, (rows, columns) in {0: (t, t), 2: (1, t)}.items():
            unused[f'{split}.time_project.{i}.weight'] = torch.zeros(rows, columns)
            unused[f'{split}.time_project.{i}.bias'] = torch.zeros(rows)
    return unused


def dataset_meta(cfg: Config) -> dict:
    """Return the METAINFO of the dataset that a config tests on.

    Raises:
        ConvertError: If it has no classes, or not as many as the model.
    """
    from mmaction.registry import DATASETS

    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    while 'dataset' in dataset:  # RepeatDataset and the like
        dataset = dataset.dataset
    name = dataset.get('type')
    meta = dict(getattr(name and DATASETS.get(name), 'METAINFO', {}))
    classes, rows = meta.get('classes', ()), cfg.model.cls_head.num_classes
    if len(classes) != rows:
        raise ConvertError(
            f'{cfg.filename}: the dataset of its test_dataloader, {name}, names '
            f'{len(classes)} classes, but model.cls_head.num_classes is {rows}: '
            'give the --config of that dataset'
        )
    return meta


def translate(
    weights: Mapping[str, Tensor], args: argparse.Namespace
) -> dict[str, str | None]:
    """Return the new name of every weight, None for those that are unused.

    Raises:
        ConvertError: At the first that is not of the model to be converted.
    """
    names: dict[str, str | None] = {}
    for key in weights:
        try:
            names[key] = their_key(key) if args.reverse else our_key(key)
        except KeyError:
            raise ConvertError(
                f'{args.input} does not fit: {key} is no weight of '
                + (
                    'an IFDD model of this package. For a file of the authors leave '
                    'out --reverse.'
                    if args.reverse
                    else "the authors' model. For a checkpoint of this package add "
                    '--reverse.'
                )
            ) from None
    return names


def forward(args: argparse.Namespace) -> None:
    """Convert a checkpoint of the authors."""
    weights, others = find_weights(read(args.input), ENTRIES, args.input)
    names = {key: name for key, name in translate(weights, args).items() if name}
    cfg, model = build_model(args.config)
    converted = from_authors(weights)
    expected, origins = model.state_dict(), _swap(names)
    check_fits(converted, expected, origins, args.input, args.config, HINTS)
    unused = {key: value for key, value in weights.items() if key not in names}
    meta = dict(dataset_meta=dataset_meta(cfg), **origin(args.input))
    print_table({
        'mapped': names,
        'kept apart, for the way back: unused in the model': list(unused),
        'dropped, entries beside the weights': others,
        'left at init': [],
    })  # fmt: skip
    write(args.output, dict(meta=meta, state_dict=converted, authors_unused=unused))
    print(
        "for the authors' predictions test it with their sampling grid, as in\n"
        f'  python tools/test.py {args.config} {args.output} '
        f'--cfg-options {GRID_OPTION}'
    )


def reverse(args: argparse.Namespace) -> None:
    """Convert a checkpoint of this package to one of the authors' code."""
    checkpoint = read(args.input)
    weights, others = find_weights(checkpoint, ENTRIES, args.input)
    names = {key: name for key, name in translate(weights, args).items() if name}
    cfg, model = build_model(args.config)
    same = {key: key for key in weights}
    check_fits(weights, model.state_dict(), same, args.input, args.config, HINTS)
    unused = checkpoint.get('authors_unused')
    how = 'restored'
    if unused is None:
        unused, how = blank_unused(cfg, weights), 'written as zeros and indexes'
    print_table({
        'mapped': names,
        f'{how}: unused in the model': list(unused),
        'dropped, entries beside the weights': [
            name for name in others if name != 'authors_unused'
        ],
    })  # fmt: skip
    write(args.output, dict(model=to_authors(weights) | unused))
    print(
        "the authors' code predicts the same only for a model that was trained with\n"
        f'  {GRID_OPTION}'
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Convert a checkpoint of the authors' code to this package, or back"
    )
    parser.add_argument('input', metavar='IN', help="the authors' checkpoint")
    parser.add_argument('output', metavar='OUT', help='the checkpoint to write')
    parser.add_argument(
        '--reverse', action='store_true', help="from this package to the authors' code"
    )
    parser.add_argument(
        '--config',
        default=str(ROOT / 'configs' / 'ifdd_vit_dfew.py'),
        help='config of the model (default: %(default)s)',
    )
    args = parser.parse_args(argv)
    return run(reverse if args.reverse else forward, args)


if __name__ == '__main__':
    sys.exit(main())
