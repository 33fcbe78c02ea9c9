"""The report on real checkpoints, on a small set of frames."""

import csv
import json
import re

import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config

from tests.helpers.golden import load_tool
from tests.helpers.layouts import write_list, write_video
from tests.helpers.tiny_models import CONFIGS, save_checkpoint
from tests.helpers.tools import run_tool

pytestmark = pytest.mark.slow

TOOL = 'analysis/temporal_reliance.py'
CLASSES = ['happy', 'sad', 'neutral', 'angry', 'surprise', 'disgust', 'fear']
#: Two clips a class; the last class has none.
LABELS = [label for label in range(1, 7) for _ in range(2)]
FILES = ('.md', '.json', '_orders.png', '_bad_frames.png', '_indexes.png')
STOCK = """
_base_ = ['{base}']
model = dict(
    _delete_=True,
    type='Recognizer2D',
    backbone=dict(type='ResNet', depth=18, norm_eval=False),
    cls_head=dict(
        type='TSNHead', num_classes=7, in_channels=512, average_clips='prob'
    ),
    data_preprocessor=dict(
        type='ActionDataPreprocessor', mean=[127.0] * 3, std=[64.0] * 3
    ),
)
test_pipeline = _base_.test_pipeline
test_pipeline[-2].input_format = 'NCHW'
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
"""


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Clips of moving squares in DFEW's layout; the second has one frame."""
    root = tmp_path_factory.mktemp('data')
    rows, subjects = [], [('id', 'label', 'subject')]
    for number, label in enumerate(LABELS, start=1):
        folder = root / 'Clip' / 'clip_224x224_16f' / f'{number:05d}'
        folder.mkdir(parents=True)
        for frame in range(1 if number == 2 else 8):
            image = np.full((32, 32, 3), 20 * label, np.uint8)
            image[2 * frame : 2 * frame + 8, label : label + 12] = 255 - 9 * number
            assert cv2.imwrite(str(folder / f'{frame + 1}.png'), image)
        rows.append((number, label))
        subjects.append((number, label, number % 4))
    for split in ('train', 'test'):
        folder = root / 'EmoLabel_DataSplit' / f'{split}(single-labeled)'
        write_list(folder / 'set_1.csv', rows if split == 'test' else [(99, 1)])
    with (root / 'clips.csv').open('w', newline='') as file:
        csv.writer(file).writerows(subjects)
    return root


@pytest.fixture(scope='module')
def models(tmp_path_factory):
    """IFDD and a stock TSN, with random weights."""
    folder = tmp_path_factory.mktemp('models')
    config = folder / 'tsn.py'
    config.write_text(STOCK.format(base=CONFIGS['vit']))
    vit = save_checkpoint(folder / 'vit.pth', CONFIGS['vit'])
    return (CONFIGS['vit'], vit), (config, save_checkpoint(folder / 'tsn.pth', config))


def words(data, models, out, *options):
    return [*models[0], '--data-root', data, '--out', out, '--name', 'IFDD', *options]


@pytest.fixture
def main(data, models, tmp_path, capfd):
    """Run the tool in this process; return its exit code and what it said."""

    def run(*options, root=data, out=tmp_path / 'out', models=models):
        arguments = [str(word) for word in words(root, models, out, *options)]
        code = load_tool(TOOL).main(arguments)
        said = capfd.readouterr()
        return code, said.out, said.err

    return run


ORDERS_ONLY = ('--corruptions', '--frames', 1)


def test_models_are_reported_in_one_run(data, models, tmp_path):
    out = tmp_path / 'new' / 'out'
    options = ['--compare', 'TSN', *models[1], '--corruptions', 'noise', 'other_clip']
    result = run_tool(TOOL, *words(data, models, out, *options, '--frames', 4, 1, 8))
    written = {f'temporal_reliance{name}' for name in FILES}
    assert {p.name for p in out.iterdir()} == {*written, 'temporal_reliance_scores'}
    report = json.loads((out / 'temporal_reliance.json').read_text())
    facts = dict(clips=12, classes=CLASSES, absent_classes=['fear'], split='test')
    assert facts.items() <= report.items()
    assert report['groups'] == dict(source='subjects of clips.csv', number=4)
    assert list(report['models']) == ['IFDD', 'TSN']
    ifdd, tsn = report['models'].values()
    assert ifdd['recognizer'] == 'Recognizer3D' and tsn['recognizer'] == 'Recognizer2D'
    assert ifdd['still_clips'] == tsn['still_clips'] == ['2']
    # A mean over frames does not depend on their order.
    for name in ('shuffled', 'reversed'):
        assert tsn['orders'][name]['other_prediction'] == 0
        assert tsn['orders'][name]['minus_in_order']['UAR'] == dict(
            mean=0, low=0, high=0
        )
    assert set(ifdd['noisy']) == {'noise', 'other_clip'}
    assert set(ifdd['noisy']['noise']) == {'1', '4'}  # not 8 of 8 frames
    assert ifdd['indexes']['noise']['4']['chance'] == 0.5 and tsn['indexes'] is None
    row = ifdd['orders']['in order']
    assert row['recall']['fear'] is None
    text = (out / 'temporal_reliance.md').read_text()
    assert text.strip() in result.stdout and 'No clips of fear: not in UAR.' in text
    assert 'IFDD: 1 clips have one frame all the time (2)' in text
    for name, model in report['models'].items():
        assert f'## {name}' in text
        uar = 100 * model['orders']['reversed']['UAR']['mean']
        assert re.search(rf'^\| reversed \|.*\| {uar:.1f} \[', text, re.MULTILINE)
    # The difference between models is that of their scores.
    minus = tsn['minus IFDD']['noise 4']['WAR']['mean']
    one, other = (m['noisy']['noise']['4']['WAR']['mean'] for m in (tsn, ifdd))
    assert minus == pytest.approx(one - other)
    for name in FILES[2:]:
        image = cv2.imread(str(out / f'temporal_reliance{name}'))
        assert min(image.shape[:2]) > 250 and np.ptp(image) == 255


