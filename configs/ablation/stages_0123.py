# All four stages.
_base_ = ['../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

model = dict(
    backbone=dict(out_scales=[0, 1, 2, 3]),
    neck=dict(in_channels=[96, 192, 384, 768]),
)
