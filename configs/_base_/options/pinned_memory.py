# Batches in page-locked memory, whose copy to a GPU goes on beside its work.
_base_ = ['../../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

train_dataloader = dict(pin_memory=True)
