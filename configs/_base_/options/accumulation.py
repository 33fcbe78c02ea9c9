# One update for every four batches: the gradient of a batch four times as large.
_base_ = ['../../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

optim_wrapper = dict(accumulative_counts=4)