def test_in_order_is_what_testing_reports(data, models, tmp_path):
    run_tool(TOOL, *words(data, models, tmp_path, *ORDERS_ONLY))
    report = json.loads((tmp_path / 'temporal_reliance.json').read_text())
    dump = tmp_path / 'predictions.json'
    run_tool(
        'test.py', *models[0], '--dump', dump, '--work-dir', tmp_path / 'work',
        '--cfg-options', f'test_dataloader.dataset.data_root={data}',
    )  # fmt: skip
    expected = json.loads(dump.read_text())
    found = report['models']['IFDD']['orders']['in order']
    for key in ('WAR', 'UAR'):
        assert found[key]['mean'] == pytest.approx(expected[key])
    recall = {k: v and v['mean'] for k, v in found['recall'].items()}
    assert recall == pytest.approx(expected['recall'])
    names = {p.name for p in tmp_path.iterdir()}
    assert 'temporal_reliance_bad_frames.png' not in names


def test_groups_decide_the_intervals(main, models, tmp_path):
    config, checkpoint = models[0]
    weights = torch.load(checkpoint, weights_only=True)
    weights['state_dict']['cls_head.fc_cls.bias'][0] += 100  # two of twelve are right
    weights['meta']['dataset_meta']['fold'] = 2
    torch.save(weights, tmp_path / 'happy.pth')
    happy = [(config, tmp_path / 'happy.pth')]
    files = {}
    for name, groups in (('one', 1), ('two', 2), ('each', 12)):
        lines = [f'{i},{i % groups}' for i in range(1, 13)]
        files[name] = tmp_path / f'{name}.csv'
        files[name].write_text('\n'.join(lines))
    spans = {}
    for name, file in files.items():
        options = [*ORDERS_ONLY, '--groups', file]
        code, said, warned = main(*options, out=tmp_path / name, models=happy)
        assert code == 0 and f'groups of {name}.csv' in said
        assert 'was trained on fold 2; clips of the test split of fold 1' in warned
        report = json.loads((tmp_path / name / 'temporal_reliance.json').read_text())
        row = report['models']['IFDD']['orders']['first frame']['WAR']
        spans[name] = row['high'] - row['low']
    assert spans['one'] == 0 < spans['each']
    code, said, _ = main('--frames', 1, '--corruptions', 'other_clip', 'black',
                         '--groups', files['one'], out=tmp_path / 'left')  # fmt: skip
    assert code == 0 and 'other_clip is left out: all clips are of one group' in said
    files['two'].write_text('1,a\n')
    code, _, said = main(*ORDERS_ONLY, '--groups', files['two'], out=tmp_path / 'few')
    assert code == 2 and '11 of 12 clips have no group' in said


def test_without_subjects_the_intervals_are_over_clips(main, data, tmp_path):
    root = tmp_path / 'set'
    root.mkdir()
    for name in ('Clip', 'EmoLabel_DataSplit'):
        (root / name).symlink_to(data / name)
    code, said, _ = main(*ORDERS_ONLY, root=root)
    assert code == 0 and 'bootstrapped over clips, which is too narrow' in said


def test_what_is_done_is_not_done_again(main, tmp_path):
    options = ['--corruptions', 'black', '--frames', 1]
    first = main(*options, '--part-size', 5)
    folder = tmp_path / 'out' / 'temporal_reliance_scores' / 'IFDD'
    parts = sorted(folder.glob('*.npz'))
    assert first[0] == 0 and [p.stem for p in parts] == ['000000', '000005', '000010']
    report = (tmp_path / 'out' / 'temporal_reliance.json').read_bytes()
    parts[1].unlink()
    code, said, _ = main(*options, '--part-size', 5)
    assert code == 0 and '7 of 12 clips are already done' in said
    assert (tmp_path / 'out' / 'temporal_reliance.json').read_bytes() == report
    code, _, said = main(*options, '--part-size', 5, '--seed', 1)
    assert code == 2 and 'has scores of another seed' in said


