"""What a result was made with: commit, command, environment."""

import subprocess

import pytest

from ifdd_mmaction.provenance import command_line, source_commit
from tests.helpers.golden import ROOT


@pytest.fixture
def checkout(tmp_path):
    """Return a folder, and a function that runs git in it."""
    root = tmp_path / 'clone'
    for name in ('tools', 'docs'):
        (root / name).mkdir(parents=True)
        (root / name / 'file').write_text('1')

    def git(*words):
        who = ['-c', 'user.name=a', '-c', 'user.email=a@example.org']
        command = ['git', '-C', str(root), *who, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True)

    git('init')
    git('add', '.')
    git('commit', '-m', 'first')
    return root, git


def test_the_commit_is_marked_if_the_code_differs_from_it(checkout):
    root, git = checkout
    commit = git('rev-parse', 'HEAD').stdout[:12]
    assert source_commit(root) == commit
    (root / 'docs' / 'file').write_text('a table')
    (root / 'notes.txt').touch()
    assert source_commit(root) == commit
    (root / 'tools' / 'new.py').touch()
    assert source_commit(root) == f'{commit}-dirty'
    git('add', '.')
    assert source_commit(root) == f'{commit}-dirty'
    git('commit', '-m', 'second')
    assert source_commit(root) == git('rev-parse', 'HEAD').stdout[:12]


def test_a_package_within_another_checkout_has_no_commit(checkout, tmp_path):
    root, _ = checkout
    assert source_commit(root / 'tools') == 'unknown'
    assert source_commit(tmp_path) == 'unknown'


def test_without_git_there_is_no_commit(checkout, monkeypatch):
    monkeypatch.setenv('PATH', '')
    assert source_commit(checkout[0]) == 'unknown'


def test_a_command_is_as_typed_in_the_checkout(monkeypatch, tmp_path):
    tool = str(ROOT / 'tools' / 'analysis' / 'ablate.py')
    expected = "python tools/analysis/ablate.py 'a b.py' --seeds 1"
    assert command_line([tool, 'a b.py', '--seeds', '1']) == expected
    monkeypatch.chdir(ROOT)
    words = ['tools/analysis/ablate.py', 'a b.py', '--seeds', '1']
    assert command_line(words) == expected
    script = tmp_path / 'mine.py'
    assert command_line([str(script)]) == f'python {script}'
