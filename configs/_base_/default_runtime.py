# What every run shares. Importing ifdd_mmaction registers all of its modules.
custom_imports = dict(imports=['ifdd_mmaction'], allow_failed_imports=False)
default_scope = 'mmaction'

default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20, ignore_last=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # The last epoch is kept beside the best one, whose score is too high: it is chosen
    # on the test fold.
    checkpoint=dict(
        type='ResumableCheckpointHook',
        interval=1,
        # An earlier one, if the newest is damaged.
        max_keep_ckpts=2,
        save_best='dfer/WAR',
        rule='greater',
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    sync_buffers=dict(type='SyncBuffersHook'),
    # Idle without --show-dir of test.py.
    visualization=dict(type='ClipVisualizationHook'),
)
custom_hooks = [
    dict(type='ClassNamesHook'),
    dict(type='BadClipsHook'),
    dict(type='FiniteLossHook'),
]
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
log_processor = dict(type='LogProcessor', window_size=20, by_epoch=True)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='ActionVisualizer', vis_backends=vis_backends)
log_level = 'INFO'
load_from = None
resume = False
# Without `randomness`, --seed and --deterministic of MMAction2's own tools take effect;
# those of this package draw with seed 0 by default.
