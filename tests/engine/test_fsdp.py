"""Fully sharded training by MMEngine's strategy, as docs/distributed.md says."""

import os

import pytest

from ifdd_mmaction.engine import check_checkpoint
from tests.helpers.forked_runs import DRAWN, tool
from tests.helpers.processes import fork, free_port

CONFIG = f"""
_base_ = ['{DRAWN}']
runner_type = 'FlexibleRunner'
launcher = 'pytorch'
strategy = dict(
    type='FSDPStrategy',
    state_dict_cfg=dict(
        state_dict_type='FULL_STATE_DICT',
        state_dict_config=dict(type='FullStateDictConfig', rank0_only=False),
        optim_state_dict_config=dict(type='FullOptimStateDictConfig', rank0_only=False),
    ),
    model_wrapper=dict(
        type='MMFullyShardedDataParallel', use_orig_params=True, device_id='cpu'
    ),
)
default_hooks = dict(checkpoint=dict(type='CheckpointHook', save_best=None))
custom_hooks = [dict(type='FiniteLossHook')]
"""


def launch(rank, port, *args, output):
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2',
        MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port),
    )  # fmt: skip
    tool('train.py', *args, output=output)


@pytest.mark.slow
def test_two_ranks_train_save_one_checkpoint_and_go_on(tmp_path):
    config = tmp_path / 'fsdp.py'
    config.write_text(CONFIG)
    port = free_port()
    for epochs in (1, 2):
        outputs = [tmp_path / f'log{rank}.txt' for rank in range(2)]
        processes = [
            fork(
                launch, rank, port, config, '--work-dir', tmp_path / 'run',
                '--launcher', 'pytorch', '--resume', '--cfg-options',
                f'train_cfg.max_epochs={epochs}', output=outputs[rank],
            )
            for rank in range(2)
        ]  # fmt: skip
        for process in processes:
            process.join(150)
        log = outputs[0].read_text()
        assert [p.exitcode for p in processes] == [0, 0], log[-4000:]
        check_checkpoint(tmp_path / f'run/epoch_{epochs}.pth')
    assert 'resumed epoch: 1, iter: 3' in log
    assert log.count('Epoch(train) [1][3/3]') == log.count('Epoch(train) [2][3/3]') == 1
