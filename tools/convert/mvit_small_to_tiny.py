"""Make a pre-trained MViTv2-tiny of an MViTv2-small, as the authors' code does.

    python tools/convert/mvit_small_to_tiny.py IN OUT [--config CONFIG]

IN is torchvision's ``mvit_v2_s`` or MMAction2's MViT-small. Of its 16 blocks 0 to 7
stay as they are, 14 and 15 become 8 and 9, the others and the classifier are dropped.
What comes out is no classifier of its own: it is where to start training from. In a
config either of

::

    load_from = 'OUT'
    model = dict(backbone=dict(
        init_cfg=dict(type='Pretrained', checkpoint='OUT', prefix='backbone.')))

Weights trained on Kinetics-400 expect inputs of mean 0.45 and standard deviation 0.225,
where the authors' training takes [0, 1]::

    model = dict(data_preprocessor=dict(mean=[114.75] * 3, std=[57.375] * 3))

Exit codes: 0 converted, 2 the file does not fit or cannot be read; nothing is written.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence

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
from from_authors import BLOCK_RENAMES, rename

#: From the names of either source to those of our backbone, as prefixes.
TORCHVISION = {
    'conv_proj': 'patch_embed.projection',
    'pos_encoding.class_token': 'cls_token',
    'blocks': 'blocks',
    'norm': 'norm3',
}
MMACTION = {
    'patch_embed.projection': 'patch_embed.projection',
    'cls_token': 'cls_token',
    'blocks': 'blocks',
    'norm3': 'norm3',
}
CLASSIFIERS = ('head.', 'cls_head.')
_BLOCK = re.compile(r'blocks\.(\d+)\.')
SMALL_BLOCKS = 16
#: From the blocks of the small model to those of the tiny one.
BLOCKS = {**{i: i for i in range(8)}, 14: 8, 15: 9}
HINTS = {
    '': 'Give mvit_v2_s of torchvision or an MViT-small of MMAction2 for 16 frames of '
    '224 x 224, or the --config of another MViT-tiny.'
}


def tiny_key(key: str, prefixes: dict[str, str]) -> str | None:
    """Return the tiny model's name of one of the small model's, None for a dropped one.

    Raises:
        KeyError: If it is no name of the small model.
    """
    key = key.removeprefix('backbone.')
    if key.startswith(CLASSIFIERS):
        return None
    block = _BLOCK.match(key)
    if block:
        number = BLOCKS.get(int(block[1]))
        if number is None:
            return None
        key = f'blocks.{number}.{key[block.end() :]}'
    return 'backbone.' + rename(key, prefixes, BLOCK_RENAMES)


def convert(args: argparse.Namespace) -> None:
    """Convert ``args.input``."""
    weights, others = find_weights(
        read(args.input), ('state_dict', 'model'), args.input
    )
    plain = {key.removeprefix('backbone.') for key in weights}
    if 'conv_proj.weight' in plain:
        source, prefixes = "torchvision's MViT", TORCHVISION
    elif 'patch_embed.projection.weight' in plain:
        source, prefixes = "MMAction2's MViT", MMACTION
    else:
        raise ConvertError(
            f'{args.input} does not fit: neither conv_proj.weight of torchvision nor '
            f'patch_embed.projection.weight of MMAction2 is in it, but '
            f'{", ".join(list(weights)[:3])}. {HINTS[""]}'
        )
    blocks = {int(found[1]) for key in plain if (found := _BLOCK.match(key))}
    if blocks != set(range(SMALL_BLOCKS)):
        raise ConvertError(
            f'{args.input} does not fit: {source} in it has {len(blocks)} blocks, the '
            f'small one {SMALL_BLOCKS}. {HINTS[""]}'
        )
    names = {}
    for key in weights:
        try:
            names[key] = tiny_key(key, prefixes)
        except KeyError:
            raise ConvertError(
                f'{args.input} does not fit: MViTv2 has no {key}. {HINTS[""]}'
            ) from None
    mapped = {key: name for key, name in names.items() if name}
    converted = {
        # torchvision's class token is a vector
        name: weights[key].reshape(1, 1, -1)
        if name.endswith('cls_token')
        else weights[key]
        for key, name in mapped.items()
    }
    _, model = build_model(args.config)
    state = model.state_dict()
    backbone = {k: v for k, v in state.items() if k.startswith('backbone.')}
    origins = {name: key for key, name in mapped.items()}
    check_fits(converted, backbone, origins, args.input, args.config, HINTS)
    print(f'{args.input}: {source}, small')
    print_table({
        'mapped': mapped,
        'dropped': [key for key in names if key not in mapped],
        'dropped, entries beside the weights': others,
        'left at init': [key for key in state if key not in converted],
    })  # fmt: skip
    write(args.output, dict(meta=origin(args.input), state_dict=converted))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description='MViTv2-small to MViTv2-tiny')
    parser.add_argument('input', metavar='IN', help='checkpoint of the small model')
    parser.add_argument('output', metavar='OUT', help='the checkpoint to write')
    parser.add_argument(
        '--config',
        default=str(ROOT / 'configs' / 'ifdd_vit_dfew.py'),
        help='config with the MViT-tiny (default: %(default)s)',
    )
    return run(convert, parser.parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
