# The constraint weighs 0.1: the base as it is.
_base_ = ['../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

model = dict(cls_head=dict(loss_cls=dict(loss_weight=0.1)))
