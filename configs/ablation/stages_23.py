# The last two stages: the base as it is.
_base_ = ['../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

model = dict(
    backbone=dict(out_scales=[2, 3]),
    neck=dict(in_channels=[384, 768]),
)
