"""What users of MMEngine's ``CheckpointHook`` may expect of ours."""

import shutil
from typing import ClassVar

import pytest
import torch
from mmengine.fileio import FileClient, LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.registry import init_default_scope

from ifdd_mmaction.engine import ResumableCheckpointHook
from tests.helpers.forked_runs import drawn_runner
from tests.helpers.optimizers import two_optimizers


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmaction')


class Elsewhere(LocalBackend):
    """Storage that is no folder of this machine; NAME is ``elsewhere://NAME``."""

    folder = ''
    removed: ClassVar[list[str]] = []

    def _local(self, path):
        return path.replace('elsewhere:/', self.folder)

    def put(self, obj, filepath):
        super().put(obj, self._local(filepath))

    def isfile(self, filepath):
        return super().isfile(self._local(filepath))

    def remove(self, filepath):
        self.removed.append(filepath)
        super().remove(self._local(filepath))


def hook_of(runner):
    (hook,) = (h for h in runner.hooks if isinstance(h, CheckpointHook))
    return hook


@pytest.mark.parametrize(
    'arguments, backend',
    [
        ({}, dict(backend='checkpoint')),
        (dict(out_dir='folder'), dict(backend='checkpoint')),
        (dict(backend_args=dict(backend='local')), dict(backend='local')),
        (dict(file_client_args=dict(backend='disk')), None),
        (dict(out_dir='s3://bucket'), None),  # MMEngine infers it
    ],
)
def test_the_backend_is_ours_where_nobody_chose_another(arguments, backend):
    assert ResumableCheckpointHook(**arguments).backend_args == backend


def test_arguments_keep_their_place():
    hook = ResumableCheckpointHook(2, True, True, True, None, 3)
    assert (hook.interval, hook.max_keep_ckpts) == (2, 3)


def test_a_file_client_of_the_user_writes(tmp_path):
    options = {
        'default_hooks.checkpoint.file_client_args': dict(backend='disk'),
        'train_cfg.max_epochs': 3,
    }
    with pytest.warns(DeprecationWarning, match='file_client_args'):
        drawn_runner(tmp_path, options).train()
    assert sorted(p.name for p in tmp_path.glob('epoch_*')) == [
        'epoch_2.pth',
        'epoch_3.pth',
    ]


def test_where_mmengine_looks_is_what_is_kept(tmp_path):
    drawn_runner(tmp_path).train()
    saved = torch.load(tmp_path / 'epoch_3.pth', weights_only=True)
    assert saved['message_hub']['runtime_info']['keep_ckpt_ids'] == [2, 3]
    # Its hook goes on with them, and ours with what its hook has kept.
    options = {'default_hooks.checkpoint.type': 'CheckpointHook'}
    for epoch, more in ((4, options), (5, {})):
        drawn_runner(tmp_path, {'train_cfg.max_epochs': epoch, **more}).train()
        found = sorted(p.name for p in tmp_path.glob('epoch_*'))
        assert found == [f'epoch_{epoch - 1}.pth', f'epoch_{epoch}.pth']


def test_a_run_of_mmengines_hook_goes_on_with_ours(tmp_path):
    options = {'default_hooks.checkpoint.type': 'CheckpointHook'}
    drawn_runner(tmp_path, options).train()
    drawn_runner(tmp_path, {'train_cfg.max_epochs': 4}).train()
    found = sorted(p.name for p in tmp_path.glob('epoch_*'))
    assert found == ['epoch_3.pth', 'epoch_4.pth']


def test_old_checkpoints_are_removed_by_the_backend(tmp_path):
    for register in (register_backend, FileClient.register_backend):
        register('elsewhere', Elsewhere, force=True, prefixes='elsewhere')
    Elsewhere.folder = str(tmp_path)
    options = {
        'default_hooks.checkpoint.out_dir': 'elsewhere://bucket',
        'default_hooks.checkpoint.max_keep_ckpts': 1,
    }
    runner = drawn_runner(tmp_path / 'run', options)
    runner.train()
    folder = tmp_path / 'bucket' / 'run'
    assert [p.name for p in folder.glob('epoch_*')] == ['epoch_3.pth']
    assert len(list(folder.glob('best_*'))) == 1
    removed = [path.rpartition('/')[2] for path in Elsewhere.removed]
    assert {'epoch_1.pth', 'epoch_2.pth'} <= set(removed)
    pointer = (tmp_path / 'run' / 'last_checkpoint').read_text()
    assert pointer == 'elsewhere://bucket/run/epoch_3.pth'


def test_a_folder_of_shards_is_removed(tmp_path):
    runner = drawn_runner(tmp_path)
    runner.train()
    shard = tmp_path / 'epoch_2.pth'
    shard.unlink()
    shard.mkdir()
    (shard / 'part').write_bytes(b'x')
    runner.train_loop._epoch = 3
    hook_of(runner).after_train_epoch(runner)
    assert not shard.exists() and (tmp_path / 'epoch_4.pth').is_file()


def test_validation_alone_builds_no_training_data(tmp_path):
    drawn_runner(tmp_path).train()
    runner = drawn_runner(tmp_path, {'train_dataloader.dataset.clips': 'broken'})
    runner._resume = False  # of a checkpoint that is given: load_from
    assert 'dfer/WAR' in runner.val()
    assert isinstance(runner._train_loop, dict)
    runner = drawn_runner(tmp_path)
    runner._resume = False
    runner._train_loop = runner._train_dataloader = None
    assert 'dfer/WAR' in runner.val()
    assert [p.name for p in tmp_path.glob('best_*')], 'that of the training stays'


def test_several_optimizers(tmp_path):
    runner = two_optimizers(tmp_path / 'run')
    runner.train()
    saved = torch.load(tmp_path / 'run' / 'epoch_2.pth', weights_only=True)
    assert set(saved['optimizer']) == {'first', 'second'}
    names = set(runner.message_hub.log_scalars)
    assert {'train/first.grad_norm', 'train/second.grad_norm'} <= names


def test_several_optimizers_that_accumulate_go_on_with_what_they_have(tmp_path):
    # Three batches an epoch, two for an update: an epoch ends between two.
    two_optimizers(tmp_path / 'whole', accumulative_counts=2).train()
    (tmp_path / 'resumed').mkdir()
    shutil.copy(tmp_path / 'whole' / 'epoch_1.pth', tmp_path / 'resumed')
    (tmp_path / 'resumed' / 'last_checkpoint').write_text(
        str(tmp_path / 'resumed' / 'epoch_1.pth')
    )
    first = torch.load(tmp_path / 'whole' / 'epoch_1.pth', weights_only=True)
    assert first['rank_gradients'][0].keys() == first['state_dict'].keys()
    resumed = two_optimizers(tmp_path / 'resumed', accumulative_counts=2, resume=True)
    for wrapper in resumed.optim_wrapper.values():
        wrapper._inner_count = 3  # of several optimizers MMEngine leaves it at 0
    resumed.train()
    found, expected = (
        torch.load(tmp_path / name / 'epoch_2.pth', weights_only=True)['state_dict']
        for name in ('resumed', 'whole')
    )
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
