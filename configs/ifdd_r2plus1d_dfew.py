# R(2+1)D-34 with MMAction2's weights of Kinetics-400. Its temporal strides would leave
# 2 of 16 frames for the split; with two of them off 8 remain, and the weights still
# fit. It returns its last stage alone, whatever out_indices.
_base_ = [
    '_base_/models/ifdd_vit.py',
    '_base_/datasets/dfew.py',
    '_base_/schedules/ifdd_100e.py',
    '_base_/default_runtime.py',
]
load_from = 'https://download.openmmlab.com/mmaction/v1.0/recognition/r2plus1d/r2plus1d_r34_8xb8-8x8x1-180e_kinetics400-rgb/r2plus1d_r34_8xb8-8x8x1-180e_kinetics400-rgb_20220812-47cfe041.pth'

model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet2Plus1d',
        depth=34,
        pretrained=None,
        pretrained2d=False,
        norm_eval=False,
        conv_cfg=dict(type='Conv2plus1d'),
        norm_cfg=dict(type='BN3d', eps=1e-3),
        conv1_kernel=(3, 7, 7),
        conv1_stride_t=1,
        pool1_stride_t=1,
        inflate=(1, 1, 1, 1),
        spatial_strides=(1, 2, 2, 2),
        temporal_strides=(1, 2, 1, 1),
        zero_init_residual=False,
    ),
    neck=dict(clip_shape=(16, 224, 224), in_channels=[512], input_size=(8, 7, 7)),
    cls_head=dict(in_channels=512),
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
)
