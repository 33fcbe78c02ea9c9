# ConvNeXt-T of timm, frame by frame, with timm's ImageNet weights, which it downloads:
# `--cfg-options model.backbone.pretrained=False` for none. Needs timm.
_base_ = [
    '_base_/models/ifdd_vit.py',
    '_base_/datasets/dfew_2d.py',
    '_base_/schedules/ifdd_100e.py',
    '_base_/default_runtime.py',
]

num_segments = 16

model = dict(
    type='Recognizer2D',
    backbone=dict(
        _delete_=True,
        type='TimmPyramid',
        model_name='convnext_tiny.fb_in22k',
        out_indices=(2, 3),
        pretrained=True,
        drop_path_rate=0.1,
    ),
    neck=dict(
        clip_shape=(num_segments, 224, 224),
        num_segments=num_segments,
        input_size=(num_segments, 7, 7),
    ),
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW',
    ),
)
