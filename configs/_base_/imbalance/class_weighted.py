# Cross entropy in which every class has the same total weight. The base is
# configs/ifdd_vit_dfew.py, or the one that --base names.
_base_ = ['../../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

model = dict(
    cls_head=dict(loss_cls=dict(task=dict(type='ClassWeightedLoss', power=1.0)))
)
default_hooks = dict(class_counts=dict(type='ClassCountsHook'))
