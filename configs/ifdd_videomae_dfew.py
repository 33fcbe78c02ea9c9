# VideoMAE, a plain ViT-B of one scale: 8 x 14 x 14 tokens, hence no aggregation.
# load_from=None trains from scratch; weights of MAE-DFER or S2D, pretrained on faces,
# fit after tools/convert/videomae.py.
_base_ = [
    '_base_/models/ifdd_vit.py',
    '_base_/datasets/dfew.py',
    '_base_/schedules/ifdd_100e.py',
    '_base_/default_runtime.py',
]
load_from = 'https://download.openmmlab.com/mmaction/v1.0/recognition/videomae/vit-base-p16_videomae-k400-pre_16x4x1_kinetics-400_20221013-860a3cd3.pth'

model = dict(
    backbone=dict(
        _delete_=True,
        type='FusedVisionTransformer',
        num_frames=16,
        drop_path_rate=0.1,
        # With mean pooling the returned map would not be normalized.
        return_feat_map=True,
        use_mean_pooling=False,
    ),
    neck=dict(
        clip_shape=(16, 224, 224),
        in_channels=[768],
        input_size=(8, 14, 14),
        aggregation=None,
    ),
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
)
# The rate of each layer is 0.75 times the rate of the next, from the head down.
optim_wrapper = dict(
    optimizer=dict(lr=5e-4, weight_decay=0.05),
    constructor='LearningRateDecayOptimizerConstructor',
    paramwise_cfg=dict(decay_rate=0.75, decay_type='layer_wise', num_layers=12),
)
