# DFEW with test-time augmentation: the scores of three clips and their mirror images
# are averaged. Put it in a config's _base_ in place of dfew.py.
_base_ = ['dfew.py']

clip_len = 16
size = 224

test_pipeline = [
    dict(type='SampleClip', clip_len=clip_len, num_clips=3, test_mode=True),
    dict(type='LoadFrames'),
    dict(type='ResizeClip', size=size),
    dict(type='AddFlippedViews'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
