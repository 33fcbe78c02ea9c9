"""The workflows do what .ci/run does, with targets that exist, on supported Pythons."""

import re

import pytest
import yaml

from tests.helpers.golden import ROOT

WORKFLOWS = sorted((ROOT / '.github' / 'workflows').glob('*.yml'))


def steps(path):
    jobs = yaml.safe_load(path.read_text())['jobs']
    return [step for job in jobs.values() for step in job['steps']]


def commands(path):
    return '\n'.join(step.get('run', '') for step in steps(path))


def test_ci_runs_all_that_the_local_check_runs():
    local = re.findall(r'^make \w+', (ROOT / '.ci' / 'run').read_text(), re.MULTILINE)
    assert local
    run = commands(ROOT / '.github' / 'workflows' / 'ci.yml')
    assert all(command in run for command in local)


def test_every_supported_python_is_tested():
    text = (ROOT / '.github' / 'workflows' / 'ci.yml').read_text()
    pythons = yaml.safe_load(text)['jobs']['test']['strategy']['matrix']['python']
    project = (ROOT / 'pyproject.toml').read_text()
    lowest = re.search(r'requires-python = ">=(\S+)"', project)
    assert pythons[0] == lowest[1]
    assert pythons == re.findall(r'Python :: (3\.\d+)"', project)


@pytest.mark.parametrize('path', WORKFLOWS, ids=lambda p: p.stem)
def test_targets_files_and_permissions(path):
    makefile = (ROOT / 'Makefile').read_text()
    for target in re.findall(r'\bmake (\w+)', commands(path)):
        assert re.search(rf'^{target}:', makefile, re.MULTILINE), target
    for named in re.findall(r'\b(?:docs|ifdd_mmaction)/[\w/]+\.\w+', path.read_text()):
        assert (ROOT / named).exists(), named
    # What a job may do beyond reading is written at that job.
    assert yaml.safe_load(path.read_text())['permissions'] == {'contents': 'read'}


def test_the_version_is_found_as_the_release_finds_it():
    """The publishing workflow reads it by sed, without installing anything."""
    text = (ROOT / 'ifdd_mmaction' / 'version.py').read_text()
    assert re.search(r"^__version__ = '(\d+\.\d+\.\d+\S*)'$", text, re.MULTILINE)
