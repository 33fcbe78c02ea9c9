# The same where the intensity of the expression is known at each frame: the clip's
# class for frames near its apex, neutral for those without expression.
_base_ = ['frames.py']

intensity = 'envelope.npy'
frame = dict(frames='intense', neutral=2)
train_pipeline = _base_.train_pipeline
train_pipeline[0].update(frame)
test_pipeline = _base_.test_pipeline
test_pipeline[0].update(frame)

train_dataloader = dict(dataset=dict(intensity=intensity, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(intensity=intensity, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(intensity=intensity, pipeline=test_pipeline))
