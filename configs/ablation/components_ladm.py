# Backbone, aggregation and LADM, on even and odd frames.
_base_ = ['../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

model = dict(
    neck=dict(split=None),
    cls_head=dict(loss_cls=dict(loss_weight=0.0)),
)
