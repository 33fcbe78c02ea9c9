# DFEW, fold 1 of 5; `--fold 2` takes another.
# The official protocol has no validation split: validation is on the test fold.
dataset_type = 'DFEWDataset'
data_root = 'data/dfew'
fold = 1
clip_len = 16
size = 224

# Color jitter is done on the device, by the model's data preprocessor.
train_pipeline = [
    dict(type='SampleClip', clip_len=clip_len),
    dict(type='LoadFrames'),
    dict(
        type='RandomResizedCropClip',
        size=size,
        area_range=(0.5, 1.0),
        aspect_ratio_range=(3 / 4, 4 / 3),
        interpolation='bilinear',
    ),
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
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='train',
        fold=fold,
        pipeline=train_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='test',
        fold=fold,
        pipeline=test_pipeline,
    ),
)
val_dataloader = test_dataloader

test_evaluator = dict(type='DFERMetric')
val_evaluator = test_evaluator
