"""``ifdd doctor`` in sound and in broken installations, made of real files."""

import json
import os
import re
import resource
import subprocess
import sys

import pytest

from tests.helpers.golden import ROOT, load_tool

DOCTOR = ROOT / 'tools' / 'doctor.py'
doctor = load_tool('doctor.py')  # its folder is on the path now

from doctor_checks import distributions, packages  # noqa: E402


def run(*words, before=None, flags=(), script=DOCTOR, **env):
    """Start the tool as a user does, in a new interpreter; GPUs are not hidden."""
    outer = {k: v for k, v in os.environ.items() if k != 'CUDA_VISIBLE_DEVICES'}
    return subprocess.run(
        [sys.executable, *flags, str(script), *map(str, words)],
        capture_output=True,
        text=True,
        env={**outer, 'OMP_NUM_THREADS': '1', **env},
        preexec_fn=before,
    )


def lines(result):
    """Return verdict, found and remedy of each check."""
    assert 'Traceback' not in result.stdout + result.stderr
    found = re.findall(
        r'^(ok|warning|problem) +(\S+(?: \S+)?)  +(.*)\n(?: +remedy: (.*)\n)?',
        result.stdout,
        re.MULTILINE,
    )
    return {name: (verdict, said, remedy) for verdict, name, said, remedy in found}


def path(*folders):
    """Return a PYTHONPATH that has folders first."""
    old = os.environ.get('PYTHONPATH', '')
    return os.pathsep.join([*map(str, folders), str(ROOT), old])


def module(folder, name, code):
    (folder / name).mkdir(parents=True)
    (folder / name / '__init__.py').write_text(code)
    return folder


def distribution(folder, name, version, content):
    """Write what pip leaves of an installed distribution."""
    info = folder / f'{name.replace("-", "_")}-{version}.dist-info'
    info.mkdir(parents=True)
    text = f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n'
    (info / 'METADATA').write_text(text)
    (info / 'RECORD').write_text(f'{content}/__init__.py,,\n')
    return folder


@pytest.mark.slow
def test_this_installation_has_no_problem(tmp_path):
    report = tmp_path / 'report.json'
    result = run('--json', report, PYTHONPATH=path(), IFDD_CACHE=str(tmp_path))
    found = lines(result)
    assert result.returncode == 0, result.stdout + result.stderr
    assert list(found) == list(doctor.CHECKS)
    assert not [name for name, (verdict, *_) in found.items() if verdict == 'problem']
    assert found['ifdd_mmaction'][:2] == ('ok', f'0.1.0, {ROOT / "ifdd_mmaction"}')
    verdict, said, _ = found['video decoder']
    assert verdict == 'ok' and re.match(
        r'PyAV \S+ .*built-in video; torchcodec: ', said
    )
    assert re.search('; decord: (works|not installed)', said)
    # The same as data.
    data = json.loads(report.read_text())
    rows = {c['name']: (c['verdict'], c['found'], c['remedy']) for c in data['checks']}
    assert rows == found and data['verdict'] in ('ok', 'warning')
    assert [p.name for p in tmp_path.iterdir()] == ['report.json']  # no index, no rest
    assert result.stdout.splitlines()[-1].startswith(f'{len(found)} checks: ')


NUMPY_1 = 'raise ImportError("numpy.core.multiarray failed to import")'
GLIBC = (
    'raise OSError("/lib/libm.so.6: version `GLIBC_2.38\' not found (required by '
    'decord/libdecord.so)")'
)
FFMPEG = (
    'raise ImportError("libavformat.so.61: cannot open shared object file: No such '
    'file or directory")'
)
PKG_RESOURCES = 'raise ModuleNotFoundError("No module named \'pkg_resources\'")'
CRASH = 'import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)'


@pytest.mark.parametrize(
    'name, code, check, verdict, said, remedy',
    [
        ('decord', GLIBC, 'decord', 'warning', 'OSError: .*GLIBC_2.38', 'newer system'),
        ('decord', CRASH, 'decord', 'warning', 'crashes with SIGSEGV', 'DecordInit'),
        ('decord', 'raise SystemExit(7)', 'decord', 'warning', 'SystemExit: 7', 'pip'),
        ('decord', 'import os\nos._exit(7)', 'decord', 'warning', 'exit code 7', 'pip'),
        ('av', FFMPEG, 'pyav', 'problem', 'libavformat.so.61', r"install .*'av.*17\.1"),
        ('cv2', NUMPY_1, 'opencv', 'problem', 'multiarray', r"pip install 'numpy<2'"),
        ('cv2', 'import libGL', 'opencv', 'problem', 'libGL', 'apt install libgl1'),
        ('simplejpeg', NUMPY_1, 'jpeg decoder', 'problem', 'multiarray', 'simplejpeg'),
        ('numpy', 'x = 1 +', 'numpy', 'problem', 'SyntaxError', 'force-reinstall'),
    ],
)
def test_a_module_that_does_not_load_is_a_line(
    tmp_path, name, code, check, verdict, said, remedy
):
    result = run(check, PYTHONPATH=path(module(tmp_path, name, code)))
    (found,) = lines(result).items()
    assert found[0] == check and found[1][0] == verdict
    assert re.search(said, found[1][1]) and re.search(remedy, found[1][2])
    assert result.returncode == int(verdict == 'problem') and not result.stderr