def test_a_stock_dataset_of_videos_without_class_names(tmp_path):
    lines = []
    for number in range(4):
        write_video(tmp_path / f'{number}.mp4', 8 + number)
        lines.append(f'{number}.mp4 {number % 2}')
    (tmp_path / 'list.txt').write_text('\n'.join(lines))
    config = tmp_path / 'stock.py'
    config.write_text(
        STOCK.format(base=CONFIGS['vit']).replace('num_classes=7', 'num_classes=2')
        + f"""
test_dataloader.update(
    _delete_=True, batch_size=2, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset', ann_file='{tmp_path}/list.txt',
        data_prefix=dict(video='{tmp_path}'), test_mode=True, pipeline=test_pipeline,
    ),
)
"""
    )
    checkpoint = tmp_path / 'tsn.pth'
    torch.save(dict(state_dict=MODELS.build(
        Config.fromfile(config).model).state_dict()), checkpoint)  # fmt: skip
    run_tool(TOOL, config, checkpoint, '--out', tmp_path / 'out', *ORDERS_ONLY)
    report = json.loads((tmp_path / 'out' / 'temporal_reliance.json').read_text())
    assert report['classes'] == ['0', '1'] and report['clips'] == 4
    assert report['groups'] == dict(source='clips', number=4)


@pytest.mark.parametrize('options, message', [
    (['--compare', 'IFDD', 'a.py', 'a.pth'], 'two models of one name'),
    (['--compare', '../a', 'a.py', 'a.pth'], 'cannot be the name of a folder'),
    (['--corruptions', 'rain'], 'invalid choice'),
    (['--frames', '0'], '--frames'),
])  # fmt: skip
def test_wrong_arguments(main, options, message, capfd):
    with pytest.raises(SystemExit) as stop:
        main(*options)
    assert stop.value.code == 2 and message in capfd.readouterr().err


def test_models_and_data_that_do_not_fit_are_named(main, models, data, tmp_path):
    code, _, said = main(*ORDERS_ONLY, '--compare', 'x', tmp_path / 'no.py', 'no.pth')
    assert code == 2 and 'no config' in said and len(said.splitlines()[-1:]) == 1
    one = tmp_path / 'one.py'
    one.write_text(
        f"_base_ = ['{CONFIGS['vit']}']\n"
        'test_pipeline = _base_.test_pipeline\n'
        "test_pipeline[0]['clip_len'] = 1\n"
        'test_dataloader = dict(dataset=dict(pipeline=test_pipeline))\n'
    )
    weights = models[0][1]
    code, _, said = main(*ORDERS_ONLY, '--compare', 'one', one, weights)
    assert code == 2 and 'one frame of each view' in said
    other = tmp_path / 'other.py'
    other.write_text(
        f"_base_ = ['{CONFIGS['vit']}']\n"
        'test_dataloader = dict(dataset=dict(indices=[0, 1]))\n'
    )
    code, _, said = main(*ORDERS_ONLY, '--compare', 'other', other, weights)
    assert code == 2 and 'other has other clips or labels than IFDD' in said


STOPPED = """
from mmaction.registry import DATASETS

from ifdd_mmaction.datasets import DFEWDataset


@DATASETS.register_module()
class InterruptedDFEW(DFEWDataset):
    def prepare_data(self, idx):
        if idx == 2:
            raise KeyboardInterrupt
        return super().prepare_data(idx)
"""


def test_an_interrupt_says_how_to_continue(main, models, tmp_path, monkeypatch):
    (tmp_path / 'interrupted_dfew.py').write_text(STOPPED)
    monkeypatch.syspath_prepend(tmp_path)
    config = tmp_path / 'stopped.py'
    config.write_text(
        f"_base_ = ['{CONFIGS['vit']}']\n"
        "custom_imports = dict(imports=['ifdd_mmaction', 'interrupted_dfew'])\n"
        'test_dataloader = dict(\n'
        "    num_workers=0, dataset=dict(type='InterruptedDFEW'))\n"
    )
    options = [*ORDERS_ONLY, '--part-size', 1, '--compare', 'again', config]
    code, _, said = main(*options, models[0][1])
    assert code == 130 and f'the same command continues in {tmp_path}' in said
    folder = tmp_path / 'out' / 'temporal_reliance_scores' / 'again'
    assert len(list(folder.glob('*.npz'))) == 2
    assert not (tmp_path / 'out' / 'temporal_reliance.json').exists()
