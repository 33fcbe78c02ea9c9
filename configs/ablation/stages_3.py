# The last stage alone.
_base_ = ['../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

model = dict(
    backbone=dict(out_scales=[3]),
    neck=dict(in_channels=[768]),
)
