# Even and odd frames.
_base_ = ['../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

model = dict(neck=dict(split=dict(type='IntervalSplit')))
