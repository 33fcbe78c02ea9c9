"""No checkpoint runs code, in any way of loading it."""

import os
import pickle
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.fileio import load as load_file
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner import load_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors.torch import save_file

from ifdd_mmaction.checkpoints import CheckpointError, read_checkpoint
from tests.helpers.golden import load_tool
from tests.helpers.layouts import make_dfew
from tests.helpers.runners import tiny_runner
from tests.helpers.tools import TINY, data_options


class Call:
    """Pickles as a call."""

    def __init__(self, function: object, *args: object) -> None:
        self.call = function, args

    def __reduce__(self) -> tuple:
        return self.call

    def __call__(self) -> None:
        """Pickle requires a callable."""


def rewritten_dtype() -> Call:
    class Rewritten:
        def __reduce__(self) -> tuple:
            fields = {'x': (np.dtype('O'), 0)}
            state = (3, '<', None, ('x',), fields, 8, 1, 0)
            return np.dtype, ('f8', False, True), state

    class Forged:
        def __reduce__(self) -> tuple:
            function, args = np.empty(0).__reduce__()[:2]
            return function, args, (1, (1,), Rewritten(), False, b'A' * 8)

    return Forged()


#: Each creates the file if it is run. The last three use their own bytes as pointers of
#: NumPy, which crashes the process or worse.
PAYLOADS = {
    'os.system': lambda path: Call(os.system, f'touch {path}'),
    'exec': lambda path: Call(exec, f'open({path!r}, "w").close()'),
    'Popen': lambda path: Call(subprocess.Popen, ['touch', path]),
    'getattr': lambda path: Call(Call(getattr, Path(path), 'touch')),
    'getattr chain': lambda path: Call(
        Call(getattr, Call(__import__, 'os'), 'mkdir'), path
    ),
    'getattr of an allowed class': lambda path: Call(
        Call(getattr, Call(getattr, HistoryBuffer, 'mean'), '__globals__'), path
    ),
    'allowed function': lambda path: Call(
        Call(getattr, HistoryBuffer, 'mean'), HistoryBuffer()
    ),
    'forged objects': lambda path: Call(
        np.ndarray, (1,), 'O', np.frombuffer(b'A' * 8, 'u1')
    ),
    'object scalar': lambda path: Call(
        np.float64(0).__reduce__()[0], np.dtype('O'), b'A' * 8
    ),
    'rewritten dtype': lambda path: rewritten_dtype(),
}
PLACES = {
    'top': lambda payload: payload,
    'state dict': lambda payload: dict(state_dict=dict(weight=payload)),
    'meta': lambda payload: dict(
        state_dict=dict(weight=torch.ones(2)), meta=dict(config=[dict(a=(payload,))])
    ),
    'optimizer': lambda payload: dict(
        state_dict=dict(weight=torch.ones(2)),
        optimizer=dict(state={0: dict(step=payload)}, param_groups=[]),
    ),
    'message hub': lambda payload: dict(
        state_dict=dict(weight=torch.ones(2)),
        message_hub=dict(log_scalars=dict(loss=payload)),
    ),
}


def assert_one_sentence(message: str, path: object) -> None:
    assert str(path) in message and 'refused: ' in message, message
    assert '\n' not in message and 'weights_only' not in message, message
    assert 'torch.load' not in message and 'add_safe_globals' not in message, message


@pytest.mark.parametrize('place', PLACES)
@pytest.mark.parametrize('payload', PAYLOADS)
def test_a_payload_raises_an_error_and_is_not_run(payload, place, tmp_path):
    marker, path = str(tmp_path / 'marker'), tmp_path / 'crafted.pth'
    content = PLACES[place](PAYLOADS[payload](marker))
    torch.save(content, path)
    with pytest.raises(CheckpointError) as refusal:
        CheckpointLoader.load_checkpoint(str(path), map_location='cpu')
    assert_one_sentence(str(refusal.value), path)
    for protocol in (2, 4):  # as before torch.save, and with other opcodes
        path.write_bytes(pickle.dumps(content, protocol=protocol))
        with pytest.raises(CheckpointError) as refusal:
            read_checkpoint(path)
        assert_one_sentence(str(refusal.value), path)
    assert not os.path.exists(marker)


# --- all ways of loading --------------------------------------------------------------


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return make_dfew(tmp_path_factory.mktemp('dfew'), clips_per_class=1, frames=4)


