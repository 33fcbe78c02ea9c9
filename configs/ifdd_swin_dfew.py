# Video Swin-T with MMAction2's weights of Kinetics-400: of 16 frames 8 remain, in both
# stages that are aggregated.
_base_ = [
    '_base_/models/ifdd_vit.py',
    '_base_/datasets/dfew.py',
    '_base_/schedules/ifdd_100e.py',
    '_base_/default_runtime.py',
]
load_from = 'https://download.openmmlab.com/mmaction/v1.0/recognition/swin/swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb/swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb_20220930-241016b2.pth'

model = dict(
    backbone=dict(
        _delete_=True,
        type='SwinTransformer3D',
        arch='tiny',
        pretrained2d=False,
        window_size=(8, 7, 7),
        out_indices=(2, 3),
    ),
    neck=dict(clip_shape=(16, 224, 224)),
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
)
# As MMAction2 trains Swin: the pretrained backbone at a tenth of the rate.
optim_wrapper = dict(
    optimizer=dict(lr=3e-4, weight_decay=0.02),
    constructor='SwinOptimWrapperConstructor',
    paramwise_cfg=dict(
        absolute_pos_embed=dict(decay_mult=0.0),
        relative_position_bias_table=dict(decay_mult=0.0),
        norm=dict(decay_mult=0.0),
        backbone=dict(lr_mult=0.1),
    ),
)
