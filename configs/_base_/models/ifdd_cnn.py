# IFDD on a 3-D CNN. The authors released none: this is our own design, a ResNet3D-18
# that keeps the 8 frames its stem leaves through all stages, so that ISSM has a time
# axis to split, with convolutional lifting. Its last two stages have the sizes of the
# ViT's: 8 x 14 x 14 and 8 x 7 x 7 at 16 x 224 x 224. 40.5 M parameters and 44.8 GMAC,
# of which the backbone has 33.2 M and 43.2 GMAC.
_base_ = ['ifdd_vit.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet3d',
        depth=18,
        pretrained=None,
        pretrained2d=False,
        conv1_kernel=(3, 7, 7),
        conv1_stride_t=2,
        pool1_stride_t=1,
        with_pool2=False,
        temporal_strides=(1, 1, 1, 1),
        inflate=(1, 1, 1, 1),
        out_indices=(2, 3),
        norm_eval=False,
    ),
    neck=dict(in_channels=[256, 512], lifting=dict(_delete_=True, type='ConvLADM')),
    cls_head=dict(in_channels=512),
)
