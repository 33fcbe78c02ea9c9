# The backbone alone: the head pools its last stage.
_base_ = ['../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

model = dict(neck=dict(aggregation=None, split=None, lifting=None))
