# The paper's model on MAFW: of 32 frames the patch embedding leaves 16, pairs of them
# are averaged, and all that follows has the sizes of the model on DFEW.
_base_ = [
    '_base_/models/ifdd_vit.py',
    '_base_/datasets/mafw.py',
    '_base_/schedules/ifdd_100e.py',
    '_base_/default_runtime.py',
]

num_classes = 11

model = dict(
    backbone=dict(temporal_pool=2),
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
