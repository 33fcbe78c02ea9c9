"""The copies of MMEngine, mmcv-lite, MMAction2 and deface in a wheel, and who wins."""

import base64
import csv
import hashlib
import io
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.helpers.golden import ROOT
from tests.helpers.wheels import build, copy_tree, run, venv_with

pytestmark = pytest.mark.slow

COPIES = 'ifdd_mmaction/.bundled'
#: Of each module, its distribution and the version of its copy.
MODULES = dict(
    deface=('deface', '1.5.0'),
    mmaction=('mmaction2', '1.2.0'),
    mmcv=('mmcv-lite', '2.1.0'),
    mmengine=('mmengine', '0.10.7'),
)


@pytest.fixture(scope='module')
def tree(tmp_path_factory):
    return copy_tree(tmp_path_factory.mktemp('tree'))


@pytest.fixture(scope='module')
def wheel(tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp('wheel')
    build('wheel', folder, tree)
    return next(folder.glob('*.whl'))


@pytest.fixture(scope='module')
def dependencies(tmp_path_factory):
    """Everything that is installed here but what the wheel has copies of."""
    folder = tmp_path_factory.mktemp('dependencies')
    for path in Path(sysconfig.get_path('purelib')).iterdir():
        name = path.name.partition('-')[0].replace('_lite', '').rstrip('2')
        if name not in (*MODULES, 'ifdd_mmaction') and path.suffix != '.pth':
            (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture(scope='module')
def environment(wheel, dependencies, tmp_path_factory):
    """A virtual environment of the wheel, which none of the tests changes."""
    folder = tmp_path_factory.mktemp('venv')
    python = venv_with(wheel, folder)
    (site,) = folder.glob('lib/python*/site-packages')
    (site / 'dependencies.pth').write_text(f'{dependencies}\n')
    return python, site


def where(python, *modules, cwd, **env):
    """Return the files of modules that a new process imports."""
    code = f'import {", ".join(modules)}\n'
    code += ''.join(f'print({module}.__file__)\n' for module in modules)
    said = run(python, '-W', 'ignore', '-c', code, cwd=cwd, **env)
    return said.splitlines()[-len(modules) :]


def test_the_copies_are_what_was_published(wheel):
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
        for module, (name, number) in MODULES.items():
            info = f'{name.replace("-", "_")}-{number}.dist-info'
            assert f'{COPIES}/{module}/{info}/LICENSE' in names
            record = file.read(f'{COPIES}/{module}/{info}/RECORD').decode()
            published = {
                path: digest for path, digest, _ in csv.reader(io.StringIO(record))
            }
            inside = {n for n in names if n.startswith(f'{COPIES}/{module}/')}
            assert inside
            for path in inside:
                short = path.removeprefix(f'{COPIES}/{module}/')
                digest = hashlib.sha256(file.read(path)).digest()
                text = base64.urlsafe_b64encode(digest).rstrip(b'=').decode()
                assert short == f'{info}/RECORD' or published[short] == f'sha256={text}'
            # Without the operators: some of their files may not be distributed.
            absent = set(published) - {n.split('/', 3)[-1] for n in inside}
            assert all(n.startswith('mmcv/ops/') for n in absent), absent
            assert bool(absent) == (module == 'mmcv')


@pytest.mark.skipif(version('pip') < '22.3', reason='this pip has no option --python')
def test_without_installed_modules_the_copies_are_imported(environment, tmp_path):
    python, site = environment
    # Before the package, as MMAction2's own tools do.
    found = where(python, 'mmengine', 'mmcv', 'deface.centerface', cwd=tmp_path)
    assert all(path.startswith(str(site / COPIES)) for path in found), found
    code = (
        'from importlib.metadata import distributions, version\n'
        f'names = {[name for name, _ in MODULES.values()]}\n'
        'print([version(name) for name in names])\n'
        'from importlib.util import find_spec\n'
        'from ifdd_mmaction.faces import build_detector\n'
        'print(build_detector().name, find_spec("mmcv.ops"))\n'
        'from mmengine.config import Config\n'
        "config = Config.fromfile('config.py')\n"
        'print(config.model.type)\n'
        f'installed = distributions(path=[{str(site)!r}])\n'
        'print(sorted(d.name for d in installed))\n'
    )
    (tmp_path / 'config.py').write_text("_base_ = 'mmaction::_base_/models/tsn_r50.py'")
    said = run(python, '-W', 'ignore', '-c', code, cwd=tmp_path).splitlines()
    assert said[-4] == str([number for _, number in MODULES.values()])
    assert said[-3:] == ['centerface None', 'Recognizer2D', "['ifdd-mmaction']"]
    said = run(site.parents[2] / 'bin' / 'ifdd', 'doctor', 'mmcv', cwd=tmp_path)
    assert said.startswith(
        'ok       mmcv           2.1.0 (the copy in ifdd-mmaction), lite'
    )


def test_what_is_installed_is_used_instead(environment, tmp_path):
    """A stub of mmcv; the other modules are still the copies."""
    python, site = environment
    stub = tmp_path / 'mmcv' / '__init__.py'
    stub.parent.mkdir()
    stub.write_text('__version__ = "2.1.0"\n')
    found = where(
        python, 'mmcv', 'mmengine', cwd=tmp_path.parent, PYTHONPATH=str(tmp_path)
    )
    assert found[0] == str(stub)
    assert found[1].startswith(str(site / COPIES))


FINDER = """
import importlib.util, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == 'mmcv':
            return importlib.util.spec_from_file_location(name, {path!r})
sys.meta_path.append(Finder())
"""


def test_an_editable_installation_is_used_instead(environment, tmp_path):
    """setuptools appends a finder, here after ours."""
    (tmp_path / 'source.py').write_text('__version__ = "2.1.0"\n')
    code = FINDER.format(path=str(tmp_path / 'source.py'))
    code += 'import mmcv, mmengine; print(mmcv.__file__)'
    said = run(environment[0], '-W', 'ignore', '-c', code, cwd=tmp_path)
    assert said.splitlines()[-1] == str(tmp_path / 'source.py')


SPAWN = """
import multiprocessing
from mmengine.dataset import DefaultSampler, pseudo_collate

if __name__ == '__main__':
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        print(pool.apply(pseudo_collate, ([dict(a=1), dict(a=2)],)))
"""


def test_spawned_processes_find_the_copies(environment, tmp_path):
    (tmp_path / 'spawn.py').write_text(SPAWN)
    said = run(environment[0], '-W', 'ignore', 'spawn.py', cwd=tmp_path)
    assert said.splitlines()[-1] == "{'a': [1, 2]}"


def test_an_editable_installation_has_the_copies_outside_the_package(tree, tmp_path):
    build('editable', tmp_path, tree)
    copies = tree / 'third_party' / '.bundled'
    assert {path.name for path in copies.iterdir()} == set(MODULES)
    assert not (tree / COPIES).exists()
    said = run(
        sys.executable, '-c', 'import ifdd_bundled as i; print(i.FOLDERS["mmcv"])',
        cwd=tree,
    )  # fmt: skip
    assert said.strip() == str(copies / 'mmcv')


def test_an_archive_that_was_changed_ends_the_build(tree, tmp_path):
    copy_tree(tmp_path)
    (archive,) = (tmp_path / 'third_party').glob('mmengine*')
    archive.write_bytes(archive.read_bytes()[:-1] + b'x')
    code = 'from setuptools import build_meta as b; b.build_wheel("dist")'
    result = subprocess.run(
        [sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True
    )
    assert (
        result.returncode
        and f'{archive} is not the file of SHA256SUMS' in result.stderr
    )


def test_python_starts_as_fast(tmp_path):
    """The startup file imports nothing that is not imported anyway."""
    code = 'import sys; before = set(sys.modules); import ifdd_bundled; '
    code += 'print(sorted(set(sys.modules) - before))'
    said = run(sys.executable, '-c', code, cwd=ROOT)
    assert said.strip() == "['ifdd_bundled']"
