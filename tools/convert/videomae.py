"""Convert an encoder of VideoMAE to MMAction2's VisionTransformer.

    python tools/convert/videomae.py IN OUT [--config CONFIG] [--backbone-only]

IN is a file of VideoMAE's official code, or of a descendant with the same plain blocks
(MAE-DFER with ``--attn_type joint``): fine-tuned, or pre-trained, then without its
decoder. What OUT fits is read off the weights and printed as a config; with
``--config`` it has to fit that one. The number of heads leaves no trace in the weights:
it is VideoMAE's for the width, or ``--num-heads``. Neither do the frame size and clip
length, as the positions are a fixed table of sines and cosines that the model makes.

To train IFDD from it, in a config (``--backbone-only`` for ``load_from``)::

    model = dict(backbone=dict(
        type='VisionTransformer', return_feat_map=True, ...,
        init_cfg=dict(type='Pretrained', checkpoint='OUT', prefix='backbone.')))

VideoMAE normalizes inputs with ``mean=[123.675, 116.28, 103.53]`` and
``std=[58.395, 57.12, 57.375]``.

MAE-DFER's own encoder, LGI-Former, is refused. Its blocks attend within local regions,
then among one token for each region, then back; the VisionTransformer attends among all
tokens at once and would compute something else. ``--partial`` takes what both have to
start training from: patch embedding, the attention within regions as the attention, its
norm, the MLPs. That predicts nothing until it is trained.

Exit codes: 0 converted, 2 the file does not fit or cannot be read; nothing is written.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from checkpoint import (
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

# Importable since checkpoint has imported ifdd_mmaction.
from mmaction.models.backbones.vit_mae import VisionTransformer
from mmaction.registry import MODELS
from torch import Tensor, nn

#: Heads by width in the models of VideoMAE (v1 and v2) and MAE-DFER.
HEADS = {384: 6, 512: 8, 768: 12, 1024: 16, 1280: 16, 1408: 16}
#: From VideoMAE's names to MMAction2's, as parts of a name; all others are the same.
RENAMES = {
    'patch_embed.proj.': 'patch_embed.projection.',
    '.mlp.fc1.': '.mlp.layers.0.0.',
    '.mlp.fc2.': '.mlp.layers.1.',
}
#: What to change where a weight does not fit, by MMAction2's names.
HINTS = {
    'cls_head.': 'Pass --backbone-only to leave the classifier out.',
    'backbone.fc_norm.': 'Set model.backbone.use_mean_pooling=True.',
    'backbone.norm.': 'Set model.backbone.use_mean_pooling=False.',
    'backbone.pos_embed': 'Give a --config with model.backbone.use_learnable_pos_emb='
    'True and the img_size and num_frames of the training.',
    'backbone.': 'Either it is an encoder of another kind, or --config names another '
    'size (embed_dims, depth, mlp_ratio, patch_size, tubelet_size, qkv_bias, '
    'init_values).',
    '': 'Give a checkpoint of VideoMAE.',
}
#: A block's attention, its norms (of queries and of sources), and the rest of a name.
LGI_ATTENTION = re.compile(
    r'(blocks\.\d+)\.(first|second|third)_attn(_norm[01])?\.(.+)'
)


def our_key(key: str) -> str:
    """Return MMAction2's name, in a recognizer, of a weight of VideoMAE's encoder."""
    if key.startswith('head.'):
        return key.replace('head.', 'cls_head.fc_cls.')
    for old, new in RENAMES.items():
        key = key.replace(old, new)
    return f'backbone.{key}'


def is_lgi(encoder: Mapping[str, Any]) -> bool:
    """Tell LGI-Former's weights from those of plain blocks."""
    return any(k == 'lg_region_tokens' or LGI_ATTENTION.match(k) for k in encoder)


