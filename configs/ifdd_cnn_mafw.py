# The convolutional model on MAFW: of 32 frames the stem leaves 16, which ResNet3d's own
# pooling behind the first stage halves; the later stages have the sizes of DFEW's.
_base_ = [
    '_base_/models/ifdd_cnn.py',
    '_base_/datasets/mafw.py',
    '_base_/schedules/ifdd_100e.py',
    '_base_/default_runtime.py',
]

num_classes = 11

model = dict(
    backbone=dict(with_pool2=True),
    cls_head=dict(num_classes=num_classes),
    data_preprocessor=dict(
        blending=dict(
            augments=[
                dict(type='MixupBlending', alpha=0.8, num_classes=num_classes),
                dict(type='CutmixBlending', alpha=1.0, num_classes=num_classes),
            ]
        )
    ),
)
