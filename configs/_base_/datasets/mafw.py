# MAFW, fold 1 of 5: 32 frames, every second one. Augmentation is DFEW's.
_base_ = ['dfew.py']

dataset_type = 'MAFWDataset'
data_root = 'data/mafw'
fold = 1
clip_len = 32
frame_interval = 2

sampling = dict(
    type='SampleClip',
    clip_len=clip_len,
    frame_interval=frame_interval,
    short_clip='spread_last',
)
train_pipeline = [sampling, *_base_.train_pipeline[1:]]
test_pipeline = [dict(sampling, test_mode=True), *_base_.test_pipeline[1:]]
dataset = dict(type=dataset_type, data_root=data_root, fold=fold)
train_dataloader = dict(dataset=dict(dataset, pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(dataset, pipeline=test_pipeline))
val_dataloader = test_dataloader
