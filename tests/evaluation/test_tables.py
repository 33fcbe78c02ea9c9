import json

import pytest

from ifdd_mmaction.evaluation import fold_table, mean_std, percent, write_table


def row(fold, war, uar, best=None):
    scores = dict(epoch=20, WAR=war, UAR=uar)
    return dict(fold=fold, last=scores, best=best and dict(scores, **best))


def test_mean_and_standard_deviation():
    assert mean_std([0.5, 0.7]) == pytest.approx(dict(mean=0.6, std=0.02**0.5, n=2))
    assert mean_std([0.5]) == dict(mean=0.5, std=None, n=1)
    assert mean_std([]) == dict(mean=None, std=None, n=0)
    texts = [percent(mean_std(values)) for values in ([0.5, 0.7], [0.5], [])]
    assert texts == ['60.00 ± 14.14', '50.00', '-']


def test_the_table_of_folds(tmp_path):
    rows = [
        row(2, 0.7, 0.5, dict(epoch=12, WAR=0.75)),
        row(1, 0.5, 0.3, dict(epoch=9)),
    ]
    markdown, record = fold_table(rows)
    assert markdown.splitlines()[2:] == [
        '| 1 | 20 | 50.00 | 30.00 | 9 | 50.00 | 30.00 |',
        '| 2 | 20 | 70.00 | 50.00 | 12 | 75.00 | 50.00 |',
        '| mean of 2 |  | 60.00 ± 14.14 | 40.00 ± 14.14 |  | 62.50 ± 17.68 '
        '| 40.00 ± 14.14 |',
    ]
    write_table(tmp_path / 'ifdd_loss0.1', markdown, record)
    written = json.loads((tmp_path / 'ifdd_loss0.1.json').read_text())
    assert written['mean']['best']['WAR']['mean'] == pytest.approx(0.625)
    assert (tmp_path / 'ifdd_loss0.1.md').read_text() == markdown + '\n'


def test_a_best_epoch_that_not_every_fold_has_is_not_averaged():
    markdown, record = fold_table([row(1, 0.5, 0.3), row(2, 0.7, 0.5, dict(epoch=3))])
    assert record['mean']['best']['WAR']['mean'] is None
    assert record['mean']['last']['WAR']['n'] == 2
    assert markdown.splitlines()[-1].endswith('|  | - | - |')
