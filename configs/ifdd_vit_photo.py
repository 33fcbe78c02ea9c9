# The vision transformer for real faces, trained as configs/ifdd_cnn_photo.py is: frames
# by themselves, 16 x 64 x 64, 16 positions in time. Three convolutions with instance
# norms make the patches: a small ViT learns little from few frames without
# (docs/content.md).
_base_ = ['ifdd_cnn_photo.py']

backbone = dict(
    _delete_=True,
    type='PyramidMViT',
    arch=dict(embed_dims=96, num_layers=4, num_heads=2, downscale_indices=[2]),
    spatial_size=64,
    temporal_size=1,
    out_scales=[0, 1],
    patch_cfg=dict(kernel_size=(1, 8, 8), stride=(1, 8, 8), padding=(0, 0, 0)),
    stem_channels=(32, 64, 96),
    adaptive_kv_stride=(1, 2, 2),
    use_abs_pos_embed=True,
    init_cfg=[
        dict(type='TruncNormal', layer='Linear', std=0.05, bias=0.0),
        dict(type='Constant', layer='LayerNorm', val=1.0, bias=0.0),
    ],
)

model = dict(backbone=dict(backbone=backbone))

max_epochs = 6
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(T_max=max_epochs - _base_.warmup_epochs, end=max_epochs)
