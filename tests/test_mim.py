"""An installed wheel, without the repository, by openmim and by itself."""

import functools
import hashlib
import json
import sys
import sysconfig
import tarfile
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from tests.helpers.golden import ROOT
from tests.helpers.tools import data_options
from tests.helpers.wheels import build, copy_tree, run, venv_with

# What `make test` installs there; openmim's own pins would move setuptools and rich.
MIM = Path(sys.prefix) / 'mim'
VIT = 'ifdd_vit_sample'
(ENTRY,) = (
    entry
    for entry in yaml.safe_load((ROOT / 'configs' / 'metafile.yml').read_text())[
        'Models'
    ]
    if entry['Name'] == VIT
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (MIM / 'mim').is_dir(), reason='no openmim; `make test` installs it'
    ),
]


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope='module')
def served():
    """Address of the files of the zoo."""
    handler = functools.partial(Handler, directory=str(ROOT / 'zoo'))
    server = ThreadingHTTPServer(('127.0.0.1', 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()
    server.server_close()


@pytest.fixture(scope='module')
def tree(tmp_path_factory):
    """A copy of what is in the repository."""
    return copy_tree(tmp_path_factory.mktemp('tree'))


@pytest.fixture(scope='module')
def distributions(tree, tmp_path_factory, served):
    """An sdist, and a wheel of the sdist that names an address."""
    folder = tmp_path_factory.mktemp('dist')
    build('sdist', folder, tree)
    (sdist,) = folder.glob('*.tar.gz')
    run(
        sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-build-isolation',
        '--no-index', '--wheel-dir', folder, sdist,
        cwd=folder, IFDD_ZOO_URL=served,
    )  # fmt: skip
    (wheel,) = folder.glob('*.whl')
    return sdist, wheel


@pytest.fixture(scope='module')
def python(tmp_path_factory, distributions):
    """Python of a virtual environment with the wheel; it sees our dependencies."""
    venv = tmp_path_factory.mktemp('venv')
    python = venv_with(distributions[1], venv)
    (site,) = venv.glob('lib/python*/site-packages')
    # Folders named in a .pth file are searched last, and their own .pth files, such as
    # that of an editable installation, are not read.
    folders = sysconfig.get_path('purelib'), sysconfig.get_path('platlib'), str(MIM)
    (site / 'parent.pth').write_text('\n'.join(folders) + '\n')
    return python


@pytest.fixture
def mim(python, tmp_path):
    """Call openmim in an empty folder."""
    return functools.partial(
        run, python, '-W', 'ignore', '-m', 'mim', cwd=tmp_path, HOME=str(tmp_path)
    )


def test_the_sdist_and_the_wheel_hold_what_is_needed(distributions):
    sdist, wheel = distributions
    with tarfile.open(sdist) as file:
        names = {name.split('/', 1)[-1] for name in file.getnames()}
    assert {'setup.py', 'model-index.yml', 'configs/metafile.yml'} <= names
    assert not any(name.startswith(('tests', 'data/')) for name in names)
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
    mim = 'ifdd_mmaction/.mim'
    wanted = {
        f'{mim}/model-index.yml',
        f'{mim}/tools/train.py',
        f'{mim}/tools/dist_train.sh',
        f'{mim}/{ENTRY["Weights"]}',
        *(
            f'{mim}/{path.relative_to(ROOT).as_posix()}'
            for path in ROOT.glob('configs/**/*.py')
        ),
    }
    assert wanted <= names
    assert not any('__pycache__' in n or n.endswith('.safetensors') for n in names)
    top = {name.split('/')[0] for name in names}
    packages = {t for t in top if not t.endswith('.dist-info')}
    assert packages == {
        'ifdd_mmaction', 'ifdd_bundled.pth', 'ifdd_bundled.py', 'ifdd_command.py',
    }  # fmt: skip


def test_an_editable_installation_links_to_the_files(tree, tmp_path):
    build('editable', tmp_path, tree)
    mim = tree / 'ifdd_mmaction' / '.mim'
    assert {p.name for p in mim.iterdir()} == {
        'configs', 'tools', 'zoo', 'model-index.yml',
    }  # fmt: skip
    for path in mim.iterdir():
        assert path.is_symlink() and path.resolve() == tree / path.name
        assert path.exists()


def test_the_shipped_models_work_offline(python, tmp_path):
    code = (
        'import ifdd_mmaction\n'
        'from ifdd_mmaction.apis import get_model, list_models\n'
        'names = list_models(pretrained=True)\n'
        'print([get_model(n, pretrained=True).dataset_meta["fold"] for n in names])\n'
        'print(len(list_models()), ifdd_mmaction.__file__)'
    )
    said = run(python, '-W', 'ignore', '-c', code, cwd=tmp_path, IFDD_ZOO_OFFLINE='1')
    folds, models = said.strip().splitlines()[-2:]
    assert set(json.loads(folds)) == {1}
    configs = len(list((ROOT / 'configs').glob('ifdd_*.py')))
    count, file = models.split()
    assert int(count) == configs
    assert Path(file).is_relative_to(python.parents[1])


def test_the_verbs_find_their_tools(python, tmp_path):
    """The installed command, in an empty folder."""
    ifdd = python.with_name('ifdd')
    assert '  kfold ' in run(ifdd, '--help', cwd=tmp_path)
    said = run(ifdd, 'zoo', 'list', cwd=tmp_path, IFDD_ZOO_OFFLINE='1')
    assert f'{VIT}  happy, sad, ' in said
    said = run(ifdd, 'zoo', 'download', VIT, '--out', 'zoo', cwd=tmp_path)
    assert Path(ENTRY['Weights']).name in said
    assert '--detect-anomaly' in run(ifdd, 'train', '--help', cwd=tmp_path)
    said = run(ifdd, 'doctor', 'ifdd_mmaction', cwd=tmp_path)
    assert said.startswith(f'ok       ifdd_mmaction  0.1.0, {python.parents[1]}')


def test_mim_finds_and_downloads_models(mim, tmp_path):
    table = tmp_path / 'found.json'
    said = mim(
        'search', 'ifdd_mmaction', '--model', 'ifdd', '--sort', 'drawn-sample/uar',
        '--field', 'drawn-sample/war', 'drawn-sample/uar', 'fold', '--json', table,
    )  # fmt: skip
    found = json.loads(table.read_text())
    (result,) = ENTRY['Results']
    assert found['drawn-sample/uar'][VIT] == result['Metrics']['UAR'], said
    assert found['fold'][VIT] == 1
    mim('download', 'ifdd_mmaction', '--config', VIT, '--dest', tmp_path / 'got')
    weights = tmp_path / 'got' / Path(ENTRY['Weights']).name
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == ENTRY['SHA256']
    assert "type='IFDDNeck'" in (tmp_path / 'got' / f'{VIT}.py').read_text()


def test_mim_draws_data_trains_and_tests(mim, python, tmp_path):
    data, work_dir = tmp_path / 'data', tmp_path / 'work'
    mim('run', 'ifdd_mmaction', 'make_sample_dfew', data, '--subjects', 5)
    options = [
        '--work-dir', work_dir, '--cfg-options',
        *data_options(data, 'train', 'val', 'test'), 'train_cfg.max_epochs=1',
        'train_dataloader.batch_size=7',
    ]  # fmt: skip
    said = mim('train', 'ifdd_mmaction', f'{VIT}.py', *options)
    assert f'{python.parents[1]}' in said and (work_dir / 'epoch_1.pth').is_file()
    assert str(ROOT) not in said
    (shipped,) = python.parents[1].glob(f'lib/**/.mim/{ENTRY["Weights"]}')
    said = mim('test', 'ifdd_mmaction', f'{VIT}.py', '--checkpoint', shipped, *options)
    assert 'dfer/WAR' in said and 'recall neutral' in said
