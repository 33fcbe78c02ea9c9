# Two classes that only the speed of the expression tells apart: the clips of
# `make_sample_dfew.py data/sample_speed --task speed`. The base is
# configs/ifdd_vit_sample.py, or the one that --base names.
_base_ = ['../../{{$IFDD_BASE:ifdd_vit_sample}}.py']

own = dict(data_root='data/sample_speed', metainfo=dict(classes=('slow', 'fast')))
train_dataloader = dict(dataset=own)
val_dataloader = dict(dataset=own)
test_dataloader = dict(dataset=own)

model = dict(cls_head=dict(num_classes=2))
