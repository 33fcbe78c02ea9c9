"""Runs that are killed, ended, starved and damaged, in processes of their own."""

import multiprocessing
import os
import random
import resource
import shutil
import signal
import socket
import subprocess

import pytest
import torch

from ifdd_mmaction.checkpoints import CheckpointError
from ifdd_mmaction.engine import EXIT_PREEMPTED, check_checkpoint
from tests.engine.forked_runs import DRAWN, drawn_runner, fork, tool, train

WORKER = {
    'train_dataloader.num_workers': 1,
    'train_dataloader.persistent_workers': True,
}


def load(path):
    check_checkpoint(path)
    return torch.load(path, weights_only=True)


def assert_equal(found, expected, where=''):
    """Assert that two nested states are equal to the bit."""
    assert type(found) is type(expected), where
    if isinstance(found, torch.Tensor):
        assert torch.equal(found, expected), where
    elif isinstance(found, dict):
        assert found.keys() == expected.keys(), where
        for key, value in found.items():
            assert_equal(value, expected[key], f'{where}.{key}')
    elif isinstance(found, (list, tuple)):
        assert len(found) == len(expected), where
        for i, value in enumerate(found):
            assert_equal(value, expected[i], f'{where}[{i}]')
    else:
        assert found == expected, where


def assert_same_training(work_dir, reference, name='epoch_3.pth'):
    keys = ['state_dict', 'ema_state_dict', 'optimizer']
    if name == 'epoch_3.pth':
        keys.append('param_schedulers')
    found, expected = load(work_dir / name), load(reference / 'epoch_3.pth')
    if name != 'epoch_3.pth':  # saved before the schedule by epoch went on
        for checkpoint in (found, expected):
            checkpoint['optimizer'] = checkpoint['optimizer']['state']
    for key in keys:
        assert_equal(found[key], expected[key], key)


@pytest.fixture(scope='module')
def reference(tmp_path_factory):
    """A work dir of a run that nothing interrupted."""
    work_dir = tmp_path_factory.mktemp('reference') / 'run'
    process = fork(train, work_dir)
    process.join()
    assert process.exitcode == 0, (work_dir / 'log.txt').read_text()[-3000:]
    return work_dir


def live(work_dir, options, events, how=None):
    """Go on with a run until so many events, end it, return exit code and event."""
    receive, send = multiprocessing.get_context('forkserver').Pipe(duplex=False)
    process = fork(train, work_dir, options, send)
    send.close()
    event = None
    try:
        for _ in range(events):
            event = receive.recv()
        if how == 'kill':
            process.kill()
        elif how == 'terminate':  # as a cluster does: the workers too
            os.killpg(process.pid, signal.SIGTERM)
        else:
            while True:
                receive.recv()
    except EOFError:
        event = 'end'
    process.join(60)
    return process.exitcode, event


@pytest.mark.parametrize('mode', ['epochs', 'iterations'])
def test_killed_at_any_moment_and_resumed_it_ends_in_the_same_bits(
    reference, tmp_path, mode
):
    draw = random.Random(mode)
    options, last = dict(WORKER), 'epoch_3.pth'
    if mode == 'iterations':
        last = 'iter_18.pth'
        options['default_hooks.checkpoint.by_epoch'] = False
        options['default_hooks.checkpoint.interval'] = 2
    killed = {'iteration': 0, 'save': 0}
    while sum(killed.values()) < 10:
        work_dir = tmp_path / f'run{sum(killed.values())}'
        code = None
        while code != 0:
            code, event = live(work_dir, options, draw.randint(1, 12), 'kill')
            log = (work_dir / 'log.txt').read_text()
            assert code in (0, -signal.SIGKILL), log[-3000:]
            if code:
                killed[event] += 1
        assert_same_training(work_dir, reference, last)
    # Half of the kills or so come while a file is being written.
    assert min(killed.values()) > 1, killed


def test_sigterm_saves_within_the_epoch_and_exits_with_a_code(reference, tmp_path):
    work_dir = tmp_path / 'run'
    assert live(work_dir, WORKER, 2, 'terminate')[0] == EXIT_PREEMPTED
    first = sorted(path.name for path in work_dir.glob('*.pth'))
    assert first in ([f'iter_{n}.pth'] for n in (2, 3, 4))
    assert load(work_dir / first[0])['meta']['position'][1] == 6
    # The checkpoint of the epoch, the last events before validation.
    assert live(work_dir, WORKER, 8, 'terminate')[0] == EXIT_PREEMPTED
    assert live(work_dir, WORKER, 99) == (0, 'end')
    assert_same_training(work_dir, reference)
    assert not list(work_dir.glob('iter_*.pth')), 'older than the two that are kept'
    assert 'go on with --resume' in (work_dir / 'log.txt').read_text()


def test_within_an_epoch_only_what_is_left_is_loaded(tmp_path):
    options = {'train_cfg.max_epochs': 2, 'train_dataloader.dataset.log': ''}
    runs = {}
    for name in ('whole', 'ended'):
        options['train_dataloader.dataset.log'] = str(tmp_path / name)
        if name == 'ended':
            code, _ = live(tmp_path / 'run', options, 3, 'terminate')
            assert code == EXIT_PREEMPTED
            (checkpoint,) = (tmp_path / 'run').glob('iter_*.pth')
            assert 3 <= load(checkpoint)['meta']['iter'] < 6
        assert (
            live(tmp_path / f'run_{name}'.removesuffix('_ended'), options, 99)[0] == 0
        )
        runs[name] = (tmp_path / name).read_text().splitlines()
    # Index and pixels of every clip: none twice, none left out, augmented alike.
    assert runs['ended'] == runs['whole'] and len(runs['whole']) == 24


