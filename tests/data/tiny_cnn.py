# The convolutional model at the size of tiny_dfew.py.
_base_ = ['tiny_dfew.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet3d',
        depth=18,
        stage_blocks=(1, 1, 1, 1),
        base_channels=4,
        pretrained=None,
        pretrained2d=False,
        conv1_kernel=(3, 7, 7),
        conv1_stride_t=2,
        pool1_stride_t=1,
        with_pool2=False,
        spatial_strides=(1, 1, 2, 2),
        temporal_strides=(1, 1, 1, 1),
        inflate=(1, 1, 1, 1),
        out_indices=(2, 3),
        norm_eval=False,
    ),
    neck=dict(in_channels=[16, 32], lifting=dict(_delete_=True, type='ConvLADM')),
    cls_head=dict(in_channels=32),
)
