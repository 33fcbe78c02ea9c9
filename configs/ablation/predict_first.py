# The predictor before the updater.
_base_ = ['../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

model = dict(neck=dict(lifting=dict(update_first=False)))
