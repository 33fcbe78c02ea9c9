# The convolutional model on FERV39k.
_base_ = [
    '_base_/models/ifdd_cnn.py',
    '_base_/datasets/ferv39k.py',
    '_base_/schedules/ifdd_100e.py',
    '_base_/default_runtime.py',
]

model = dict(data_preprocessor=dict(color_jitter=None))
