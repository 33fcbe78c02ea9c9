# Lifting with attention, as in the paper: for a base whose own is convolutional.
_base_ = ['../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

model = dict(neck=dict(lifting=dict(_delete_=True, type='LADM')))
