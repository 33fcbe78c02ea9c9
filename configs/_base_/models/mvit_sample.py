# MMAction2's own MViT, of the size of configs/ifdd_vit_sample.py and without the neck
# or any other part of this package, for comparison.
_base_ = ['../../ifdd_vit_sample.py']

model = dict(
    _delete_=True,
    type='Recognizer3D',
    backbone=dict(
        type='MViT',
        arch=dict(embed_dims=32, num_layers=4, num_heads=1, downscale_indices=[2]),
        spatial_size=64,
        temporal_size=16,
        out_scales=[1],
        patch_cfg=dict(kernel_size=(3, 8, 8), stride=(2, 8, 8), padding=(1, 0, 0)),
        adaptive_kv_stride=(1, 4, 4),
        use_abs_pos_embed=True,
        init_cfg=[
            dict(type='TruncNormal', layer='Linear', std=0.08, bias=0.0),
            dict(type='Constant', layer='LayerNorm', val=1.0, bias=0.0),
        ],
    ),
    cls_head=dict(
        type='MViTHead',
        num_classes=7,
        in_channels=64,
        dropout_ratio=0.1,
        label_smooth_eps=0.05,
        average_clips='prob',
    ),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[127.0] * 3,
        std=[64.0] * 3,
        format_shape='NCTHW',
    ),
)
