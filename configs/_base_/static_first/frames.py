# The first of two trainings, static first: backbone and aggregation learn the
# expression in single frames, each repeated once, and the head pools what they return.
# Of a real dataset the middle frame is taken, around which its clips are cut.
_base_ = ['../../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

model = dict(neck=dict(split=None, lifting=None))
# A base may keep its backbone and aggregation as they have learned it here.
if _base_.model.backbone.get('frozen'):
    model['backbone'] = dict(frozen=False)
if _base_.model.neck.get('frozen_aggregation'):
    model['neck'].update(frozen_aggregation=False)

# Two frames are one temporal position of the backbones of the bases, unless they say
# how many frames they see at a time. Backbones that take clips of one length only, such
# as VideoMAE and TSM, need clip_len copies.
copies = _base_.model.backbone.get('frames', 2)
train_pipeline = _base_.train_pipeline
train_pipeline[0] = dict(type='SampleFrame', copies=copies, frames='middle')
test_pipeline = _base_.test_pipeline
test_pipeline[0] = dict(
    type='SampleFrame', copies=copies, frames='middle', test_mode=True
)

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
