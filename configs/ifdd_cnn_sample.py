# The convolutional model at small size, for 16 x 64 x 64: one bottleneck a stage, and
# an eighth of the channels. For few clips it differs from the large model in two ways:
# convolutions that are separate in space and time, and instance norms, which remove a
# clip's skin and light from its features.
_base_ = [
    '_base_/models/ifdd_cnn.py',
    '_base_/datasets/sample.py',
    '_base_/schedules/sample_20e.py',
    '_base_/default_runtime.py',
]

model = dict(
    # 8 x 8 x 8 and 8 x 4 x 4 in the two stages that are aggregated.
    backbone=dict(
        depth=50,
        stage_blocks=(1, 1, 1, 1),
        base_channels=8,
        inflate_style='3x1x1',
        spatial_strides=(1, 1, 2, 2),
        norm_cfg=dict(type='IN3d', affine=True, requires_grad=True),
        # MMAction2 does so for batch norms only.
        zero_init_residual=False,
    ),
    neck=dict(
        in_channels=[128, 256],
        input_size=(8, 4, 4),
        # A run of a thousand steps is too short for a momentum of 0.001.
        lifting=dict(norm_cfg=dict(type='BN3d')),
    ),
    cls_head=dict(in_channels=256, dropout_ratio=0.1, label_smooth_eps=0.05),
    data_preprocessor=dict(
        mean=[127.0] * 3, std=[64.0] * 3, color_jitter=None, blending=None
    ),
)

# A convolution does not depend on the position in the image: random crops do no harm.
train_pipeline = _base_.train_pipeline
train_pipeline[2] = dict(
    type='RandomResizedCropClip',
    size=_base_.size,
    area_range=(0.5, 1.0),
    aspect_ratio_range=(1.0, 1.0),
)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

max_epochs = 30
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(T_max=max_epochs - _base_.warmup_epochs, end=max_epochs)
