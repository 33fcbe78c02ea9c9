# The clips of `make_sample_dfew.py data/sample_wide --timing wide`. The base is
# configs/ifdd_vit_sample.py, or the one that --base names.
_base_ = ['../../{{$IFDD_BASE:ifdd_vit_sample}}.py']

own = dict(data_root='data/sample_wide')
train_dataloader = dict(dataset=own)
val_dataloader = dict(dataset=own)
test_dataloader = dict(dataset=own)
