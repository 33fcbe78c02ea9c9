# Backbone, aggregation and ISSM: the dynamics group is classified as it is.
_base_ = ['../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

model = dict(
    neck=dict(lifting=None),
    cls_head=dict(loss_cls=dict(loss_weight=0.0)),
)
