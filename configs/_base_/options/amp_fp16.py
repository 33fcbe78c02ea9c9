# Mixed precision in float16 with dynamic loss scaling, for GPUs without bfloat16.
_base_ = ['../../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

optim_wrapper = dict(type='AmpOptimWrapper', dtype='float16', loss_scale='dynamic')
