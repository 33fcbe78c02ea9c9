# The model of real faces with indexes by what the first stage has learned: the frames
# that its classifier finds least neutral are the dynamics (docs/content.md). Train it
# with tools/static_first.py, which trains what is frozen here and hands the classifier
# over.
_base_ = ['ifdd_cnn_photo.py']

model = dict(neck=dict(frozen_aggregation=True, split=dict(type='EvidenceSplit')))
