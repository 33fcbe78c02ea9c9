# Every value of Y_S is compared with its pair of frames, not averages only.
_base_ = ['../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

model = dict(neck=dict(relaxed=False))
