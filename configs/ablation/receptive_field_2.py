# ISSM shifts an index by up to 2 frames (T / 4): the base as it is.
_base_ = ['../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

model = dict(neck=dict(split=dict(receptive_field=2.0)))
