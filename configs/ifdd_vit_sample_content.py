# The small model whose indexes follow the content of a clip, for static first:
# frames are seen by themselves, behind a convolutional stem, and what the head
# classifies depends on which frames the indexes read, not on their order. Train it with
# tools/static_first.py (docs/content.md).
_base_ = ['ifdd_vit_sample.py']

backbone = _base_.model.backbone
backbone.update(temporal_size=2, stem_channels=(16, 32))

model = dict(
    backbone=dict(_delete_=True, type='Framewise', backbone=backbone, frozen=True),
    neck=dict(lifting=dict(norm=False, output_attention=False, compress=False)),
)

# A face lies at another place of the image in each subject.
train_pipeline = _base_.train_pipeline
train_pipeline[2] = dict(
    type='RandomResizedCropClip',
    size=_base_.size,
    area_range=(0.64, 1.0),
    aspect_ratio_range=(1.0, 1.0),
)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
