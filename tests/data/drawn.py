# A run of seconds on drawn clips, with all that draws random numbers or keeps a state:
# augmentation in workers, color jitter, mixup and cutmix, dropout, batch norm, averaged
# weights, schedules by iteration and by epoch.
custom_imports = dict(imports=['ifdd_mmaction', 'tests.helpers.drawn_clips'])
default_scope = 'mmaction'
model = dict(
    type='Recognizer3D',
    backbone=dict(type='DrawnBackbone'),
    neck=dict(
        type='IFDDNeck',
        in_channels=[8],
        input_size=(4, 8, 8),
        lifting=dict(type='LADM', num_heads=2, drop_path=0.2),
    ),
    cls_head=dict(type='IFDDHead', num_classes=7, in_channels=8),
    data_preprocessor=dict(
        type='ClipDataPreprocessor',
        mean=[127.0] * 3,
        std=[64.0] * 3,
        format_shape='NCTHW',
        color_jitter=dict(brightness=0.4, hue=0.2),
        blending=dict(
            type='RandomBatchAugment',
            augments=[
                dict(type='MixupBlending', alpha=0.8, num_classes=7),
                dict(type='CutmixBlending', alpha=1.0, num_classes=7),
            ],
        ),
    ),
)
train_pipeline = [
    dict(type='SampleClip', clip_len=4),
    dict(type='LoadFrames'),
    dict(type='RandomResizedCropClip', size=8),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='SampleClip', clip_len=4, test_mode=True),
    dict(type='LoadFrames'),
    dict(type='ResizeClip', size=8),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='DrawnClips', clips=12, pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='DrawnClips', clips=7, pipeline=test_pipeline, test_mode=True),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='DFERMetric')
test_evaluator = val_evaluator
train_cfg = dict(type='ResumableTrainLoop', max_epochs=3)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.01, weight_decay=0.05)
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=3),
]
default_hooks = dict(
    checkpoint=dict(
        type='ResumableCheckpointHook',
        interval=1,
        max_keep_ckpts=2,
        save_best='dfer/WAR',
        rule='greater',
    ),
    logger=dict(type='LoggerHook', interval=1),
)
custom_hooks = [
    dict(type='FiniteLossHook'),
    dict(type='BadClipsHook'),
    dict(type='EMAHook', momentum=0.1),
]
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='ActionVisualizer', vis_backends=vis_backends)
randomness = dict(seed=5)
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
