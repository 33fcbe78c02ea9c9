"""When the drawn sets show their emotion, and the pairs that differ in order alone."""

import csv
import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmaction.registry import DATASETS
from mmengine.registry import init_default_scope

from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.engine import load_config
from tests.helpers.golden import ROOT, load_tool

TINY = ('--subjects', '5', '--size', '32', '--frames', '8', '--workers', '1')
SETS = {
    'narrow': (),
    'wide': ('--timing', 'wide'),
    'order': ('--task', 'order', '--timing', 'wide'),
    'speed': ('--task', 'speed'),
}
#: SHA-256 of the small sets, of the lists and envelopes and of the images. The narrow
#: set is that of the tool before it had other timings and tasks.
GOLDEN = {
    'narrow': (
        '42097cfaccc175100e8251be1a11e62c5ea4785b4988ef0b1d45f08fa689afff',
        '4e5d9722cdced18822747ca82953e840a403404fb71e625915794ae8609abf5e',
    ),
    'wide': (
        '552076498b90cc7b3d6de8c1d35c689cb43744a21ddf88d6931e3656d480d2cc',
        '2d481fb98b91f9fd1210ac1d71b9301fd2508fb705a4321b10d706ee2eccc105',
    ),
    'order': (
        '0cc8cdde49a2ccfe8808e4a642256f5a5a2fcfb1b94218f2be09753581d014e7',
        '83ef7671b511f8b10940df0c006b6705a375c6df487bf827b0ee94d98dfca06b',
    ),
    'speed': (
        '06d77edaab2f88824f387c1374ec0175727eee8158a9e53fabaf045999d946ad',
        '723fea04e8acd98bb4e2132bd82e5c59a46c4783bb3b536103a5998c6ce43141',
    ),
}
#: SHA-256 of what the images' OpenCV encodes of :func:`encoded_shape`.
ENCODER = 'e8e8c018d1667f938ba2ac1772971f1301987bd390aff70450666c014959af71'


@pytest.fixture(scope='module')
def timing():
    load_tool('data/make_sample_dfew.py')  # which imports it
    return load_tool('data/sample_timing.py')


@pytest.fixture(scope='module')
def draw(tmp_path_factory):
    """Return a function that draws a set once, and returns its folder."""
    folder = tmp_path_factory.mktemp('sets')
    main = load_tool('data/make_sample_dfew.py').main

    def draw(name, options=TINY):
        root = folder / '_'.join([name, *options])
        if not root.exists():
            assert main([str(root), *SETS[name], *options]) == 0
        return root

    return draw


def encoded_shape():
    """Return a JPEG of a shape that OpenCV draws, blurs and scales as in the sets."""
    image = np.full((128, 128, 3), 90, np.uint8)
    corners = np.array([[300, 250], [1700, 420], [900, 1800]])
    cv2.fillPoly(image, [corners], (30, 120, 200), cv2.LINE_AA, 4)
    image = cv2.resize(
        cv2.GaussianBlur(image, (0, 0), 3), (32, 32), interpolation=cv2.INTER_AREA
    )
    return cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def digest(root, images):
    state = hashlib.sha256()
    for path in sorted(p for p in root.rglob('*') if p.is_file()):
        if (path.suffix == '.jpg') == images:
            name = path.relative_to(root).as_posix()
            state.update(name.encode() + b'\0' + path.read_bytes())
    return state.hexdigest()


@pytest.mark.parametrize('name', SETS)
def test_the_same_seed_gives_the_same_set_in_every_version(name, draw):
    root = draw(name)
    text, images = GOLDEN[name]
    assert digest(root, images=False) == text
    if hashlib.sha256(encoded_shape()).hexdigest() != ENCODER:
        pytest.skip('this OpenCV draws or encodes images in another way')
    assert digest(root, images=True) == images


def test_wide_differs_from_narrow_in_the_timing_only(draw):
    narrow, wide = draw('narrow'), draw('wide')
    for path in ('clips.csv', 'EmoLabel_DataSplit/test(single-labeled)/set_2.csv'):
        assert (narrow / path).read_bytes() == (wide / path).read_bytes()
    for row in read_clips(narrow):
        frames = [
            Path('Clip/clip_32x32_8f', f'{row["id"]:05d}', f'{i + 1}.jpg')
            for i in range(8)
        ]
        same = all((narrow / f).read_bytes() == (wide / f).read_bytes() for f in frames)
        assert same == (row['label'] == 3)  # Neutral has no timing
    assert json.loads((wide / 'sample.json').read_text())['timing'] == 'wide'


