# The convolutional model at small size: a quarter of the channels, for 16 x 64 x 64.
_base_ = [
    '_base_/models/ifdd_cnn.py',
    '_base_/datasets/sample.py',
    '_base_/schedules/sample_20e.py',
    '_base_/default_runtime.py',
]

model = dict(
    # 8 x 8 x 8 and 8 x 4 x 4 in the two stages that are aggregated: without the stem's
    # pooling, which would leave 4 x 4 and 2 x 2 of a frame of 64 pixels.
    backbone=dict(base_channels=16, conv1_stride_s=2, pool1_stride_s=1),
    neck=dict(
        in_channels=[64, 128],
        input_size=(8, 4, 4),
        # A run of a few hundred steps is too short for a momentum of 0.001.
        lifting=dict(norm_cfg=dict(type='BN3d')),
    ),
    cls_head=dict(in_channels=128, dropout_ratio=0.1, label_smooth_eps=0.05),
    data_preprocessor=dict(
        mean=[127.0] * 3, std=[64.0] * 3, color_jitter=None, blending=None
    ),
)
