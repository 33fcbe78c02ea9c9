# The same model at small size, for the sample set of tools/data/make_sample_dfew.py.
_base_ = ['ifdd_vit_dfew.py']

size = 64
data_root = 'data/sample_dfew'

model = dict(
    backbone=dict(
        _delete_=True,
        type='PyramidMViT',
        arch=dict(
            embed_dims=24,
            num_layers=6,
            num_heads=1,
            downscale_indices=[1, 2, 4],
        ),
        spatial_size=size,
        out_scales=[2, 3],
        drop_path_rate=0.05,
    ),
    neck=dict(
        in_channels=[96, 192],
        input_size=(8, 2, 2),
        lifting=dict(type='LADM', drop_path=0.05),
    ),
    cls_head=dict(in_channels=192, dropout_ratio=0.2),
    data_preprocessor=dict(blending=None),
)
train_pipeline = [
    dict(type='SampleClip', clip_len=16),
    dict(type='LoadFrames'),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='SampleClip', clip_len=16, test_mode=True),
    dict(type='LoadFrames'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(
    num_workers=1,
    dataset=dict(data_root=data_root, pipeline=train_pipeline),
)
test_dataloader = dict(
    batch_size=48, num_workers=1,
    dataset=dict(data_root=data_root, pipeline=test_pipeline),
)
val_dataloader = test_dataloader
