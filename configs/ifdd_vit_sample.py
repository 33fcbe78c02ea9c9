# The same model at small size, for the clips that tools/data/make_sample_dfew.py draws:
# it trains in a few minutes on two CPU cores.
_base_ = ['ifdd_vit_dfew.py']

data_root = 'data/sample_dfew'
clip_len = 16
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
        # 0.02 suits widths of 96 and more; for 32 it is too faint a start.
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
    data_preprocessor=dict(mean=[127.0] * 3, std=[64.0] * 3, blending=None),
)

train_pipeline = [
    dict(type='SampleClip', clip_len=clip_len),
    dict(type='LoadFrames'),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='SampleClip', clip_len=clip_len, test_mode=True),
    dict(type='LoadFrames'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(
    num_workers=1, dataset=dict(data_root=data_root, pipeline=train_pipeline)
)
test_dataloader = dict(
    num_workers=1, dataset=dict(data_root=data_root, pipeline=test_pipeline)
)
val_dataloader = test_dataloader

max_epochs = 20
train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(
    optimizer=dict(lr=2e-3, weight_decay=0.05), clip_grad=dict(max_norm=5.0)
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, end=2, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs - 2,
        eta_min_ratio=0.01,
        begin=2,
        end=max_epochs,
        convert_to_iter_based=True,
    ),
]
