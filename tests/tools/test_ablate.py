"""``tools/analysis/ablate.py``: configs over seeds and folds, in one table."""

import json

import pytest

from tests.helpers.golden import load_tool
from tests.helpers.layouts import make_dfew
from tests.helpers.tools import TINY, run_tool


@pytest.mark.slow
def test_what_is_done_is_kept_and_what_failed_is_named(tmp_path):
    root = make_dfew(tmp_path / 'dfew', clips_per_class=1, frames=8)
    broken = tmp_path / 'broken.py'
    broken.write_text(f"# A typo.\n_base_ = ['{TINY}']\nmodel = dict(type='Typo')\n")
    command = [
        'analysis/ablate.py', TINY, broken, '--seeds', 3, '--data-root', root,
        '--work-dir', tmp_path / 'work', '--out', tmp_path / 'table0.1',
        '--cfg-options', 'train_cfg.max_epochs=1',
    ]  # fmt: skip
    result = run_tool(*command, check=1)
    log = tmp_path / 'work' / 'broken' / 'seed3' / 'log.txt'
    assert f'FAILED: train.py failed (exit code 2), see {log}' in result.stdout
    assert 'Typo' in log.read_text()
    good = tmp_path / 'work' / 'tiny_dfew' / 'seed3'
    report = json.loads((good / 'predictions.json').read_text())
    record = json.loads((tmp_path / 'table0.1.json').read_text())
    done, failed = record['rows']
    assert done['runs'] == [
        dict(fold=None, seed=3, epoch=1, **{k: report[k] for k in ('WAR', 'UAR', 'F1')})
    ]
    assert done['WAR'] == dict(mean=report['WAR'], std=None, n=1)
    assert failed['runs'] == [] and failed['what'] == 'A typo'
    assert (tmp_path / 'table0.1.md').read_text().strip() in result.stdout

    # A folder belongs to the config that it was started with; what is done stays.
    said = (good / 'log.txt').read_text()
    broken.write_text('# A typo.\n')
    result = run_tool(*command, check=2)
    assert 'broken/seed3 holds a run with other settings: config' in result.stderr
    command.remove(broken)
    run_tool(*command)
    assert (good / 'log.txt').read_text() == said


def test_a_config_is_described_by_its_first_sentence(tmp_path):
    tool = load_tool('analysis/ablate.py')
    config = tmp_path / 'leaf.py'
    config.write_text(
        '# Logits are adjusted (Menon et al.,\n# 2021). Also: more.\nx = 1\n'
    )
    assert tool.first_sentence(config) == 'Logits are adjusted (Menon et al., 2021)'
    config.write_text('x = 1\n# Not it.\n')
    assert tool.first_sentence(config) == 'leaf'
