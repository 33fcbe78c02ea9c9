# Frames interpolated at content-aware indexes: the base as it is.
_base_ = ['../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

model = dict(neck=dict(split=dict(type='ISSM')))
