# The variant of configs/ifdd_vit_dfew.py whose indexes follow the content of a clip,
# for static first: frames are seen by themselves, and what the head classifies depends
# on which frames the indexes read, not on their order. Train it with
# tools/static_first.py (docs/content.md).
_base_ = ['ifdd_vit_dfew.py']

backbone = _base_.model.backbone
backbone.update(temporal_size=2)

model = dict(
    backbone=dict(_delete_=True, type='Framewise', backbone=backbone, frozen=True),
    neck=dict(lifting=dict(norm=False, output_attention=False, compress=False)),
)
