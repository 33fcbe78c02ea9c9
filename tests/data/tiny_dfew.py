# The sample config at a size that trains in seconds, for runs in tests.
_base_ = ['../../configs/ifdd_vit_sample.py']

clip_len = 8
size = 32

model = dict(
    backbone=dict(
        arch=dict(embed_dims=8, num_layers=2, num_heads=1, downscale_indices=[1]),
        spatial_size=size,
        temporal_size=clip_len,
    ),
    neck=dict(
        in_channels=[8, 16],
        input_size=(4, 2, 2),
        lifting=dict(type='LADM', num_heads=2),
    ),
    cls_head=dict(in_channels=16),
)
train_pipeline = [
    dict(type='SampleClip', clip_len=clip_len),
    dict(type='LoadFrames'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='SampleClip', clip_len=clip_len, test_mode=True),
    dict(type='LoadFrames'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(batch_size=4, dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(batch_size=4, dataset=dict(pipeline=test_pipeline))
val_dataloader = test_dataloader
train_cfg = dict(max_epochs=2)
