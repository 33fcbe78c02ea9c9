# Validate and save a moving average of the weights: over the last tenth of the run so
# far, but no more than 5000 iterations.
_base_ = ['../../{{$IFDD_BASE:ifdd_vit_dfew}}.py']

default_hooks = dict(
    ema=dict(type='EMAHook', ema_type='MomentumAnnealingEMA', momentum=2e-4, gamma=10)
)
