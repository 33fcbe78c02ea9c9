"""Checkpoints are read without running code, and must match the model."""

import json
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner import load_state_dict, save_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader

from tests.helpers.compat_runs import TEST, TRAIN, run, with_and_without

#: Each starts processes, which import torch and the corrected packages.
pytestmark = pytest.mark.slow


def test_training_resumes_from_its_checkpoint(tmp_path: Path) -> None:
    first = run(TRAIN.format(iters=1, launcher='none'), tmp_path)
    assert first.ok, first.err
    corrected, broken = with_and_without(
        'allow_checkpoint_globals', TRAIN.format(iters=2, launcher='none'), tmp_path
    )
    assert not broken.ok
    assert 'HistoryBuffer' in broken.err
    assert corrected.ok, corrected.err
    result = json.loads((tmp_path / '0.json').read_text())
    assert (result['iter'], result['losses']) == (2, 2)
    # Gradients: the mean of (0, 1), then that of (2, 3).
    assert result['weight'] == pytest.approx(-3)


def load(path: Path) -> dict:
    return CheckpointLoader.load_checkpoint(str(path), map_location='cpu')


@pytest.mark.parametrize('core', [b'core', b'_core'])
def test_checkpoints_are_compatible_between_numpy_1_and_2(
    tmp_path: Path, core: bytes
) -> None:
    hub = MessageHub.get_instance('test_compat')
    hub.update_scalar('train/loss', 0.5)
    hub.update_info('best', np.float32(0.25))
    hub.update_info('flags', np.array([True, False]))
    path = tmp_path / 'checkpoint.pth'
    # The legacy format is a sequence of pickles, so names in it can be replaced.
    torch.save(
        {'message_hub': hub.state_dict(), 'weight': torch.ones(2)},
        path,
        _use_new_zipfile_serialization=False,
    )
    content = path.read_bytes().replace(b'numpy._core.', b'numpy.core.')
    assert content.count(b'numpy.core.multiarray\n') >= 2
    path.write_bytes(content.replace(b'numpy.core.', b'numpy.' + core + b'.'))

    loaded = load(path)['message_hub']
    assert loaded['log_scalars']['train/loss'].statistics('mean') == 0.5
    assert loaded['runtime_info']['best'] == np.float32(0.25)
    assert loaded['runtime_info']['flags'].tolist() == [True, False]


class Reduce:
    """Pickles as a call."""

    def __init__(self, *call: object) -> None:
        self.call = call

    def __reduce__(self) -> tuple:
        return self.call


@pytest.mark.parametrize(
    ('owner', 'name'),
    [
        (HistoryBuffer, '__init__'),
        (HistoryBuffer, '__class__'),
        (HistoryBuffer, 'register_statistics'),
        (np.ndarray, 'tofile'),
        (np.ndarray, 'min'),
        (Reduce(getattr, (HistoryBuffer, 'min')), '__globals__'),
    ],
)
def test_getattr_in_a_checkpoint_is_refused(
    tmp_path: Path, owner: object, name: str
) -> None:
    path = tmp_path / 'crafted.pth'
    torch.save({'state_dict': Reduce(getattr, (owner, name))}, path)
    with pytest.raises(UnpicklingError, match=f"may not read '{name}'"):
        load(path)


def test_getattr_does_not_lead_to_a_call(tmp_path: Path) -> None:
    path = tmp_path / 'crafted.pth'
    getter = Reduce(getattr, (HistoryBuffer, 'mean'))
    torch.save({'state_dict': getter}, path)
    assert load(path)['state_dict'] is HistoryBuffer.mean


def test_weights_still_load_and_save(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 3)
    path = tmp_path / 'weights.pth'
    save_checkpoint({'state_dict': model.state_dict()}, str(path))
    other = torch.nn.Linear(2, 3)
    load_state_dict(other, load(path)['state_dict'], strict=True)
    assert torch.equal(other.weight, model.weight)


def test_checkpoints_run_no_code(tmp_path: Path) -> None:
    # A cached download needs no network.
    cache = tmp_path / 'hub/checkpoints'
    cache.mkdir(parents=True)
    for path in (tmp_path / 'file.pth', cache / 'url.pth'):
        marker = str(tmp_path / f'{path.stem}.marker')
        code = f'open({marker!r}, "w").close()'
        torch.save({'state_dict': Reduce(exec, (code,))}, path)
    # Sets the default of torch before 2.6.
    env = {'TORCH_HOME': str(tmp_path), 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD': '1'}
    script = """
from pickle import UnpicklingError
from mmengine.runner.checkpoint import CheckpointLoader
for path in 'file.pth', 'http://checkpoints.invalid/url.pth':
    try:
        CheckpointLoader.load_checkpoint(path, 'cpu')
    except UnpicklingError as error:
        print('refused')
"""
    corrected = run(script, tmp_path, **env)
    assert corrected.ok, corrected.err
    assert corrected.out.count('refused') == 2
    assert not list(tmp_path.glob('*.marker'))

    broken = run(script, tmp_path, without=('load_weights_only',), **env)
    assert 'refused' not in broken.out
    assert sorted(path.stem for path in tmp_path.glob('*.marker')) == ['file', 'url']


def test_weights_that_do_not_match_are_not_tested(tmp_path: Path) -> None:
    script = TEST % (False, 'a.pth')
    corrected, broken = with_and_without('require_matching_weights', script, tmp_path)
    assert broken.ok and "{'count': 2}" in broken.out
    assert (
        not corrected.ok
        and 'InputError: a.pth does not match the model' in corrected.err
    )
    assert 'lacks 2 of 2 tensors, layer.weight, layer.bias' in corrected.last


FORK = """
import torch
from mmengine.runner import checkpoint

def _safe_torch_load(file, map_location=None, weights_only=None):
    return torch.load(file, map_location=map_location, weights_only=False)

checkpoint._safe_torch_load = _safe_torch_load
"""
LOAD = """
class Code:
    def __reduce__(self):
        return print, ('it ran',)

torch.save(dict(state_dict=dict(weight=torch.ones(2))), 'plain.pth')
print(checkpoint._safe_torch_load('plain.pth', map_location='cpu'))
torch.save(Code(), 'code.pth')
checkpoint._safe_torch_load('code.pth')
"""


def test_the_loader_of_onedl_mmengine_runs_no_code_either(tmp_path: Path) -> None:
    corrected, broken = with_and_without(
        'load_weights_only', LOAD, tmp_path, before=FORK
    )
    assert corrected.out == "{'state_dict': {'weight': tensor([1., 1.])}}\n"
    assert not corrected.ok and 'code.pth refused' in corrected.last
    assert broken.ok and 'it ran' in broken.out
