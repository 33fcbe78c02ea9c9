# The schedule of the authors' code, to repeat their numbers: the warm-up ends at
# 8.83e-5 instead of the base rate, and the rate then drops to 5e-5. All else is as in
# ifdd_100e.py. Put it in a config's _base_ in place of that file.
_base_ = ['ifdd_100e.py']

max_epochs = 100
warmup_epochs = 10
peak = 8.8295412e-5
base = 5e-5

optim_wrapper = dict(optimizer=dict(lr=peak))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6 / peak, begin=0, end=warmup_epochs),
    dict(type='MultiStepLR', milestones=[warmup_epochs], gamma=base / peak),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs - warmup_epochs,
        eta_min_ratio=0.01 * base / peak,
        begin=warmup_epochs,
        end=max_epochs,
    ),
]
