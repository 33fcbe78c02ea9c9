"""``tests/upstream_suites.py`` on a suite of a few lines in place of the fetched."""

import subprocess
import sys

import pytest

from tests.helpers.golden import ROOT
from tests.upstream_suites import IN_PLACE, compare

THEIRS = """
import multiprocessing

import pytest
import mmengine.hooks
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmaction.models import MViT


def name_there(queue):
    queue.put(mmengine.hooks.CheckpointHook.__name__)


def test_ours():
    assert CheckpointHook.__name__ == 'ResumableCheckpointHook'
    assert HOOKS.get('CheckpointHook') is CheckpointHook
    assert MViT.__name__ == 'PyramidMViT'


def test_spawned_too():
    context = multiprocessing.get_context('spawn')
    queue = context.Queue()
    process = context.Process(target=name_there, args=(queue,))
    process.start()
    assert queue.get(timeout=200) == CheckpointHook.__name__
    process.join()


class TestStock:
    def test_stock(self):
        assert CheckpointHook.__name__ == 'CheckpointHook'


@pytest.mark.skip
def test_skipped():
    assert False
"""


@pytest.mark.slow
def test_what_ours_do_not_pass_is_found(tmp_path):
    suite = tmp_path / 'tests' / 'test_infer'
    suite.mkdir(parents=True)
    (suite / 'test_it.py').write_text(THEIRS)
    script = str(ROOT / 'tests' / 'upstream_suites.py')
    result = subprocess.run(
        [sys.executable, script, tmp_path, tmp_path, '--only', 'test_infer'],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1, result.stderr
    (row,) = [line for line in result.stdout.splitlines() if 'test_it ' in line]
    assert row.split() == ['test_infer.test_it', '4', '2', '2']
    lines = {line.split(':')[0].strip(): line for line in result.stdout.splitlines()}
    assert (
        "'CheckpointHook' == 'ResumableCheckpointHook'"
        in (lines['test_infer.test_it.test_ours'])
    )
    assert 'NO REASON' in lines['test_infer.test_it.TestStock.test_stock']
    assert result.stderr.strip().endswith(
        '1 differences have no reason: test_infer.test_it.TestStock.test_stock'
    )


def test_a_reason_is_for_one_test():
    stock = {'test_a.TestRunner.test_init': 'passed', 'test_a.test_init': 'passed'}
    ours = {'test_a.TestRunner.test_init': 'error', 'test_a.test_init': 'error'}
    table, differences, unreasoned = compare(stock, ours)
    assert table == [('test_a', 2, 2, 0)]
    assert len(differences) == 2 and unreasoned == ['test_a.test_init']


@pytest.mark.parametrize('page', ['upstream_suites.md'])
def test_the_page_names_all_that_is_put_in_place(page):
    text = (ROOT / 'tests' / page).read_text()
    for theirs, ours, _ in IN_PLACE:
        for path in (theirs, ours):
            assert f'`{path.rpartition(".")[2]}`' in text