def test_another_number_of_batches_cannot_go_on_within_an_epoch(tmp_path):
    assert live(tmp_path / 'run', {}, 3, 'terminate')[0] == EXIT_PREEMPTED
    runner = drawn_runner(tmp_path / 'run', {'train_dataloader.batch_size': 4})
    with pytest.raises(
        CheckpointError, match=r'batch \d of 6 .* now has 3: resume wit'
    ):
        runner.train()
    options = {'train_cfg.type': 'EpochBasedTrainLoop'}
    with pytest.raises(CheckpointError, match="type='ResumableTrainLoop'"):
        drawn_runner(tmp_path / 'run', options).train()


def live_on_ranks(work_dir, port, events=None):
    """Go on with a run on two ranks; after so many events end the second by SIGTERM."""
    context = multiprocessing.get_context('forkserver')
    receive, send = context.Pipe(duplex=False)
    processes = []
    for rank in range(2):
        env = dict(
            RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2',
            MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port),
        )  # fmt: skip
        options = {'launcher': 'pytorch', 'train_cfg.max_epochs': 2}
        processes.append(fork(train, work_dir, options, send if rank else None, env))
    send.close()
    for _ in range(events or 0):
        receive.recv()
    if events:
        os.kill(processes[1].pid, signal.SIGTERM)
    for process in processes:
        process.join(120)
    return [process.exitcode for process in processes]


def test_sigterm_to_one_rank_ends_all_and_each_goes_on_as_it_was(tmp_path):
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    assert live_on_ranks(tmp_path / 'whole', port) == [0, 0]
    codes = live_on_ranks(tmp_path / 'ended', port, 2)
    assert codes == [EXIT_PREEMPTED] * 2, (tmp_path / 'ended/log.txt').read_text()[
        -3000:
    ]
    (checkpoint,) = (tmp_path / 'ended').glob('iter_*.pth')
    # Batch norm has seen other clips on each rank.
    first, second = (state['backbone.norm.running_mean'] for state in
                     load(checkpoint)['rank_buffers'])  # fmt: skip
    assert not torch.equal(first, second)
    assert live_on_ranks(tmp_path / 'ended', port) == [0, 0]
    found, expected = (load(tmp_path / n / 'epoch_2.pth') for n in ('ended', 'whole'))
    for key in ('state_dict', 'ema_state_dict', 'optimizer', 'rank_buffers'):
        assert_equal(found[key], expected[key], key)


def limit_file_size():
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000,) * 2)


def run_train(work_dir, before=None):
    output = work_dir.parent / 'output.txt'
    process = fork(
        tool, 'train.py', DRAWN, '--work-dir', work_dir, '--resume',
        output=output, before=before,
    )  # fmt: skip
    process.join()
    return process.exitcode, output.read_text()


def test_a_full_disk_ends_in_one_line_and_leaves_the_last_checkpoint(
    reference, tmp_path
):
    work_dir = tmp_path / 'run'
    shutil.copytree(reference, work_dir)
    (work_dir / 'epoch_3.pth').unlink()
    before = {path.name: path.read_bytes() for path in work_dir.glob('*.pth')}
    code, said = run_train(work_dir, limit_file_size)
    assert code == 3
    last = said.strip().splitlines()[-1]
    assert 'epoch_3.pth cannot be saved: File too large' in last and '--resume' in last
    assert 'Traceback' not in said
    assert before == {path.name: path.read_bytes() for path in work_dir.glob('*.pth')}
    assert not list(work_dir.glob('.*'))


def mount_read_only(path):
    """Return whether a folder could be mounted read-only onto itself."""
    for command in (['--bind', path, path], ['-o', 'remount,ro,bind', path]):
        if subprocess.run(['mount', *command], capture_output=True).returncode:
            return False
    return True


def test_a_work_dir_that_cannot_be_written_is_named(reference, tmp_path):
    work_dir = tmp_path / 'run'
    shutil.copytree(reference, work_dir)
    if os.geteuid():
        work_dir.chmod(0o500)
    elif not mount_read_only(work_dir):
        pytest.skip('root writes everywhere, and may not mount here')
    try:
        code, said = run_train(work_dir)
    finally:
        work_dir.chmod(0o700) if os.geteuid() else subprocess.run(['umount', work_dir])
    assert code == 3 and 'Traceback' not in said
    assert f'{work_dir}' in said.splitlines()[-1]
    assert 'cannot be written: ' in said.splitlines()[-1]
    load(work_dir / 'epoch_3.pth')


def test_a_damaged_checkpoint_is_passed_over(reference, tmp_path):
    work_dir = tmp_path / 'run'
    shutil.copytree(reference, work_dir)
    newest = work_dir / 'epoch_3.pth'
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    code, said = run_train(work_dir)
    assert code == 0
    assert 'epoch_3.pth is damaged' in said
    assert f'resuming from {work_dir}/epoch_2.pth' in said
    assert_same_training(work_dir, reference)
