# FERV39k: one official split, validated on its test part. The authors crop less than
# on DFEW and leave the colours alone.
_base_ = ['dfew.py']

dataset_type = 'FERV39kDataset'
data_root = 'data/ferv39k'
fold = 1
clip_len = 16
size = 224

train_pipeline = [
    dict(type='SampleClip', clip_len=clip_len),
    dict(type='LoadFrames'),
    dict(type='Flip', flip_ratio=0.5),
    dict(
        type='RandomResizedCrop',
        area_range=(0.8, 1.0),
        aspect_ratio_range=(3 / 4, 4 / 3),
    ),
    dict(type='Resize', scale=(size, size), keep_ratio=False, interpolation='bicubic'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
dataset = dict(type=dataset_type, data_root=data_root, fold=fold)
train_dataloader = dict(dataset=dict(dataset, pipeline=train_pipeline))
test_dataloader = dict(dataset=dataset)
val_dataloader = test_dataloader
