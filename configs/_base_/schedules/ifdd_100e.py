# The paper's schedule: AdamW at 5e-5 for a batch of 16, ten epochs of warm-up, then a
# cosine to 1 %. The learning rate changes once an epoch, as in the authors' code.
max_epochs = 100
warmup_epochs = 10

train_cfg = dict(
    type='ResumableTrainLoop', max_epochs=max_epochs, val_begin=1, val_interval=1
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=5e-5, weight_decay=1e-3)
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, begin=0, end=warmup_epochs),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs - warmup_epochs,
        eta_min_ratio=0.01,
        begin=warmup_epochs,
        end=max_epochs,
    ),
]
# `--auto-scale-lr` scales the learning rate with the batch over all GPUs.
auto_scale_lr = dict(enable=False, base_batch_size=16)
