# Every module and the disentanglement loss: the base as it is.
_base_ = ['../{{$IFDD_BASE:ifdd_vit_dfew}}.py']
