# FERV39k: one official split, validated on its test part. The authors crop less than
# on DFEW and use no color jitter.
_base_ = ['dfew.py']

dataset_type = 'FERV39kDataset'
data_root = 'data/ferv39k'
fold = 1
clip_len = 16
size = 224

sampling = dict(type='SampleClip', clip_len=clip_len, short_clip='spread_first')
train_pipeline = [
    sampling,
    dict(type='LoadFrames'),
    dict(
        type='RandomResizedCropClip',
        size=size,
        area_range=(0.8, 1.0),
        aspect_ratio_range=(3 / 4, 4 / 3),
        interpolation='bicubic',
    ),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [dict(sampling, test_mode=True), *_base_.test_pipeline[1:]]
dataset = dict(type=dataset_type, data_root=data_root, fold=fold)
train_dataloader = dict(dataset=dict(dataset, pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(dataset, pipeline=test_pipeline))
val_dataloader = test_dataloader
