# MMAction2's own MViT, of the size of configs/ifdd_vit_sample.py and without the neck
# or any other part of this package, for comparison.
_base_ = ['../../ifdd_vit_sample.py']

backbone = _base_.model.backbone
backbone.update(type='MViT', temporal_size=16, out_scales=[1])

model = dict(
    _delete_=True,
    type='Recognizer3D',
    backbone=backbone,
    cls_head=dict(
        type='MViTHead',
        num_classes=7,
        in_channels=64,
        dropout_ratio=0.1,
        label_smooth_eps=0.05,
        average_clips='prob',
    ),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[127.0] * 3,
        std=[64.0] * 3,
        format_shape='NCTHW',
    ),
)
