# The constraint weighs 10.
_base_ = ['../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

model = dict(cls_head=dict(loss_cls=dict(loss_weight=10.0)))
