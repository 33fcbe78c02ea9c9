"""The neck on every RGB backbone of MMAction2, under its stock recognizers.

All of the matrix is run at 8 frames; at other lengths a training step and a prediction.
The rest of it is run by ``tools/analysis/document_backbones.py --matrix``.
"""

import json

import pytest

from tests.helpers.backbone_matrix import CASES, FRAMES, check_refused, levels, run
from tests.helpers.golden import ROOT, load_tool

pytestmark = pytest.mark.slow

RESULTS = ROOT / 'docs' / 'results' / 'backbones.json'


@pytest.fixture(params=CASES)
def name(request):
    needs = CASES[request.param].needs
    if not CASES[request.param].available:
        pytest.skip(f'{request.param} needs {needs}, an optional package')
    return request.param


def test_it_trains_predicts_and_hands_out_features(name):
    run(CASES[name], 8)


def test_it_does_so_with_convolutional_lifting(name):
    run(CASES[name], 8, 'ConvLADM')


@pytest.mark.parametrize('frames', [t for t in FRAMES if t != 8])
def test_clips_of_other_lengths(name, frames):
    case = CASES[name]
    if frames in case.cannot:
        check_refused(case, frames)
        return
    run(case, frames, checks=['step'])
    if name in ('ResNetTSM', 'X3D'):  # one of each recognizer
        run(case, frames, 'ConvLADM', ['step'])


def test_a_row_of_the_page_is_what_runs(tmp_path, monkeypatch, capfd):
    tool = load_tool('analysis/document_backbones.py')
    monkeypatch.setattr(tool, 'RESULTS', tmp_path / 'backbones.json')
    # The row named is written, the others stay, in the order of the cases.
    name = 'PyramidMViT'
    kept = {'X3D': 'kept', 'VisionTransformer': 'kept'}
    tool.run_matrix({'matrix': kept}, [name])
    written = json.loads((tmp_path / 'backbones.json').read_text())['matrix']
    assert list(written) == ['X3D', name, 'VisionTransformer']
    page = json.loads(RESULTS.read_text())['matrix']
    assert written[name] == page[name] and written['X3D'] == 'kept'
    with pytest.raises(SystemExit, match='2'):
        tool.run_matrix({}, ['absent'])
    assert 'no row absent: ResNet, ' in capfd.readouterr().err


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
