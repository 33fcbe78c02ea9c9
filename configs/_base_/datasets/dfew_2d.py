# DFEW for Recognizer2D: (T, 3, H, W) a clip instead of (1, 3, T, H, W). Put it in a
# config's _base_ in place of dfew.py.
_base_ = ['dfew.py']

train_pipeline = _base_.train_pipeline
train_pipeline[-2] = dict(type='FormatShape', input_format='NCHW')
test_pipeline = _base_.test_pipeline
test_pipeline[-2] = dict(type='FormatShape', input_format='NCHW')
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_dataloader = test_dataloader
