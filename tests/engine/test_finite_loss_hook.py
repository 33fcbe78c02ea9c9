import math
import os
import re
import socket

import pytest
import torch

from ifdd_mmaction.engine import FiniteLossHook, NonFiniteError
from tests.helpers.forked_runs import drawn_runner
from tests.helpers.optimizers import two_optimizers
from tests.helpers.processes import fork

pytestmark = pytest.mark.slow

NAN, INF = math.nan, math.inf


def runner_of(tmp_path, action='stop', factor=1.0, summand=0.0, label=3, **options):
    """Return a run in which the loss of clips of one class is spoilt."""
    task = dict(type='PoisonedLoss', label=label, factor=factor, summand=summand)
    options = {
        'model.data_preprocessor.blending': None,
        'model.cls_head.loss_cls': dict(type='DisentanglementLoss', task=task),
        'custom_hooks': [dict(type='FiniteLossHook', action=action)],
        'train_cfg.max_epochs': 1,
        **options,
    }
    return drawn_runner(tmp_path, options)


def weights(runner):
    return {k: v.clone() for k, v in runner.model.state_dict().items()}


# Adding spoils the value and not the gradient, multiplying both.
@pytest.mark.parametrize(
    'factor, summand, said',
    [(NAN, 0, 'nan'), (1, NAN, 'nan'), (1, INF, 'inf'), (INF, 0, 'inf')],
)
def test_stops_before_the_update_and_names_the_clips(tmp_path, factor, summand, said):
    runner = runner_of(tmp_path, factor=factor, summand=summand)
    with pytest.raises(NonFiniteError) as caught:
        runner.train()
    found = re.search(
        rf'epoch 1, iteration \d: the loss is {said} on the clips (\d+), (\d+): ',
        str(caught.value),
    )
    assert found and '3' in {str(int(name) % 7) for name in found.groups()}
    assert all(torch.isfinite(v).all() for v in weights(runner).values())
    assert not list(tmp_path.glob('*.pth'))


def test_skips_the_batch_and_trains_on_the_others(tmp_path):
    runner = runner_of(tmp_path, 'skip', factor=NAN)
    runner.train()
    (hook,) = [hook for hook in runner.hooks if isinstance(hook, FiniteLossHook)]
    assert hook.skipped in (1, 2)  # clips 3 and 10 are of the class
    saved = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)
    assert all(torch.isfinite(v).all() for v in saved['state_dict'].values())
    states = saved['optimizer']['state'].values()
    assert all(torch.isfinite(v).all() for s in states for v in s.values())
    assert {int(s['step']) for s in states} == {6 - hook.skipped}
    log = ''.join(path.read_text() for path in tmp_path.glob('*/*.log'))
    assert 'skipped, 1 batches so far' in log
    norms = runner.message_hub.get_scalar('train/grad_norm').data[0]
    assert len(norms) == 6 - hook.skipped and all(0 < n < 100 for n in norms)


def test_a_gradient_that_overflows_is_not_used_either(tmp_path):
    # 1e38 is a finite loss, its gradient is not.
    runner = runner_of(tmp_path, 'skip', factor=1e38)
    before = weights(runner)
    runner.train()
    log = ''.join(path.read_text() for path in tmp_path.glob('*/*.log'))
    assert re.search('the norm of the gradient is (inf|nan) on the clips', log)
    after = weights(runner)
    assert all(torch.isfinite(v).all() for v in after.values())
    assert any(not torch.equal(after[k], before[k]) for k in before)


def test_ten_bad_batches_in_a_row_are_no_accident(tmp_path):
    options = {'train_cfg.max_epochs': 12, 'train_dataloader.batch_size': 12}
    with pytest.raises(NonFiniteError, match='10 batches in a row: resume from an ear'):
        runner_of(tmp_path, 'skip', factor=NAN, **options).train()


@pytest.mark.filterwarnings('ignore:Detected call of:UserWarning')
def test_gradient_accumulation_leaves_out_the_bad_batch_only(tmp_path):
    options = {'optim_wrapper.accumulative_counts': 2, 'train_cfg.max_epochs': 2}
    runner = runner_of(tmp_path, 'skip', factor=NAN, **options)
    runner.train()
    saved = torch.load(tmp_path / 'epoch_2.pth', weights_only=True)
    assert all(torch.isfinite(v).all() for v in saved['state_dict'].values())
    # Six windows of two batches, of which the spoilt ones have one.
    assert {int(s['step']) for s in saved['optimizer']['state'].values()} == {6}


