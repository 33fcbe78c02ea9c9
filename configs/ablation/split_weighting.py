# Frames weighted by their correlation, even and odd.
_base_ = ['../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

model = dict(neck=dict(split=dict(type='WeightingSplit')))
