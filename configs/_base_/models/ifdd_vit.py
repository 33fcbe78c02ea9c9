# IFDD on MViTv2-tiny at 16 x 224 x 224: 8 x 14 x 14 and 8 x 7 x 7 tokens in the two
# stages that are aggregated.
num_classes = 7

model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='PyramidMViT', arch='tiny', out_scales=[2, 3], drop_path_rate=0.2
    ),
    neck=dict(
        type='IFDDNeck',
        in_channels=[384, 768],
        input_size=(8, 7, 7),
        # The neck's defaults, written down so that a line of config or of the command
        # line can change an option; split.align_corners=False for the authors' weights.
        aggregation=dict(type='PyramidAggregation'),
        split=dict(type='ISSM'),
        lifting=dict(type='LADM'),
    ),
    cls_head=dict(
        type='IFDDHead',
        num_classes=num_classes,
        in_channels=768,
        loss_cls=dict(type='DisentanglementLoss', loss_weight=0.1),
        label_smooth_eps=0.1,
        average_clips='score',
    ),
    # Inputs are in [0, 1] without further normalization.
    data_preprocessor=dict(
        type='ClipDataPreprocessor',
        mean=[0.0, 0.0, 0.0],
        std=[255.0, 255.0, 255.0],
        format_shape='NCTHW',
        color_jitter=dict(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.4),
        blending=dict(
            type='RandomBatchAugment',
            augments=[
                dict(type='MixupBlending', alpha=0.8, num_classes=num_classes),
                dict(type='CutmixBlending', alpha=1.0, num_classes=num_classes),
            ],
        ),
    ),
)