@pytest.mark.parametrize('task', ['expressions', 'order'])
def test_wide_has_the_documented_times(task, timing):
    t = np.linspace(0, 1, 2001)
    starts, rises = [], []
    for i in range(400):
        curve = timing.envelope(timing.stream(i), 2001, task, 'wide')
        peak = curve.max()
        assert 0.75 <= peak <= 1
        apex = np.flatnonzero(curve > (1 - 1e-5) * peak)
        if task == 'order':
            assert apex[-1] == 2000 and (np.diff(curve) >= 0).all()
        else:
            assert 0.079 < t[apex[-1]] - t[apex[0]] < 0.202
        rises.append(t[apex[0]] - t[np.flatnonzero(curve)[0]])
        starts.append(t[np.flatnonzero(curve)[0]])
    whole = np.array(starts) > 0  # the others begin before the clip
    assert 0.02 < np.mean(~whole) < 0.13  # 0.05 / 0.7 of them
    assert np.min(np.array(rises)[whole]) > 0.07 and np.max(rises) < 0.151
    # Uniform from -0.05 to 0.65.
    quartiles = np.quantile(starts, [0.25, 0.5, 0.75])
    assert np.abs(quartiles - [0.125, 0.3, 0.475]).max() < 0.05


def read_clips(root):
    with (root / 'clips.csv').open(newline='') as file:
        return [{k: int(v) for k, v in row.items()} for row in csv.DictReader(file)]


def pairs_of(root):
    """Yield the rows, from 0, of both clips of each pair, the first class first."""
    found = {}
    for i, row in enumerate(read_clips(root)):
        found.setdefault((row['subject'], row['emotion']), {})[row['label']] = i
    for clips in found.values():
        assert set(clips) == {1, 2}
        yield clips[1], clips[2]


@pytest.mark.parametrize('name, order', [
    ('order', [7, 6, 5, 4, 3, 2, 1, 0]), ('speed', [0, 3, 6, 1, 4, 7, 2, 5])
])  # fmt: skip
def test_both_clips_of_a_pair_have_the_same_frames(name, order, draw):
    root = draw(name)
    envelope = np.load(root / 'envelope.npy')
    (clips,) = (root / 'Clip').iterdir()
    pairs = list(pairs_of(root))
    assert len(pairs) == 5 * 6 and len(envelope) == 2 * len(pairs)
    for one, other in pairs:
        frames = [
            [(clips / f'{k + 1:05d}' / f'{i + 1}.jpg').read_bytes() for i in range(8)]
            for k in (one, other)
        ]
        assert [frames[0][i] for i in order] == frames[1]
        assert len(set(frames[0])) == 8
        assert (envelope[one][order] == envelope[other]).all()


@pytest.mark.parametrize('frames', [8, 9, 12, 16, 30, 210])
def test_the_fast_clip_has_every_frame_once_and_turns_more_often(frames, timing):
    order = timing.second_order('speed', frames)
    assert sorted(order) == list(range(frames))
    slow = timing.envelope(timing.stream(0), frames, 'speed', 'narrow')
    power = np.abs(np.fft.rfft([slow, slow[order]])) ** 2
    cycles = power[:, 1:].argmax(1) + 1
    assert cycles[0] == 1 and 3 <= cycles[1] < frames / 2


def test_what_else_moves_tells_nothing(timing):
    """The order of the nuisance has the same distribution in both classes."""
    drawn = {
        task: [timing.nuisance_order(timing.stream(i), 16, task) for i in range(1000)]
        for task in timing.TASKS
    }
    forward = np.arange(16)
    assert all((order == forward).all() for order in drawn['expressions'])
    backwards = np.mean([order[0] == 15 for order in drawn['order']])
    assert 0.45 < backwards < 0.55
    # In a random order, each frame is equally often in each place.
    place = np.mean(drawn['speed'], axis=0)
    assert np.abs(place - 7.5).max() < 5 * 4.61 / np.sqrt(1000)


@pytest.mark.parametrize('base', ['ifdd_vit_sample', 'ifdd_cnn_sample'])
@pytest.mark.parametrize('name', ['wide', 'order', 'speed'])
def test_the_config_of_a_set_has_its_classes(name, base, draw):
    root = draw(name)
    init_default_scope('mmaction')
    path = ROOT / 'configs/_base_/datasets' / f'sample_{name}.py'
    cfg = load_config(path, base)
    facts = json.loads((root / 'sample.json').read_text())
    labels = [label.lower() for label in facts['labels']]
    assert cfg.model.cls_head.num_classes == len(labels)
    seen = []
    for split in ('train', 'val', 'test'):
        own = cfg[f'{split}_dataloader'].dataset
        assert own.data_root == f'data/sample_{name}'
        own.data_root = str(root)
        dataset = DATASETS.build(own)
        assert list(dataset.metainfo['classes']) == labels
        seen += [] if split == 'val' else dataset.load_data_list()
    assert len(seen) == len(read_clips(root))
    assert {clip['label'] for clip in seen} == set(range(len(labels)))


