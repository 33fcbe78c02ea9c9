"""The drawn sample set: layout, safety and where its classes lie."""

import csv
import json
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from tests.helpers.processes import run_script, start_script

TOOL = Path(__file__).parents[2] / 'tools' / 'data' / 'make_sample_dfew.py'
SUBJECTS = 25
FRAMES = 16
TINY = ('--subjects', '5', '--size', '32', '--frames', '8')


def make(out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return run_script([TOOL, out, *options])


def read(path: Path) -> list[dict[str, int]]:
    with path.open(newline='') as file:
        return [{k: int(v) for k, v in row.items()} for row in csv.DictReader(file)]


def content(root: Path) -> dict[str, bytes]:
    files = (p for p in root.rglob('*') if p.is_file())
    return {str(p.relative_to(root)): p.read_bytes() for p in files}


@pytest.fixture(scope='module')
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp('sample') / 'dfew'
    done = make(out, '--subjects', str(SUBJECTS))
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope='module')
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp('tiny') / 'dfew'
    done = make(out, *TINY, '--workers', '2')
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.slow
def test_layout(sample: Path) -> None:
    clips = read(sample / 'clips.csv')
    n = 7 * SUBJECTS
    assert [c['id'] for c in clips] == list(range(1, n + 1))
    folders = sorted((sample / 'Clip' / 'clip_64x64_16f').iterdir())
    assert [f.name for f in folders] == [f'{i:05d}' for i in range(1, n + 1)]
    for folder in folders:
        names = {f'{i}.jpg' for i in range(1, FRAMES + 1)}
        assert {p.name for p in folder.iterdir()} == names
    frame = cv2.imread(str(folders[0] / '1.jpg'))
    assert frame is not None and frame.shape == (64, 64, 3)

    envelope = np.load(sample / 'envelope.npy')
    assert envelope.shape == (n, FRAMES) and envelope.dtype == np.float16
    facts = json.loads((sample / 'sample.json').read_text())
    numbers = facts['subjects'], facts['clips'], facts['images']
    assert numbers == (SUBJECTS, n, n * FRAMES)
    assert list(facts['labels'].values()) == list(range(1, 8))
    expected = {'Clip', 'EmoLabel_DataSplit', 'clips.csv', 'envelope.npy'}
    assert {p.name for p in sample.iterdir()} == expected | {'sample.json'}
    assert list(sample.parent.iterdir()) == [sample]  # no scratch folder is left


@pytest.mark.slow
def test_folds_are_subject_disjoint_and_balanced(sample: Path) -> None:
    clips = {c['id']: c for c in read(sample / 'clips.csv')}
    assert Counter((c['subject'], c['label']) for c in clips.values()) == {
        (subject, label): 1 for subject in range(SUBJECTS) for label in range(1, 8)
    }
    tested: list[int] = []
    for fold in range(1, 6):
        parts = {}
        for part in ('train', 'test'):
            folder = sample / 'EmoLabel_DataSplit' / f'{part}(single-labeled)'
            path = folder / f'set_{fold}.csv'
            assert path.read_text().startswith('video_name,label\n')
            parts[part] = rows = read(path)
            assert all(clips[r['video_name']]['label'] == r['label'] for r in rows)
            per_label = Counter(r['label'] for r in rows)
            assert len(per_label) == 7 and len(set(per_label.values())) == 1
        subjects = {
            part: {clips[r['video_name']]['subject'] for r in rows}
            for part, rows in parts.items()
        }
        assert not subjects['train'] & subjects['test']
        assert len(parts['train']) + len(parts['test']) == len(clips)
        tested += [r['video_name'] for r in parts['test']]
    assert sorted(tested) == sorted(clips)


