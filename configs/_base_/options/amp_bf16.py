# Mixed precision in bfloat16, which needs no loss scaling (docs/training_options.md).
_base_ = ['../../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

optim_wrapper = dict(
    type='AmpOptimWrapper', dtype='bfloat16', loss_scale=dict(enabled=False)
)
