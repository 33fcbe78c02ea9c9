# ISSM shifts an index by up to 1 frame.
_base_ = ['../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

model = dict(neck=dict(split=dict(receptive_field=1.0)))
