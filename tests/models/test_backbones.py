"""The neck on every RGB backbone of MMAction2, under its stock recognizers.

Each trains and predicts once at 8 frames; the whole matrix, all lengths with both
liftings, is slow.
"""

import json

import pytest

from tests.golden import ROOT, load_tool
from tests.models.backbone_matrix import (
    CASES,
    full_row,
    levels,
    run,
)

RESULTS = ROOT / 'docs' / 'backbones.json'


@pytest.fixture(params=CASES)
def name(request):
    needs = CASES[request.param].needs
    if not CASES[request.param].available:
        pytest.skip(f'{request.param} needs {needs}, an optional package')
    return request.param


def test_it_trains_predicts_and_hands_out_features(name):
    run(CASES[name], 8)


@pytest.mark.slow
def test_the_whole_matrix_is_what_the_page_says(name):
    assert full_row(CASES[name]) == json.loads(RESULTS.read_text())['matrix'][name]


def test_the_page_is_current():
    tool = load_tool('analysis/document_backbones.py')
    results = json.loads(RESULTS.read_text())
    assert list(results['matrix']) == list(CASES)
    for name, row in results['matrix'].items():
        case = CASES[name]
        refused = {int(t): why for t, why in row['frames'].items() if why != 'yes'}
        assert refused == {t: why for t, (why, _) in case.cannot.items()}, name
        assert (row['recognizer'], row['set']) == (case.recognizer, case.set)
        if case.available:
            assert row['levels'] == levels(case)
    assert tool.PAGE.read_text() == tool.render(results)