def test_a_label_that_a_pair_lacks_is_refused(draw, tmp_path):
    (tmp_path / 'list.csv').write_text('video_name,label\n1,3\n')
    own = dict(data_root=str(draw('order')), ann_file=str(tmp_path / 'list.csv'))
    classes = dict(classes=('appears', 'disappears'))
    with pytest.raises(DatasetError, match=r"'1,3' is not a number and a label 0\.\.2"):
        DATASETS.build(dict(type='DFEWDataset', metainfo=classes, **own))


@pytest.mark.parametrize('options, message', [
    (['--task', 'speed', '--timing', 'wide'], '--task speed has no --timing'),
    (['--timing', 'broad'], "invalid choice: 'broad'"),
    (['--task', 'order', '--subjects', '8334'], 'choose 5 to 8333'),
])  # fmt: skip
def test_what_does_not_go_together_is_refused(options, message, tmp_path, capsys):
    main = load_tool('data/make_sample_dfew.py').main
    with pytest.raises(SystemExit) as caught:
        main([str(tmp_path / 'set'), *options])
    assert caught.value.code == 2 and message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_set_of_another_task_is_named(draw, capsys):
    main = load_tool('data/make_sample_dfew.py').main
    assert main([str(draw('narrow')), *TINY, *SETS['order']]) == 2
    said = capsys.readouterr().err
    assert 'task expressions instead of order' in said
    assert 'timing narrow instead of wide' in said


# --- a bag of frames ----------------------------------------------------------------


@pytest.fixture(scope='module', params=['order', 'speed'])
def pair(request, draw):
    """Name, pixels (clips, 16, 256), envelope (clips, 16), labels, fold of a set."""
    name = request.param
    root = draw(name, ('--subjects', '20', '--size', '32', '--workers', '1'))
    rows = read_clips(root)
    pixels = [
        [
            cv2.imread(
                str(root / 'Clip/clip_32x32_16f' / f'{row["id"]:05d}' / f'{i + 1}.jpg'),
                cv2.IMREAD_REDUCED_GRAYSCALE_2,
            ).ravel()
            for i in range(16)
        ]
        for row in rows
    ]
    fold = {}
    for k in range(1, 6):
        path = root / f'EmoLabel_DataSplit/test(single-labeled)/set_{k}.csv'
        with path.open(newline='') as file:
            fold |= {int(row['video_name']): k for row in csv.DictReader(file)}
    return (
        name,
        np.array(pixels, np.int64),
        np.load(root / 'envelope.npy').astype(np.float64),
        np.array([row['label'] for row in rows]),
        np.array([fold[row['id']] for row in rows]),
    )


def accuracy(classifier, features, labels, fold):
    """Return the share of clips that are recognized, tested over the five folds."""
    right = 0
    for k in range(1, 6):
        test = fold == k
        classifier.fit(features[~test], labels[~test])
        right += np.sum(classifier.predict(features[test]) == labels[test])
    return right / len(labels)


#: Lowest accuracy of a linear classifier of the change of pixels.
SEEN = {'order': 0.75, 'speed': 0.9}


@pytest.mark.slow
def test_a_bag_of_frames_is_at_chance_and_their_order_is_not(pair):
    from sklearn.linear_model import RidgeClassifier
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    name, pixels, envelope, labels, fold = pair
    n = len(labels)
    linear = make_pipeline(StandardScaler(), RidgeClassifier(alpha=300.0))
    nearest = KNeighborsClassifier(1)
    bags = {
        'mean': pixels.sum(1),
        'square': (pixels**2).sum(1),
        'sorted pixels': np.sort(pixels, 1).reshape(n, -1),
        'sorted intensities': np.sort(envelope, 1),
    }
    # 95 % of the binomial distribution of n guesses.
    chance = 1.96 * np.sqrt(0.25 / n)
    for bag, features in bags.items():
        for classifier in (linear, nearest):
            assert abs(accuracy(classifier, features, labels, fold) - 0.5) < chance, bag

    t = np.arange(16)
    if name == 'order':
        ordered = np.einsum('t,ntd->nd', t - t.mean(), pixels)
        known = envelope @ (t - t.mean())
    else:
        power = np.abs(np.fft.rfft(pixels, axis=1))
        ordered = np.concatenate([power[:, 1], power[:, 3]], axis=1)
        known = np.abs(np.diff(envelope, axis=1)).sum(1)
    assert accuracy(nearest, known[:, None], labels, fold) == 1
    seen = accuracy(linear, ordered, labels, fold)
    assert seen > SEEN[name], seen