def as_plain(encoder: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Take from LGI-Former what a plain block has, under the names of a plain block.

    Returns:
        The weights, and from the names taken to the names given.

    Raises:
        ConvertError: If no attention of it is one among the tokens of a region.
    """
    # An attention with two norms is between two kinds of tokens.
    local = [
        name
        for name in ('first', 'third')
        if f'blocks.0.{name}_attn.proj.weight' in encoder
        and f'blocks.0.{name}_attn_norm1.weight' not in encoder
    ]
    if not local:
        raise ConvertError(
            'neither the first nor the third attention of these LGI-Former blocks is a '
            'self-attention among patches: a VisionTransformer has nothing like it'
        )
    plain, taken = {}, {}
    for key, value in encoder.items():
        found = LGI_ATTENTION.match(key)
        name = key
        if found:
            block, which, norm, rest = found.groups()
            if which != local[0]:
                continue
            name = f'{block}.norm1.{rest}' if norm else f'{block}.attn.{rest}'
            if rest in ('q.weight', 'kv.weight'):
                name = f'{block}.attn.qkv.weight'
                halves = [f'{block}.{which}_attn.{half}.weight' for half in ('q', 'kv')]
                value = torch.cat([encoder[half] for half in halves if half in encoder])
        elif key == 'lg_region_tokens' or key.startswith('head.'):
            continue
        plain[name], taken[key] = value, name
    return plain, taken


class Encoder(NamedTuple):
    """An encoder's weights under VideoMAE's names, head included, and their origins."""

    weights: dict[str, Tensor]
    names: dict[str, str]  # from the names in the file to VideoMAE's
    pretraining: bool


def find_encoder(
    weights: Mapping[str, Tensor], path: str, partial: bool = False
) -> Encoder:
    """Find the encoder among the weights of a file.

    Raises:
        ConvertError: If there is none, or an LGI-Former without ``partial``.
    """
    prefix = next(
        (p for p in ('encoder.', 'backbone.') if any(k.startswith(p) for k in weights)),
        '',
    )
    encoder = {k[len(prefix) :]: v for k, v in weights.items() if k.startswith(prefix)}
    names = {key: key for key in encoder}
    if is_lgi(encoder):
        if not partial:
            raise ConvertError(
                f'{path} does not fit: it is an LGI-Former of MAE-DFER '
                '(lg_region_tokens, first_attn). A VisionTransformer has no local and '
                'global blocks and would predict something else. To start training '
                'from what both have, pass --partial.'
            )
        encoder, names = as_plain(encoder)
    for key in ('patch_embed.proj.weight', 'blocks.0.mlp.fc1.weight'):
        if key not in encoder:
            raise ConvertError(
                f'{path} does not fit: it has no {prefix}{key}, but '
                f'{", ".join(list(weights)[:3])}. {HINTS[""]}'
            )
    names = {prefix + key: name for key, name in names.items()}
    return Encoder(encoder, names, pretraining=prefix == 'encoder.')


def infer_backbone(encoder: Encoder, heads: int) -> dict[str, Any]:
    """Return the config of the VisionTransformer that an encoder's weights make up."""
    weights = encoder.weights
    dims, _, tubelet, patch, _ = weights['patch_embed.proj.weight'].shape
    hidden = len(weights['blocks.0.mlp.fc1.weight'])
    backbone = dict(
        type='VisionTransformer',
        embed_dims=dims,
        depth=len({k.split('.')[1] for k in weights if k.startswith('blocks.')}),
        num_heads=heads,
        mlp_ratio=hidden // dims if hidden % dims == 0 else hidden / dims,
        patch_size=patch,
        tubelet_size=tubelet,
        qkv_bias='blocks.0.attn.q_bias' in weights,
        use_mean_pooling='fc_norm.weight' in weights,
    )
    if 'blocks.0.gamma_1' in weights:
        backbone['init_values'] = 0.1  # any: the weights replace it
    if encoder.pretraining:
        backbone['return_feat_map'] = True  # its features are those of all tokens
    return backbone


def check_heads(vit: VisionTransformer, heads: int, config: str) -> None:
    """Refuse a config whose heads are not the encoder's: all weights would fit.

    Raises:
        ConvertError: If they are not.
    """
    found = vit.blocks[0].attn.num_heads
    if found != heads:
        raise ConvertError(
            f'{config}: model.backbone.num_heads is {found}, but a VideoMAE '
            f'{vit.embed_dims} wide has {heads}, and its weights fit either way. Set '
            f'num_heads={heads}, or pass --num-heads {found} if it was trained so.'
        )


def convert(args: argparse.Namespace) -> None:
    """Convert ``args.input``."""
    weights, others = find_weights(
        read(args.input), ('model', 'module', 'state_dict'), args.input
    )
    encoder = find_encoder(weights, args.input, args.partial)
    dims = len(encoder.weights['patch_embed.proj.weight'])
    heads = args.num_heads or HEADS.get(dims)
    if heads is None:
        raise ConvertError(
            f'{args.input}: VideoMAE has no model {dims} wide, so the number of its '
            'heads is not known: pass --num-heads'
        )
    keep_head = 'head.weight' in encoder.weights and not args.backbone_only
    if args.config:
        cfg, model = build_model(args.config)
        vit, state, target = model.backbone, model.state_dict(), args.config
        if not isinstance(vit, VisionTransformer):
            raise ConvertError(
                f'{target}: model.backbone is a {type(vit).__name__}, not a '
                'VisionTransformer'
            )
        check_heads(vit, heads, target)
        # Behind a neck the classifier would see other features.
        keep_head &= 'neck' not in cfg.model
    else:
        backbone = infer_backbone(encoder, heads)
        vit, target = MODELS.build(backbone), 'the VisionTransformer of this size'
        state = {f'backbone.{key}': value for key, value in vit.state_dict().items()}
        if keep_head:
            head = {k: v for k, v in encoder.weights.items() if k.startswith('head.')}
            state |= {our_key(key): value for key, value in head.items()}

    def is_kept(name: str) -> bool:
        # As in VideoMAE's fine-tuning: a pre-trained norm is for tokens one by one, and
        # a model that averages them starts with a new one.
        averaged = encoder.pretraining and vit.fc_norm is not None
        return (keep_head or not name.startswith('head.')) and not (
            averaged and name.startswith('norm.')
        )

    def is_expected(key: str) -> bool:
        if key == 'backbone.pos_embed':
            return isinstance(vit.pos_embed, nn.Parameter)  # else a fixed table
        if key.startswith('backbone.fc_norm.'):
            return not encoder.pretraining
        return key.startswith('backbone.') or (keep_head and 'cls_head.' in key)

    mapped = {k: our_key(name) for k, name in encoder.names.items() if is_kept(name)}
    converted = {our_key(k): v for k, v in encoder.weights.items() if is_kept(k)}
    expected = {key: value for key, value in state.items() if is_expected(key)}
    origins = {name: key for key, name in mapped.items()}
    check_fits(converted, expected, origins, args.input, target, HINTS)
    print_table({
        'mapped': mapped,
        'dropped': [key for key in weights if key not in mapped],
        'dropped, entries beside the weights': others,
        'left at init': [key for key in state if key not in converted],
    })  # fmt: skip
    write(args.output, dict(meta=origin(args.input), state_dict=converted))
    if not args.config:
        print(
            'it fits this backbone, at the img_size and num_frames it was trained with '
            '(VideoMAE 224 and 16, MAE-DFER 160 and 16):\n  '
            + ', '.join(f'{key}={value!r}' for key, value in backbone.items())
        )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="VideoMAE's encoder to MMAction2's VisionTransformer"
    )
    parser.add_argument('input', metavar='IN', help='checkpoint of VideoMAE')
    parser.add_argument('output', metavar='OUT', help='the checkpoint to write')
    parser.add_argument('--config', help='config whose model the result has to fit')
    parser.add_argument(
        '--num-heads', type=int, help="attention heads, if not VideoMAE's for the width"
    )
    parser.add_argument(
        '--backbone-only', action='store_true', help='leave the classifier out'
    )
    parser.add_argument(
        '--partial',
        action='store_true',
        help="take from MAE-DFER's LGI-Former what a VisionTransformer has too",
    )
    return run(convert, parser.parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
