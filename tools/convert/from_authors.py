"""Convert a checkpoint of the authors' released code to this package, and back.

    python tools/convert/from_authors.py IN OUT [--reverse] [--model ifdd_vit_dfew]

The authors' file is a dict with the weights under ``model``. Three things are not
carried over, because they compute nothing: the position embeddings of their lifting
module, the time projection of their split, and its index buffers; ``--reverse`` writes
the first two as zeros. A converted model gives the authors' predictions with the
authors' sampling grid: ``model.neck.split.align_corners=False``.
"""

from __future__ import annotations

import re

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
#: Within the backbone's blocks.
BLOCK_RENAMES = {
    r'\.attn\.project\.0\.': '.attn.proj.',
    r'\.attn\.pool_([qkv])\.pool\.': r'.attn.pool_\1.',
    r'\.attn\.pool_([qkv])\.norm_act\.0\.': r'.attn.norm_\1.',
    r'\.mlp\.0\.': '.mlp.fc1.',
    r'\.mlp\.3\.': '.mlp.fc2.',
    r'(blocks\.\d+)\.project\.': r'\1.proj.',
}
#: What the authors' model carries without using it.
DEAD = (
    'backbone.WaveLifts.spatial_pos',
    'backbone.WaveLifts.temporal_pos',
    'backbone.WaveLifts.class_pos',
    'backbone.WaveLifts.adapt_split.time_project',
    'backbone.WaveLifts.adapt_split.index_',
)


def our_key(key: str) -> str | None:
    """Return our name of one of the authors' keys, or None for a dead one.

    Raises:
        KeyError: If it is no key of the authors' model.
    """
    if key.startswith(DEAD):
        return None
    for theirs, ours in RENAMES.items():
        if key == theirs or key.startswith(f'{theirs}.'):
            key = ours + key[len(theirs) :]
            break
    else:
        raise KeyError(key)
    if key.startswith('backbone.blocks.'):
        for pattern, replacement in BLOCK_RENAMES.items():
            key = re.sub(pattern, replacement, key)
    return key


def from_authors(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename and reshape the authors' weights to those of our recognizer."""
    converted = {}
    for key, value in state.items():
        name = our_key(key)
        if name is None:
            continue
        if name == 'backbone.cls_token':
            value = value.view(1, 1, -1)
        elif name.startswith('neck.aggregation.'):
            value = value.unsqueeze(2)  # a 2-D kernel as (1, k, k)
        converted[name] = value
    return converted