@pytest.mark.slow
def test_a_broken_pyav_is_what_the_decoder_says_too(tmp_path):
    module(tmp_path, 'torchcodec', 'raise ImportError')  # it would replace PyAV
    broken = path(module(tmp_path, 'av', FFMPEG))
    result = run('pyav', 'video decoder', PYTHONPATH=broken)
    found = lines(result)
    assert found['video decoder'][0] == 'problem' and result.returncode == 1
    assert 'libavformat.so.61' in found['video decoder'][1]


@pytest.mark.slow
@pytest.mark.parametrize(
    'name, code, said, remedy',
    [
        ('cv2', NUMPY_1, 'cv2 fails: ImportError: numpy.core', "install 'numpy<2'"),
        ('mmengine', PKG_RESOURCES, 'mmengine fails', "install 'setuptools<81'"),
        ('scipy', 'import none_such', "'none_such'", 'pip check names'),
    ],
)
def test_what_keeps_the_package_from_its_import_is_named(
    tmp_path, name, code, said, remedy
):
    broken = path(module(tmp_path, name, code))
    result = run('ifdd_mmaction', 'video decoder', PYTHONPATH=broken)
    found = lines(result)
    assert result.returncode == 1
    verdict, text, advice = found['ifdd_mmaction']
    assert verdict == 'problem' and said in text and remedy in advice
    assert found['video decoder'] == (
        'warning',
        'not checked: ifdd_mmaction cannot be imported',
        'correct ifdd_mmaction first',
    )


@pytest.mark.parametrize(
    'check, names, verdict, remedy',
    [
        ('mmcv', [('mmcv', '2.1.0')], 'problem', 'pip uninstall -y mmcv mmcv-lite, '),
        ('mmcv', [('onedl-mmcv', '2.3.6')], 'problem', 'pip uninstall -y mmcv-lite on'),
        ('mmengine', [('onedl-mmengine', '0.10.12')], 'problem', 'mmengine'),
        ('opencv', [('opencv-python-headless', '4.7.0.68')], 'warning', '=='),
    ],
)
def test_two_distributions_of_one_module(tmp_path, check, names, verdict, remedy):
    content = 'cv2' if check == 'opencv' else check
    for name, version in names:
        distribution(tmp_path, name, version, content)
    if check != 'opencv':  # of those the real ones take seconds to load
        module(tmp_path, check, '__version__ = "2.1.0"')
    result = run(check, PYTHONPATH=path(tmp_path))
    found, said, advice = lines(result)[check]
    assert found == verdict and remedy in advice
    assert all(f'{name} {version}' in said for name, version in names)
    assert result.returncode == int(verdict == 'problem')


def test_a_fork_is_named(tmp_path, monkeypatch):
    module(tmp_path, 'mmcv', '__version__ = "2.3.6"')
    module(tmp_path, 'mmcv/_ext', '')
    module(tmp_path, 'torch', '__version__ = "2.13.0"')
    distribution(tmp_path, 'onedl-mmcv', '2.3.6', 'mmcv')
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    monkeypatch.setattr(sys, 'path', [str(tmp_path)])  # without the original
    check = packages.check_module('mmcv')
    assert check == ('mmcv', 'ok', '2.3.6 (onedl-mmcv 2.3.6), full', '')


SYMBOL = 'raise ImportError("/x/mmcv/_ext.so: undefined symbol: _ZN3c10")'


def test_operators_for_another_torch_are_a_warning(tmp_path, monkeypatch):
    module(tmp_path, 'mmcv', '__version__ = "2.1.0"')
    module(tmp_path / 'mmcv', '_ext', SYMBOL)
    module(tmp_path, 'torch', '__version__ = "2.13.0+cu130"')
    distribution(tmp_path, 'mmcv', '2.1.0', 'mmcv')
    # Before the installed mmcv-lite, which is not seen.
    monkeypatch.setattr(packages, 'providers', lambda name: {'mmcv': '2.1.0'})
    monkeypatch.setenv('PYTHONPATH', path(tmp_path))
    check = packages.check_module('mmcv')
    assert check.verdict == 'warning' and 'undefined symbol: _ZN3c10' in check.found
    assert check.remedy.startswith(
        'install a full mmcv that is built for torch 2.13.0+cu130, or pip uninstall -y '
        'mmcv ('
    )


