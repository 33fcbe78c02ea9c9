# SlowOnly-50 with MMAction2's weights of Kinetics-400. It keeps all 16 frames; the
# neck is narrowed to 512 channels, since behind 2048 its parameters would outnumber
# the backbone's.
_base_ = [
    '_base_/models/ifdd_vit.py',
    '_base_/datasets/dfew.py',
    '_base_/schedules/ifdd_100e.py',
    '_base_/default_runtime.py',
]
load_from = 'https://download.openmmlab.com/mmaction/v1.0/recognition/slowonly/slowonly_r50_8xb16-8x8x1-256e_kinetics400-rgb/slowonly_r50_8xb16-8x8x1-256e_kinetics400-rgb_20220901-2132fc87.pth'

model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet3dSlowOnly',
        depth=50,
        pretrained=None,
        pretrained2d=False,
        lateral=False,
        conv1_kernel=(1, 7, 7),
        conv1_stride_t=1,
        pool1_stride_t=1,
        inflate=(0, 0, 1, 1),
        norm_eval=False,
        out_indices=(2, 3),
    ),
    neck=dict(
        clip_shape=(16, 224, 224),
        in_channels=[1024, 2048],
        input_size=(16, 7, 7),
        aggregation=dict(out_channels=512),
    ),
    cls_head=dict(in_channels=512),
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
)
