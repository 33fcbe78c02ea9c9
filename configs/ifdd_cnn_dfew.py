# The convolutional model on DFEW.
_base_ = [
    '_base_/models/ifdd_cnn.py',
    '_base_/datasets/dfew.py',
    '_base_/schedules/ifdd_100e.py',
    '_base_/default_runtime.py',
]