@pytest.mark.slow
def test_envelope_rises_and_falls(sample: Path) -> None:
    labels = np.array([c['label'] for c in read(sample / 'clips.csv')])
    envelope = np.load(sample / 'envelope.npy').astype(float)
    assert not envelope[labels == 3].any()
    shown = envelope[labels != 3]
    assert shown.max() <= 1 and shown.max(1).min() > 0.6
    assert shown[:, [0, -1]].max() < 0.1
    assert np.isin(shown.argmax(1), range(FRAMES // 4, 3 * FRAMES // 4 + 1)).all()
    # Up to the apex it never falls, after it it never rises.
    step, after = np.diff(shown), np.arange(FRAMES - 1) >= shown.argmax(1)[:, None]
    assert (step[~after] >= 0).all() and (step[after] <= 0).all()


@pytest.mark.slow
def test_same_seed_same_bytes(tiny: Path, tmp_path: Path) -> None:
    for name, options in (('same', ('--workers', '2')), ('one', ('--workers', '1'))):
        assert make(tmp_path / name, *TINY, *options).returncode == 0
        assert content(tmp_path / name) == content(tiny)
    assert make(tmp_path / 'other', *TINY, '--seed', '1').returncode == 0
    assert content(tmp_path / 'other') != content(tiny)


def test_second_call_draws_nothing(tiny: Path) -> None:
    image = next(tiny.rglob('1.jpg'))
    before = image.stat().st_mtime_ns
    done = make(tiny, *TINY)
    assert done.returncode == 0 and 'nothing to do' in done.stdout
    assert image.stat().st_mtime_ns == before


@pytest.mark.slow
def test_other_parameters_need_force(tmp_path: Path) -> None:
    out = tmp_path / 'dfew'
    assert make(out, *TINY).returncode == 0
    before = content(out)
    done = make(out, *TINY, '--seed', '1')
    assert done.returncode == 2
    assert 'seed 0 instead of 1' in done.stderr and '--force' in done.stderr
    assert content(out) == before
    assert make(out, *TINY, '--seed', '1', '--force').returncode == 0
    assert json.loads((out / 'sample.json').read_text())['seed'] == 1
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize('note', ['notes.txt', 'sample.json'])
@pytest.mark.parametrize('force', [(), ('--force',)])
def test_foreign_folder_is_left_alone(
    tmp_path: Path, note: str, force: tuple[str, ...]
) -> None:
    out = tmp_path / 'mine'
    out.mkdir()
    (out / note).write_text('{"precious": true}')
    done = make(out, *TINY, *force)
    assert done.returncode == 2 and str(out) in done.stderr
    assert content(tmp_path) == {f'mine/{note}': b'{"precious": true}'}


@pytest.mark.slow
@pytest.mark.parametrize('how', [signal.SIGTERM, signal.SIGKILL])
def test_interruption_leaves_no_set(tmp_path: Path, how: signal.Signals) -> None:
    out = tmp_path / 'dfew'
    command = [TOOL, out, '--subjects', 400, '--workers', 2]
    run = start_script(command, Path(os.devnull), Path(os.devnull))
    try:
        deadline = time.monotonic() + 120
        while not any(tmp_path.rglob('2.jpg')):
            assert run.exitcode is None and time.monotonic() < deadline
            time.sleep(0.05)
        # Nothing can clean up after a kill, its workers go with it here.
        (os.killpg if how == signal.SIGKILL else os.kill)(run.pid, how)
        run.join(60)
        assert run.exitcode
    finally:
        if run.exitcode is None:
            os.killpg(run.pid, signal.SIGKILL)
            run.join()
    assert not out.exists()
    if how != signal.SIGKILL:
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('options', 'seen'),
    [
        (('--subjects', '4'), '--subjects is 4'),
        (('--size', '16'), '--size is 16'),
        (('--frames', '4'), '--frames is 4'),
        (('--seed', '-1'), '--seed is -1'),
        (('--workers', '0'), '--workers is 0'),
        (('--size', 'big'), 'big'),
    ],
)
def test_bad_arguments(tmp_path: Path, options: tuple[str, ...], seen: str) -> None:
    done = make(tmp_path / 'dfew', *options)
    assert done.returncode == 2 and seen in done.stderr
    assert not list(tmp_path.iterdir())


def probe(features: npt.NDArray[np.float32], root: Path) -> float:
    """UAR (0..1) of a linear classifier on features (n, d) over the five folds."""
    from sklearn.linear_model import RidgeClassifier
    from sklearn.metrics import recall_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labels = np.array([c['label'] for c in read(root / 'clips.csv')])
    scores = []
    for fold in range(1, 6):
        rows = read(
            root / 'EmoLabel_DataSplit' / 'test(single-labeled)' / f'set_{fold}.csv'
        )
        test = np.zeros(len(labels), bool)
        test[[r['video_name'] - 1 for r in rows]] = True
        model = make_pipeline(StandardScaler(), RidgeClassifier(alpha=300.0))
        model.fit(features[~test], labels[~test])
        guess = model.predict(features[test])
        scores.append(recall_score(labels[test], guess, average='macro'))
    return float(np.mean(scores))


@pytest.mark.slow
def test_the_class_lies_in_the_dynamics(sample: Path) -> None:
    """One frame tells the class badly, its change over the clip tells it well."""
    clips = []
    for folder in sorted((sample / 'Clip' / 'clip_64x64_16f').iterdir()):
        frames = [
            cv2.imread(str(folder / f'{i}.jpg'), cv2.IMREAD_GRAYSCALE)
            for i in range(1, FRAMES + 1)
        ]
        clips.append(
            [cv2.resize(f, (16, 16), interpolation=cv2.INTER_AREA) for f in frames]
        )
    pixels = np.array(clips, np.float32).reshape(len(clips), FRAMES, -1)

    rng = np.random.default_rng(0)
    at = rng.integers(0, FRAMES, (3, len(pixels)))
    single = np.mean([probe(pixels[np.arange(len(pixels)), k], sample) for k in at])
    stacked = probe(pixels.reshape(len(pixels), -1), sample)
    # A fixed linear map over time: the middle of the clip against its two ends.
    wave = np.cos(2 * np.pi * (np.arange(FRAMES) + 0.5) / FRAMES).astype(np.float32)
    change = probe(np.einsum('t,ntd->nd', wave, pixels), sample)
    print(f'UAR: one frame {single:.3f}, all {stacked:.3f}, change {change:.3f}')
    assert single < 0.40
    assert stacked - single > 0.20
    assert change > 0.70
    assert change - single > 0.35
