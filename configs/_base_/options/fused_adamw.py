# The whole AdamW update in one kernel.
_base_ = ['../../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

optim_wrapper = dict(optimizer=dict(fused=True))