@pytest.mark.parametrize('name', ['mmcv', 'cv2'])
def test_an_old_version_is_a_warning(tmp_path, monkeypatch, name):
    module(tmp_path, name, '__version__ = "2.0.1"\nimencode = imdecode = lambda *x: x')
    monkeypatch.setattr(packages, 'providers', lambda name: {'mmcv': '2.0.1'})
    monkeypatch.setenv('PYTHONPATH', path(tmp_path))
    check = packages.check_module(name)
    assert check.verdict == 'warning' and ': tested with ' in check.found
    assert re.match(r"pip install 'mmcv.*>=\d", check.remedy)


def test_a_folder_that_is_left_is_named(tmp_path, monkeypatch):
    (tmp_path / 'mmcv').mkdir()
    # Without the installed one.
    hidden = 'import importlib.machinery as m\nm.PathFinder.find_spec = classmethod('
    hidden += 'lambda c, name, path=None, target=None, f=m.PathFinder.find_spec: f('
    hidden += f"name, [{str(tmp_path)!r}] if name == 'mmcv' else path))"
    (tmp_path / 'sitecustomize.py').write_text(hidden)
    result = run('mmcv', PYTHONPATH=path(tmp_path))
    verdict, said, remedy = lines(result)['mmcv']
    assert verdict == 'problem' and 'a folder without __init__.py is left' in said
    assert remedy == f'remove {tmp_path}/mmcv'


def test_a_version_out_of_the_declared_bounds_is_a_warning(tmp_path, monkeypatch):
    info = distribution(tmp_path, 'ifdd-mmaction', '0.1.0', 'ifdd_mmaction')
    metadata = next(info.glob('ifdd_mmaction-*')) / 'METADATA'
    text = 'Requires-Dist: numpy<1.2,>=1.1\nRequires-Python: >=3.99\n'
    metadata.write_text(metadata.read_text() + text)
    result = run('numpy', 'python', PYTHONPATH=path(tmp_path))
    found = lines(result)
    assert (
        found['numpy'][0] == 'warning' and 'tested with <1.2,>=1.1' in found['numpy'][1]
    )
    assert found['numpy'][2] == "pip install 'numpy<1.2,>=1.1'"
    assert found['python'][0] == 'problem' and result.returncode == 1


@pytest.mark.parametrize('version, bounds, expected', [
    ('2.13.0+cpu', '>=2.1', True), ('2.0.1', '>=2.1', False), ('2.2', '<2.2', False),
    ('2.2.0rc1', '<2.2,>=2.1', False), ('1.2.0', '==1.2', True),
    ('3.9', '>=3.10', False), ('1.5', '!=1.5,>1', False), ('7', '', True),
])  # fmt: skip
def test_versions_are_compared_as_numbers(version, bounds, expected):
    assert distributions.within(version, bounds) is expected


def limit():
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))


def test_a_low_limit_of_files_is_a_warning():
    result = run('open files', before=limit)
    verdict, said, remedy = lines(result)['open files']
    assert (verdict, result.returncode) == ('warning', 0)
    assert said.startswith('at most 200: ') and remedy.startswith('ulimit -n 4096 (')


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / 'file').touch()
    place = tmp_path / 'file' / 'cache'
    result = run('cache', IFDD_CACHE=str(place))
    verdict, said, remedy = lines(result)['cache']
    assert verdict == 'warning' and f'{place} cannot be written: Not a dir' in said
    assert remedy == 'set IFDD_CACHE to a folder of your own'
    new = tmp_path / 'not' / 'yet'
    result = run('cache', IFDD_CACHE=str(new), IFDD_ZOO_CACHE=str(new))
    assert lines(result)['cache'][0] == 'ok' and not new.parent.exists()


DRIVER = '| NVIDIA-SMI 535.1  Driver Version: 535.104.05  CUDA Version: 12.2  |'


def a_driver(folder, said, code=0):
    """Write a program ``nvidia-smi``, and return the PATH that has it."""
    program = folder / 'nvidia-smi'
    program.write_text(f'#!/bin/sh\necho "{said}"\nexit {code}\n')
    program.chmod(0o755)
    return f'{folder}{os.pathsep}{os.environ["PATH"]}'


TORCH = """
class version: cuda, hip = {cuda!r}, None
class cuda:
    is_available = staticmethod(lambda: False)
"""


