# X3D-M with MMAction2's weights of Kinetics-400. It keeps all 16 frames and returns
# its last stage alone.
_base_ = [
    '_base_/models/ifdd_vit.py',
    '_base_/datasets/dfew.py',
    '_base_/schedules/ifdd_100e.py',
    '_base_/default_runtime.py',
]
load_from = 'https://download.openmmlab.com/mmaction/v1.0/recognition/x3d/facebook/x3d_m_16x5x1_facebook-kinetics400-rgb_20201027-3f42382a.pth'

model = dict(
    backbone=dict(_delete_=True, type='X3D', gamma_w=1, gamma_b=2.25, gamma_d=2.2),
    neck=dict(clip_shape=(16, 224, 224), in_channels=[432], input_size=(16, 7, 7)),
    cls_head=dict(in_channels=432),
    data_preprocessor=dict(mean=[114.75] * 3, std=[57.38] * 3),
)
