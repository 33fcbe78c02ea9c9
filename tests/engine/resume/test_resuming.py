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
from mmengine.hooks import Hook

from ifdd_mmaction.apis.calibrating import write_calibration
from ifdd_mmaction.checkpoints import CheckpointError, read_checkpoint
from ifdd_mmaction.engine import (
    EXIT_PREEMPTED,
    ResumableCheckpointHook,
    check_checkpoint,
)
from ifdd_mmaction.engine.resume import resumable_train_loop
from tests.helpers.forked_runs import DRAWN, drawn_runner, tool, train
from tests.helpers.processes import fork

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


def test_a_run_resumes_from_a_calibrated_checkpoint_as_before(reference, tmp_path):
    work_dir = shutil.copytree(reference, tmp_path / 'run')
    (work_dir / 'epoch_3.pth').unlink()
    path = work_dir / 'epoch_2.pth'
    write_calibration(path, read_checkpoint(path), dict(temperature=2.0))
    assert load(path)['meta']['calibration'] == dict(temperature=2.0)
    process = fork(train, work_dir)
    process.join()
    assert process.exitcode == 0, (work_dir / 'log.txt').read_text()[-3000:]
    assert_same_training(work_dir, reference)
    # The temperature is that of the weights of epoch 2.
    assert 'calibration' not in load(work_dir / 'epoch_3.pth')['meta']


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


@pytest.mark.slow
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


@pytest.mark.slow
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
    assert 'continue with --resume' in (work_dir / 'log.txt').read_text()


@pytest.mark.parametrize(
    'window, kept', [(None, 6), (5, 6), (8, 8), ('epoch', 6), ('global', 18)]
)
def test_logged_values_do_not_pile_up(tmp_path, monkeypatch, window, kept):
    monkeypatch.setattr(resumable_train_loop, 'HISTORY', 4)
    runner = drawn_runner(tmp_path / 'run')
    runner.log_processor.window_size = 3
    if window:
        runner.log_processor.custom_cfg = [
            dict(data_src='loss', method_name='mean', window_size=window)
        ]
    runner.train()
    # An epoch has 6 iterations, the run 18.
    history, counts = runner.message_hub.get_scalar('train/loss').data
    assert len(history) == len(counts) == kept


@pytest.mark.slow
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


def test_gradients_that_wait_for_their_update_are_kept(tmp_path):
    # Six batches an epoch and four for an update: an epoch ends between two.
    options = {
        'optim_wrapper.accumulative_counts': 4,
        'train_cfg.max_epochs': 2,
        'default_hooks.checkpoint.max_keep_ckpts': -1,
    }
    drawn_runner(tmp_path / 'whole', options).train()
    (tmp_path / 'resumed').mkdir()
    shutil.copy(tmp_path / 'whole/epoch_1.pth', tmp_path / 'resumed')
    drawn_runner(tmp_path / 'resumed', options).train()
    found, expected = (
        load(tmp_path / name / 'epoch_2.pth') for name in ('resumed', 'whole')
    )
    for key in ('state_dict', 'ema_state_dict', 'optimizer'):
        assert_equal(found[key], expected[key], key)
    assert 'rank_gradients' not in expected, 'the last update takes all'


def test_what_a_killed_run_left_is_tidied_up(reference, tmp_path):
    work_dir = tmp_path / 'run'
    shutil.copytree(reference, work_dir)
    # It was killed while it saved, or before it named what it had saved.
    (work_dir / '.epoch_3.pth.x1y2').write_bytes(b'half')
    (work_dir / 'last_checkpoint').write_text(f'{work_dir}/epoch_2.pth')
    drawn_runner(work_dir).train()
    assert (work_dir / 'last_checkpoint').read_text() == f'{work_dir}/epoch_3.pth'
    assert not list(work_dir.glob('.*'))


def trained_on(work_dir):
    """Return a finished run that goes on, at its next epoch, and its hook."""
    runner = drawn_runner(work_dir)
    runner.train()
    runner.train_loop._epoch = 4
    (hook,) = (h for h in runner.hooks if isinstance(h, ResumableCheckpointHook))
    return runner, hook


