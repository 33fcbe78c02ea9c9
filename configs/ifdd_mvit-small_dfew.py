# MViTv2-S with MMAction2's weights of Kinetics-400: the paper's backbone, six blocks
# deeper.
_base_ = [
    '_base_/models/ifdd_vit.py',
    '_base_/datasets/dfew.py',
    '_base_/schedules/ifdd_100e.py',
    '_base_/default_runtime.py',
]
load_from = 'https://download.openmmlab.com/mmaction/v1.0/recognition/mvit/converted/mvit-small-p244_16x4x1_kinetics400-rgb_20221021-9ebaaeed.pth'

model = dict(
    backbone=dict(arch='small'),
    neck=dict(clip_shape=(16, 224, 224)),
    data_preprocessor=dict(mean=[114.75] * 3, std=[57.375] * 3),
)
optim_wrapper = dict(
    optimizer=dict(lr=5e-4, weight_decay=0.05),
    constructor='LearningRateDecayOptimizerConstructor',
    paramwise_cfg=dict(decay_rate=0.75, decay_type='layer_wise', num_layers=16),
)
