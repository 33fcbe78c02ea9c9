# The clips that tools/data/make_sample_dfew.py draws, or any small set in DFEW's layout
# with square frames: `--cfg-options train_dataloader.dataset.data_root=...`.
_base_ = ['dfew.py']

data_root = 'data/sample_dfew'
clip_len = 16
size = 64

train_pipeline = [
    dict(type='SampleClip', clip_len=clip_len),
    dict(type='LoadFrames'),
    dict(type='ResizeClip', size=size),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='SampleClip', clip_len=clip_len, test_mode=True),
    dict(type='LoadFrames'),
    dict(type='ResizeClip', size=size),
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