@pytest.mark.filterwarnings('ignore:Detected call of:UserWarning')
def test_steps_that_are_never_finite_are_no_accident_either(tmp_path):
    # Two batches a step, and clip 5 is in one of them.
    options = {
        'optim_wrapper.accumulative_counts': 2,
        'train_dataloader.batch_size': 6,
        'train_cfg.max_epochs': 12,
    }
    with pytest.raises(NonFiniteError, match='10 batches in a row'):
        runner_of(tmp_path, 'skip', factor=1e38, label=5, **options).train()
    log = ''.join(path.read_text() for path in tmp_path.glob('*/*.log'))
    named = re.findall(r'gradient is \w+ on the clips (.*): skipped', log)
    # The gradient may be of either batch.
    assert len(named) == 9 and all(len(n.split(', ')) == 12 for n in named)


def test_batch_norms_forget_a_batch_that_is_left_out(tmp_path):
    runner = runner_of(tmp_path, 'skip')
    calls = []

    def spoil(module, args):
        calls.append(module.training)
        return (args[0] * NAN,) if sum(calls) == 3 and module.training else args

    runner.model.backbone.norm.register_forward_pre_hook(spoil)
    runner.train()
    (hook,) = [hook for hook in runner.hooks if isinstance(hook, FiniteLossHook)]
    assert hook.skipped == 1
    saved = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)['state_dict']
    assert 'backbone.norm.running_mean' in saved
    assert all(torch.isfinite(v.float()).all() for v in saved.values())
    assert saved['backbone.norm.num_batches_tracked'] == 5


def train_on_rank(folder, rank, port):
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2',
        MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port),
    )  # fmt: skip
    options = {
        'launcher': 'pytorch',
        'optim_wrapper.accumulative_counts': 3,
        'train_cfg.max_epochs': 2,
        'val_cfg': None, 'val_dataloader': None, 'val_evaluator': None,
        'default_hooks.checkpoint.save_best': None,
    }  # fmt: skip
    runner = runner_of(folder / 'run', 'skip', factor=NAN, **options)
    runner.train()
    (hook,) = [hook for hook in runner.hooks if isinstance(hook, FiniteLossHook)]
    names = [name for name, _ in runner.model.named_parameters()]
    state = runner.model.state_dict()
    torch.save((hook.skipped, [state[n] for n in names]), folder / f'{rank}.pt')


def test_ranks_stay_equal_where_the_last_batch_of_a_step_is_left_out(tmp_path):
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    processes = [fork(train_on_rank, tmp_path, rank, port) for rank in range(2)]
    for process in processes:
        process.join(100)
    (skipped, first), (_, second) = (
        torch.load(tmp_path / f'{rank}.pt', weights_only=True) for rank in range(2)
    )
    assert skipped > 1
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)


@pytest.mark.filterwarnings('ignore:Error detected in:UserWarning')
def test_anomaly_detection_names_the_operation(tmp_path):
    with torch.autograd.set_detect_anomaly(True):  # noqa: SIM117
        with pytest.raises(RuntimeError, match=r"Function '.*' returned nan values"):
            runner_of(tmp_path, factor=NAN).train()


def test_an_unknown_action_is_refused():
    with pytest.raises(ValueError, match="action='warn': set 'stop' or 'skip'"):
        FiniteLossHook(action='warn')


def test_of_several_optimizers_the_bad_loss_of_one_is_left_out(tmp_path):
    # The batches are lists of tensors: they name no clip.
    runner = two_optimizers(tmp_path, spoilt=(2, 5))
    runner.train()
    (hook,) = [hook for hook in runner.hooks if isinstance(hook, FiniteLossHook)]
    assert hook.skipped == 2
    assert all(torch.isfinite(v).all() for v in weights(runner).values())
    log = ''.join(path.read_text() for path in tmp_path.glob('*/*.log'))
    assert 'epoch 1, iteration 2: the loss is nan on clips without a name: skip' in log
