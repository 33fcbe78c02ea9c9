# The frames that correlate best, and the others.
_base_ = ['../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

model = dict(neck=dict(split=dict(type='TopKSplit')))
