# TSM-50, a 2-D backbone that shifts features in time, with MMAction2's weights of
# Kinetics-400 for 16 frames. The neck is narrowed as behind SlowOnly.
_base_ = [
    '_base_/models/ifdd_vit.py',
    '_base_/datasets/dfew_2d.py',
    '_base_/schedules/ifdd_100e.py',
    '_base_/default_runtime.py',
]
load_from = 'https://download.openmmlab.com/mmaction/v1.0/recognition/tsm/tsm_imagenet-pretrained-r50_8xb16-1x1x16-50e_kinetics400-rgb/tsm_imagenet-pretrained-r50_8xb16-1x1x16-50e_kinetics400-rgb_20220831-042b1748.pth'

num_segments = 16

model = dict(
    type='Recognizer2D',
    backbone=dict(
        _delete_=True,
        type='ResNetTSM',
        pretrained2d=False,
        depth=50,
        norm_eval=False,
        shift_div=8,
        num_segments=num_segments,
        out_indices=(2, 3),
    ),
    neck=dict(
        clip_shape=(num_segments, 224, 224),
        num_segments=num_segments,
        in_channels=[1024, 2048],
        input_size=(num_segments, 7, 7),
        aggregation=dict(out_channels=512),
    ),
    cls_head=dict(in_channels=512),
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW',
    ),
)
