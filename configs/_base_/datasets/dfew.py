# DFEW, fold 1 of 5: `--cfg-options train_dataloader.dataset.fold=2 ...` for another.
# The official protocol has no validation split: validation is on the test fold.
dataset_type = 'DFEWDataset'
data_root = 'data/dfew'
fold = 1
clip_len = 16
size = 224

train_pipeline = [
    dict(type='SampleClip', clip_len=clip_len),
    dict(type='LoadFrames'),
    dict(type='Flip', flip_ratio=0.5),
    dict(
        type='RandomResizedCrop',
        area_range=(0.5, 1.0),
        aspect_ratio_range=(3 / 4, 4 / 3),
    ),
    dict(type='Resize', scale=(size, size), keep_ratio=False),
    # MMAction2 turns the hue by 255 h of OpenCV's 180 steps: 0.28 is the authors' 0.4.
    dict(type='ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.28),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='SampleClip', clip_len=clip_len, test_mode=True),
    dict(type='LoadFrames'),
    dict(type='Resize', scale=(size, size), keep_ratio=False),
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