@pytest.mark.parametrize(
    'cuda, smi, verdict, said, remedy',
    [
        (None, (DRIVER,), 'warning', 'built for CPUs', 'built for CUDA 12.2 or older'),
        (
            '13.0',
            (DRIVER,),
            'problem',
            'CUDA 13.0, the driver 535',
            'update the driver',
        ),
        ('12.1', (DRIVER,), 'problem', 'torch sees no GPU', 'docker run --gpus'),
        ('12.1', ('NVML: version mismatch', 18), 'problem', 'mismatch', 'restart'),
        ('12.1', ('',), 'problem', 'no output', 'restart'),
    ],
)
def test_a_torch_that_does_not_fit_the_driver(
    tmp_path, cuda, smi, verdict, said, remedy
):
    env = dict(PATH=a_driver(tmp_path, *smi))
    module(tmp_path, 'torch', TORCH.format(cuda=cuda))
    result = run('gpu', PYTHONPATH=path(tmp_path), **env)
    found = lines(result)['gpu']
    assert found[0] == verdict and said in found[1] and remedy in found[2]
    assert result.returncode == int(verdict == 'problem')


def test_a_hidden_gpu_is_a_warning(tmp_path):
    env = dict(PATH=a_driver(tmp_path, DRIVER), CUDA_VISIBLE_DEVICES='')
    module(tmp_path, 'torch', TORCH.format(cuda='12.1'))
    result = run('gpu', PYTHONPATH=path(tmp_path), **env)
    verdict, said, remedy = lines(result)['gpu']
    assert (verdict, remedy) == ('warning', 'unset CUDA_VISIBLE_DEVICES')
    assert "CUDA_VISIBLE_DEVICES='' hides it" in said and result.returncode == 0


@pytest.mark.slow
def test_compilation_needs_a_compiler(tmp_path):
    result = run('torch.compile', PATH=str(tmp_path), CXX='none-such')
    verdict, said, remedy = lines(result)['torch.compile']
    assert (verdict, result.returncode) == ('warning', 0)
    assert said == 'no C++ compiler: none of none-such, g++, clang++ is there'
    assert remedy.startswith('apt install g++')


def test_it_needs_nothing_but_python():
    result = run('python', 'cache', flags=['-E', '-S'])  # no site-packages
    assert result.returncode == 0 and list(lines(result)) == ['python', 'cache']


@pytest.mark.parametrize('with_opencv', [True, False])
def test_jpegs_are_decoded_by_opencv_without_the_extra(
    tmp_path, monkeypatch, with_opencv
):
    bare = tmp_path / 'python'  # without site-packages
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    monkeypatch.setattr(sys, 'executable', str(bare))
    if with_opencv:
        module(tmp_path, 'cv2', '__version__ = "4.11.0"')
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    check = packages.check_jpeg()
    assert check.verdict == ('ok' if with_opencv else 'warning')
    said = 'OpenCV 4.11.0; the extra' if with_opencv else 'not checked: opencv cannot'
    assert check.found.startswith(said)


@pytest.mark.parametrize(
    'words, said',
    [
        (['gpus'], "no check 'gpus': there are python, "),
        (['--jason', 'x'], '--jason'),
        (['python', '--json', 'no/such/folder/x.json'], 'cannot be written'),
    ],
)
def test_wrong_arguments_are_exit_code_2(words, said):
    result = run(*words)
    assert result.returncode == 2 and said in result.stderr.splitlines()[-1]
    assert 'Traceback' not in result.stderr


@pytest.mark.slow
def test_the_command_works_where_the_package_does_not(tmp_path):
    broken = path(module(tmp_path, 'mmengine', NUMPY_1))
    command = tmp_path / 'ifdd'
    command.write_text('import sys\nfrom ifdd_command import main\nsys.exit(main())\n')
    other = run('train', 'x.py', script=command, PYTHONPATH=broken)
    assert other.returncode == 1
    (line,) = other.stderr.strip().splitlines()
    assert line.startswith(
        'ifdd: ifdd_mmaction cannot be imported: ImportError: mmengine ('
    )
    assert '`ifdd doctor` names the remedy' in line
    result = run('doctor', 'ifdd_mmaction', script=command, PYTHONPATH=broken)
    assert result.returncode == 1
    assert 'mmengine fails' in lines(result)['ifdd_mmaction'][1]
    assert 'usage: ifdd doctor' in run('doctor', '-h', script=command).stdout
    shown = run('x', script=command, PYTHONPATH=broken, IFDD_TRACEBACK='1')
    assert 'Traceback' in shown.stderr


def test_reports_of_errors_contain_what_it_prints():
    yaml = pytest.importorskip('yaml')
    form = ROOT / '.github' / 'ISSUE_TEMPLATE' / 'bug.yml'
    fields = yaml.safe_load(form.read_text('utf-8'))['body']
    (field,) = (f for f in fields if f.get('id') == 'doctor')
    assert '`ifdd doctor`' in field['attributes']['description']
    assert field['validations']['required'] is True
