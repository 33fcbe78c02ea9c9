# ISSM shifts an index by up to 4 frames (T / 2).
_base_ = ['../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

model = dict(neck=dict(split=dict(receptive_field=4.0)))
