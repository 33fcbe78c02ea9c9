# The same model at small size, for the clips that tools/data/make_sample_dfew.py draws:
# it trains in a few minutes on two CPU cores.
_base_ = [
    '_base_/models/ifdd_vit.py',
    '_base_/datasets/sample.py',
    '_base_/schedules/sample_20e.py',
    '_base_/default_runtime.py',
]

size = 64

model = dict(
    # Patches of 8 pixels and two scales: 8 x 8 x 8 and 8 x 4 x 4 tokens.
    backbone=dict(
        _delete_=True,
        type='PyramidMViT',
        arch=dict(embed_dims=32, num_layers=4, num_heads=1, downscale_indices=[2]),
        spatial_size=size,
        out_scales=[0, 1],
        patch_cfg=dict(kernel_size=(3, 8, 8), stride=(2, 8, 8), padding=(1, 0, 0)),
        adaptive_kv_stride=(1, 4, 4),
        # A few hundred clips are too few to learn from relative positions alone where
        # on the face a token lies.
        use_abs_pos_embed=True,
        # 0.02 is for widths of 96 and more; for 32 the weights would be too small.
        init_cfg=[
            dict(type='TruncNormal', layer='Linear', std=0.08, bias=0.0),
            dict(type='Constant', layer='LayerNorm', val=1.0, bias=0.0),
        ],
    ),
    neck=dict(
        in_channels=[32, 64],
        input_size=(8, 4, 4),
        lifting=dict(type='LADM', num_heads=4, drop_path=0.0),
    ),
    cls_head=dict(
        in_channels=64, dropout_ratio=0.1, init_std=0.1, label_smooth_eps=0.05
    ),
    data_preprocessor=dict(
        mean=[127.0] * 3, std=[64.0] * 3, color_jitter=None, blending=None
    ),
)
