# From scratch on a few hundred clips: a few minutes on two CPU cores. The learning rate
# changes with every iteration.
_base_ = ['ifdd_100e.py']

max_epochs = 20
warmup_epochs = 2

train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(
    optimizer=dict(lr=2e-3, weight_decay=0.05), clip_grad=dict(max_norm=5.0)
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.02,
        end=warmup_epochs,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs - warmup_epochs,
        eta_min_ratio=0.01,
        begin=warmup_epochs,
        end=max_epochs,
        convert_to_iter_based=True,
    ),
]
