# Every class is drawn equally often; an epoch is as long as before. The base is
# configs/ifdd_vit_dfew.py, or the one that --base names.
_base_ = ['../../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

train_dataloader = dict(
    sampler=dict(_delete_=True, type='ClassBalancedSampler', power=1.0)
)
