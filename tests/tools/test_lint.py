"""``make lint`` finds what it is there for: each rule, on a planted violation."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.golden import ROOT, load_tool

LINT = ROOT / 'tools' / 'lint' / 'lint.py'
#: A repository in which nothing is to be found.
CLEAN = {
    'ifdd_mmaction/good.py': '''"""A module."""


@MODELS.register_module()
class Neck(BaseModule):
    """A neck of the paper.

    Args:
        width: Channels.

    Raises:
        ValueError: If the width is odd.
    """

    def __init__(self, width: int) -> None:
        if width % 2:
            raise ValueError(f'width={width}: give an even one')

    def forward(self, x: Tensor) -> Tensor:
        """Return x ``(N, C, T, H, W)`` as it is."""
        return torch.load('x.pth', weights_only=True) or x
''',
    'tools/good.py': '"""Do it. Exit codes: 0 done, 2 not."""\n'
    "if __name__ == '__main__':\n    pass\n",
    'tests/test_good.py': '# good.py\n',
    'configs/good.py': '',
    'Makefile': 'N ?= 1\ngood:\n\ttrue\n',
    'docs/errors.md': '| `tools/good.py` | **0** done, **2** not |\n'
    '[the README](../README.md)\n',
    'README.md': '<!-- tested by: tests/test_good.py -->\n```bash\n'
    'X=3\nN=1 python tools/good.py configs/good.py --n 1\nmake good N=2\n```\n'
    '<!-- not run: needs a GPU -->\n```bash\npip install x\n```\n'
    '<!-- run -->\n```python\n1\n```\n',
}
NECK = 'ifdd_mmaction/good.py'
#: What is changed in which file, and what is said of it.
PLANTED = {
    # docstring_rules
    'no sentence': (NECK, 'as it is.', 'as it is', 'Neck.forward: the first line is'),
    'argument': (NECK, 'width: Channels', 'depth: X', "does not explain 'width'"),
    'no source': (NECK, 'of the paper', 'of ours', 'Neck: no source'),
    'error': (NECK, 'ValueError: If', 'KeyError: If', 'does not name ValueError'),
    'shape': (NECK, 'x ``(N, C, T, H, W)``', 'x', 'says no shape'),
    'no parameter': (
        NECK,
        'as it is.',
        'as it is.\n\n        Args:\n            y: Y.\n        ',
        "Args explains 'y'",
    ),
    # error_rules
    'bare': (NECK, "ValueError(f'width={width}: give an even one')", 'ValueError',
             'says nothing'),
    'value': (NECK, '={width}', '', 'shows no value'),
    'words': (NECK, 'width={width}: give an even one', '{width}', 'explains nothing'),
    'kind': (NECK, 'raise ValueError', 'raise Exception', 'cannot be caught'),
    'torch.load': (NECK, ', weights_only=True', '', 'could run code: torch.load'),
    'weights_only': (NECK, 'weights_only=True', 'weights_only=False', 'run code'),
    'hub': (NECK, "torch.load('x.pth', weights_only=True)",
            "torch.hub.load_state_dict_from_url('x')", 'could run code'),
    'np.load': (NECK, "torch.load('x.pth', weights_only=True)",
                "np.load('x', allow_pickle=True)", 'could run code: np.load'),
    'joblib': (NECK, "torch.load('x.pth', weights_only=True)", "joblib.load('x')",
               'could run code: joblib.load'),
    'unsafe tool': ('tools/good.py', 'pass', "compile('1')", 'could run code: compile'),
    'SystemExit': ('tools/good.py', 'pass', "raise SystemExit('x')", 'SystemExit'),
    'exit code': ('tools/good.py', '2 not', '3 not', 'exit codes [0, 3] in the doc'),
    'no row': ('docs/errors.md', '| `tools/good.py` |', '|', 'has 0 rows'),
    # page_rules
    'no mark': ('README.md', '<!-- not run: needs a GPU -->\n', '', 'write <!-- te'),
    'no reason': ('README.md', 'needs a GPU', 'needs luck', "'luck' is none of"),
    'run shell': ('README.md', 'not run: needs a GPU', 'run', 'write <!-- tested by'),
    'run other': ('README.md', '```python', '```json', "'json' is marked run"),
    'no test': ('README.md', 'tests/test_good.py', 'tests/test_x.py', 'no tests/test'),
    'other test': ('tests/test_good.py', 'good', 'bad', 'does not name tools/good.py'),
    'no tool': ('README.md', 'python tools/good.py', './tools/x.sh', 'no tools/x.sh'),
    'no config': ('README.md', 'configs/good.py', 'configs/{good,x}.py',
                  'no configs/x.py'),
    'no target': ('README.md', 'make good', 'make best', 'make has no best'),
    'no variable': ('README.md', 'good N=2', 'good M=2', 'make has no M=2'),
    'program': ('README.md', 'pip install', 'conda install', "what is 'conda'?"),
    'link': ('docs/errors.md', '../README.md', '../NONE.md', 'no ../NONE.md'),
}  # fmt: skip


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, '-S', LINT, folder], capture_output=True, text=True
    )


def plant(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_clean_repository_passes(tmp_path):
    done = lint(plant(tmp_path, CLEAN))
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


@pytest.mark.parametrize('name', PLANTED)
def test_a_planted_violation_is_found_and_its_place(tmp_path, name):
    file, old, new, message = PLANTED[name]
    assert CLEAN[file].count(old) == 1
    changed = {**CLEAN, file: CLEAN[file].replace(old, new)}
    found = list(load_tool('lint/lint.py').findings(plant(tmp_path, changed)))
    (line,) = (line for line in found if message in line)
    place, _, _ = line.partition(': ')
    path, _, number = place.partition(':')
    assert 1 <= int(number) <= changed[path].count('\n')


def test_what_is_found_is_printed_and_ends_with_one(tmp_path):
    done = lint(plant(tmp_path, {**CLEAN, 'README.md': '[x](none.md)\n'}))
    assert (done.returncode, done.stdout) == (1, 'README.md:1: no none.md\n')


def test_a_folder_that_is_no_repository_is_refused(tmp_path):
    done = lint(tmp_path)
    assert done.returncode == 2 and 'no folder ifdd_mmaction' in done.stderr


@pytest.mark.parametrize(
    'rule, code',
    [
        ('D100', 'x = 1\n'),
        ('D101', '"""M."""\n\n\nclass X:\n    pass\n'),
        ('D102', '"""M."""\n\n\nclass X:\n    """X."""\n\n    def x(self): ...\n'),
        ('D103', '"""M."""\n\n\ndef x(): ...\n'),
        ('S101', '"""M."""\n\nassert 1\n'),
        ('S102', '"""M."""\n\nexec("1")\n'),
        ('S301', '"""M."""\n\nimport pickle\n\npickle.load("x")\n'),
        ('S302', '"""M."""\n\nimport marshal\n\nmarshal.load("x")\n'),
        ('S307', '"""M."""\n\neval("1")\n'),
        ('S506', '"""M."""\n\nimport yaml\n\nyaml.load("x")\n'),
        ('S605', '"""M."""\n\nimport os\n\nos.system("x")\n'),
    ],
)
def test_ruff_is_set_up_to_find_the_rest(rule, code):
    ruff = [sys.executable, '-m', 'ruff', 'check', '--output-format', 'concise']
    found = subprocess.run(
        [*ruff, '--stdin-filename', ROOT / 'ifdd_mmaction' / 'planted.py', '-'],
        input=code,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert found.returncode == 1 and rule in found.stdout, found.stdout + found.stderr