@pytest.fixture
def served(tmp_path, monkeypatch):
    """The address of a server of the folder; downloads are stored elsewhere."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(
        ('127.0.0.1', 0), partial(Handler, directory=str(tmp_path))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_address[1]}'
    server.shutdown()


@pytest.fixture
def crafted(tmp_path):
    """A checkpoint that is valid except for one entry."""
    marker = tmp_path / 'marker'
    path = tmp_path / 'crafted.pth'
    content = PLACES['meta'](PAYLOADS['os.system'](str(marker)))
    torch.save(content, path)
    torch.load(path, weights_only=False)
    assert marker.exists()  # it runs if nothing prevents it
    marker.unlink()
    yield path
    assert not marker.exists()


def run_main(monkeypatch, tool: str, *args: object) -> int | None:
    monkeypatch.setattr(sys, 'argv', [tool, *map(str, args)])
    try:
        return load_tool(tool).main()
    except SystemExit as end:
        return end.code


@pytest.mark.parametrize('way', ['load_from', 'resume', 'load_checkpoint', 'url'])
def test_mmengine_does_not_run_it(way, crafted, served, data, tmp_path):
    with pytest.raises(CheckpointError) as refusal:
        if way == 'load_checkpoint':
            load_checkpoint(torch.nn.Linear(2, 1), str(crafted))
        elif way == 'url':
            load_checkpoint(torch.nn.Linear(2, 1), f'{served}/{crafted.name}')
        else:
            tiny_runner(
                tmp_path / 'work',
                dict(type='DFEWDataset', data_root=str(data)),
                load_from=str(crafted),
                resume=way == 'resume',
            ).train()
    assert_one_sentence(str(refusal.value), crafted.name)


@pytest.mark.parametrize('how', ['resume', 'resume auto', 'load_from', 'test'])
def test_the_tools_do_not_run_it(how, crafted, data, tmp_path, monkeypatch, capsys):
    work = tmp_path / 'work'
    options = ['--cfg-options', *data_options(data, 'train', 'val', 'test')]
    tool, args = 'train.py', [TINY]
    if how == 'test':
        tool, args = 'test.py', [TINY, crafted]
    elif how == 'load_from':
        options.append(f'load_from={crafted}')
    elif how == 'resume':
        args += ['--resume', crafted]
    else:
        work.mkdir()
        crafted = shutil.copy(crafted, work / 'epoch_1.pth')
        args += ['--resume']
    code = run_main(monkeypatch, tool, *args, '--work-dir', work, *options)
    assert code == 3
    said = capsys.readouterr().err
    if how == 'resume auto' and 'not a checkpoint of this package' in said:
        return  # not opened: it is not a ZIP archive
    (line,) = (x for x in said.splitlines() if 'refused: ' in x)
    assert_one_sentence(line, crafted)


def test_the_converters_do_not_run_it(crafted, tmp_path, capsys):
    for tool in ('from_authors.py', 'videomae.py', 'mvit_small_to_tiny.py'):
        main = load_tool(f'convert/{tool}').main
        assert main([str(crafted), str(tmp_path / 'out.pth')]) == 2
        assert_one_sentence(capsys.readouterr().err.strip(), crafted)
    assert not (tmp_path / 'out.pth').exists()


# --- what is loaded -------------------------------------------------------------------


def test_weights_load_from_safetensors(served, tmp_path, monkeypatch):
    model, path = torch.nn.Linear(3, 2), tmp_path / 'weights.safetensors'
    save_file(model.state_dict(), path, metadata=dict(source='a test'))
    for place in (str(path), f'{served}/{path.name}'):
        other = torch.nn.Linear(3, 2)
        loaded = load_checkpoint(other, place, strict=True)
        assert torch.equal(other.weight, model.weight)
        assert loaded['meta'] == dict(source='a test')


@pytest.mark.parametrize('name', ['cut.pth', 'cut.safetensors', 'text.pth'])
def test_a_damaged_file_is_named(name, tmp_path):
    path, tensors = tmp_path / name, dict(weight=torch.ones(99))
    torch.save(tensors, path) if name.endswith('pth') else save_file(tensors, path)
    path.write_bytes(b'no checkpoint' if 'text' in name else path.read_bytes()[:300])
    with pytest.raises(CheckpointError) as refusal:
        read_checkpoint(path)
    assert_one_sentence(str(refusal.value), path)


def test_a_missing_address_is_named(served):
    with pytest.raises(
        CheckpointError, match=r'absent\.pth cannot be downloaded: .*404'
    ):
        load_checkpoint(torch.nn.Linear(2, 1), f'{served}/absent.pth')


def test_an_incomplete_download_is_not_kept(served, tmp_path):
    path, model = tmp_path / 'weights.pth', torch.nn.Linear(30, 20)
    torch.save(model.state_dict(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    with pytest.raises(CheckpointError, match=rf'{served}/weights\.pth and is removed'):
        load_checkpoint(torch.nn.Linear(30, 20), f'{served}/weights.pth')
    path.write_bytes(whole)
    for _ in range(2):
        load_checkpoint(torch.nn.Linear(30, 20), f'{served}/weights.pth')
        path.unlink(missing_ok=True)  # the second time it is read from the cache


@pytest.mark.parametrize('order', ['<', '>'])
def test_numbers_of_numpy_load_and_save_again(order, tmp_path):
    values = {code: np.array([[0, 1, 1], [1, 0, 1]], order + code)
              for code in ('f8', 'f4', 'i8', 'i4', 'b1', 'u1')}  # fmt: skip
    hub = MessageHub.get_instance(f'test_checkpoints {order}')
    hub.update_scalar('loss', 0.5)
    for code, array in values.items():
        hub.update_info(code, array)
        hub.update_info(f'fortran {code}', np.asfortranarray(array))
        hub.update_info(f'scalar {code}', array[0, 1])
    path = tmp_path / 'checkpoint.pth'
    content = hub.state_dict()
    for _ in range(2):
        torch.save(content, path)
        content = read_checkpoint(path)
        info = content['runtime_info']
        for code, array in values.items():
            np.testing.assert_array_equal(info[code], array)
            np.testing.assert_array_equal(info[f'fortran {code}'], array)
            assert info[code].dtype.str[1:] == code
            assert info[f'scalar {code}'] == array[0, 1]
            assert type(info[f'scalar {code}']) is type(array[0, 1])
        assert content['log_scalars']['loss'].statistics('mean') == 0.5


# --- YAML -----------------------------------------------------------------------------


def test_yaml_builds_no_objects(tmp_path):
    marker, path = tmp_path / 'marker', tmp_path / 'config.yaml'
    path.write_text(f'a: !!python/object/apply:os.system ["touch {marker}"]\n')
    with pytest.raises(Exception, match='could not determine a constructor'):
        load_file(path)
    assert not marker.exists()
    path.write_text('sizes: !!python/tuple [1, 2]\nname: ü\n')
    assert load_file(path) == dict(sizes=(1, 2), name='ü')
