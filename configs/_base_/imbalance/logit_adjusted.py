# Cross entropy of logits that are adjusted by the class frequencies (Menon et al.,
# 2021). The base is configs/ifdd_vit_dfew.py, or the one that --base names.
_base_ = ['../../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

model = dict(cls_head=dict(loss_cls=dict(task=dict(type='LogitAdjustedLoss', tau=1.0))))
default_hooks = dict(class_counts=dict(type='ClassCountsHook'))
