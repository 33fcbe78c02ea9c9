# Convolutions instead of attention in the lifting step.
_base_ = ['../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

model = dict(neck=dict(lifting=dict(_delete_=True, type='ConvLADM')))
