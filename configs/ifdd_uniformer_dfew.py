# UniFormer-S with MMAction2's weights of Kinetics-400; it returns its last stage alone.
_base_ = [
    '_base_/models/ifdd_vit.py',
    '_base_/datasets/dfew.py',
    '_base_/schedules/ifdd_100e.py',
    '_base_/default_runtime.py',
]
load_from = 'https://download.openmmlab.com/mmaction/v1.0/recognition/uniformerv1/uniformer-small_imagenet1k-pre_16x4x1_kinetics400-rgb_20221219-c630a037.pth'

model = dict(
    backbone=dict(
        _delete_=True,
        type='UniFormer',
        depth=[3, 4, 8, 3],
        embed_dim=[64, 128, 320, 512],
        head_dim=64,
        drop_path_rate=0.1,
        pretrained2d=False,
    ),
    neck=dict(clip_shape=(16, 224, 224), in_channels=[512], input_size=(8, 7, 7)),
    cls_head=dict(in_channels=512),
    data_preprocessor=dict(mean=[114.75] * 3, std=[57.375] * 3),
)
