# A small convolutional model for real faces, trained on photographed people with moved
# faces (docs/photo_faces.md), static first: 16 x 64 x 64, 16 positions in time. Frames
# are seen by themselves and the indexes follow the content (docs/content.md).
_base_ = ['ifdd_cnn_sample.py']

# Instance norms in space remove light and skin from the features of a frame. Without
# the first pooling, lines of the skin are seen at 32 x 32.
backbone = dict(
    type='ResNet3d',
    depth=18,
    pretrained=None,
    pretrained2d=False,
    base_channels=24,
    stage_blocks=(1, 1, 1, 1),
    inflate=(0, 0, 0, 0),
    conv1_kernel=(1, 3, 3),
    conv1_stride_t=1,
    with_pool1=False,
    with_pool2=False,
    temporal_strides=(1, 1, 1, 1),
    out_indices=(2, 3),
    norm_cfg=dict(type='IN3d', affine=True, requires_grad=True),
    norm_eval=False,
    zero_init_residual=False,
)

model = dict(
    backbone=dict(
        _delete_=True,
        type='Framewise',
        backbone=backbone,
        frames=1,
        frozen=True,
        chunk=64,
    ),
    neck=dict(
        in_channels=[96, 192],
        input_size=(16, 4, 4),
        lifting=dict(
            _delete_=True,
            type='LADM',
            norm=False,
            output_attention=False,
            compress=False,
        ),
    ),
    cls_head=dict(in_channels=192),
    data_preprocessor=dict(
        color_jitter=dict(
            _delete_=True, brightness=0.3, contrast=0.3, saturation=0.5, hue=0.03
        )
    ),
)

train_pipeline = _base_.train_pipeline
train_pipeline[2].update(area_range=(0.65, 1.0), aspect_ratio_range=(0.9, 1.1))
# Training cuts 0.65 to 1 of the area, testing 0.8, for faces of the same average size.
# The scores of a clip and of its mirror image are averaged.
test_pipeline = _base_.test_pipeline
test_pipeline[2] = dict(type='ResizeClip', size=72)
test_pipeline[3:3] = [
    dict(type='CenterCrop', crop_size=_base_.size),
    dict(type='AddFlippedViews'),
]
data_root = 'data/photo_faces'
train_dataloader = dict(
    batch_size=64, dataset=dict(data_root=data_root, pipeline=train_pipeline)
)
val_dataloader = dict(
    batch_size=64, dataset=dict(data_root=data_root, pipeline=test_pipeline)
)
test_dataloader = val_dataloader

max_epochs = 8
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(T_max=max_epochs - _base_.warmup_epochs, end=max_epochs)

# An average over the last tenth of the iterations, at most 500: a constant momentum
# keeps the initial weights of a short run.
ema = dict(type='EMAHook', ema_type='MomentumAnnealingEMA', momentum=0.002, gamma=10)
custom_hooks = [*_base_.custom_hooks, ema]