def test_the_best_checkpoint_is_removed_after_the_better_one_is_written(
    reference, tmp_path, monkeypatch
):
    work_dir = tmp_path / 'run'
    shutil.copytree(reference, work_dir)
    (before,) = work_dir.glob('best_*.pth')
    runner, hook = trained_on(work_dir)

    def full(*args, **kwargs):
        raise OSError(28, 'No space left on device')

    with monkeypatch.context() as patch:
        patch.setattr(os, 'fsync', full)
        with pytest.raises(CheckpointError, match='No space left'):
            hook.after_val_epoch(runner, {'dfer/WAR': 2.0})
    assert before.exists()
    runner, hook = trained_on(work_dir)
    # Worse, better, and better under the same name.
    for score in (-1.0, 3.0, 4.0):
        hook.after_val_epoch(runner, {'dfer/WAR': score})
        (now,) = work_dir.glob('best_*.pth')
        assert now.name == (before.name if score < 0 else 'best_dfer_WAR_epoch_4.pth')
    # That of the folder this one is a copy of is nobody else's.
    assert (reference / before.name).exists()


@pytest.mark.slow
def test_sigterm_in_a_validation_that_no_checkpoint_precedes_loses_nothing(tmp_path):
    options = {'default_hooks.checkpoint.interval': 3}
    # Of six iterations and two batches of validation.
    runner = drawn_runner(tmp_path, options)

    class Ended(Hook):
        def before_val_iter(self, runner, *args, **kwargs):
            runner.train_loop.preemption._record()

    runner.register_hook(Ended())
    with pytest.raises(SystemExit) as ended:
        runner.train()
    assert ended.value.code == EXIT_PREEMPTED
    assert [path.name for path in tmp_path.glob('iter_*.pth')] == ['iter_7.pth']


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


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
        pause = 1.0 if events and not rank else 0.0  # of the main rank, while it saves
        processes.append(
            fork(train, work_dir, options, send if rank else None, env, pause)
        )
    send.close()
    for _ in range(events or 0):
        receive.recv()
    if events:
        os.kill(processes[1].pid, signal.SIGTERM)
        processes[1].join(120)
        assert list(work_dir.glob('iter_*.pth')), 'it left while the other one saved'
    for process in processes:
        process.join(120)
    return [process.exitcode for process in processes]


@pytest.mark.slow
def test_sigterm_to_one_rank_ends_all_and_each_goes_on_as_it_was(tmp_path):
    port = free_port()
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
    # Between epochs each rank goes on as it was, too.
    (tmp_path / 'whole' / 'epoch_2.pth').unlink()
    assert live_on_ranks(tmp_path / 'whole', port) == [0, 0]
    again = load(tmp_path / 'whole' / 'epoch_2.pth')
    for key in ('state_dict', 'ema_state_dict', 'optimizer', 'rank_buffers'):
        assert_equal(again[key], expected[key], key)


@pytest.mark.slow
def test_ranks_that_see_different_checkpoints_do_not_train(reference, tmp_path):
    port = free_port()
    processes = []
    for rank in range(2):
        work_dir = tmp_path / f'seen{rank}'
        work_dir.mkdir()
        shutil.copy(reference / f'epoch_{3 - rank}.pth', work_dir)
        env = dict(
            RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2',
            MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port),
        )  # fmt: skip
        options = {'launcher': 'pytorch', 'train_cfg.max_epochs': 4}
        processes.append(fork(train, work_dir, options, None, env))
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [1, 1]
    said = (tmp_path / 'seen1/log.txt').read_text()
    assert 'different checkpoints: rank 0 at iteration 18, rank 1 at iter' in said


def limit_file_size():
    # Between the log, longer for a CUDA build of torch, and the checkpoint of 110 kB.
    resource.setrlimit(resource.RLIMIT_FSIZE, (80_000,) * 2)


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
    if not shutil.which('mount'):
        return False
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
