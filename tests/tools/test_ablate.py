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


def test_rows_are_compared_with_the_reference_by_seed(tmp_path):
    tool = load_tool('analysis/ablate.py')
    for name in ('one', 'base'):
        (tmp_path / f'{name}.py').write_text('# A config.\n')

    def runs(*uar):
        scores = dict(fold=None, epoch=1, WAR=0.5, F1=0.5)
        return [dict(scores, seed=seed, UAR=found) for seed, found in enumerate(uar)]

    results = {
        tmp_path / 'one.py': runs(0.6, 0.8, 0.9),
        tmp_path / 'base.py': runs(0.5, 0.4, 0.6, 0.1),
    }
    one, base = tool.summarize(results, 'base')
    found = one['difference']
    # 0.1, 0.4 and 0.3; the mean plus and minus 4.303 times its standard error.
    assert found['n'] == 3 and found['mean'] == pytest.approx(0.8 / 3)
    assert found['high'] - found['mean'] == pytest.approx(4.30265 * 0.0881917, rel=1e-5)
    assert 'difference' not in base
    table = tool.to_markdown(dict(reference='base', rows=[one, base])).splitlines()
    assert table[0].endswith('| n | UAR - `base` |')
    assert table[2].endswith('| 3 | +26.7 [-11.3, +64.6] |')
    assert table[3].endswith('| 4 |  |')
    plain = tool.to_markdown(dict(rows=tool.summarize(results, None)))
    assert 'UAR -' not in plain and '+26.7' not in plain


def test_a_reference_that_is_no_config_is_refused(tmp_path):
    (tmp_path / 'a.py').write_text('')
    result = run_tool(
        'analysis/ablate.py', tmp_path / 'a.py', '--reference', 'b', check=2
    )
    assert '--reference b is none of a' in result.stderr
