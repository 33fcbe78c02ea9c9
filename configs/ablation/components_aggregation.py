# Backbone and pyramid aggregation.
_base_ = ['../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

model = dict(neck=dict(split=None, lifting=None))
