"""``tools/data/prepare.py`` on miniature trees of each dataset."""

import contextlib
import json
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmaction.registry import DATASETS

from ifdd_mmaction.datasets.storage import PackedArchive
from tests.helpers.golden import ROOT, load_tool
from tests.helpers.layouts import (
    end_early,
    make_dfew,
    make_ferv39k,
    make_mafw,
    write_frames,
    write_list,
    write_video,
)
from tests.helpers.processes import start_script

pytestmark = pytest.mark.slow

FRAMES = 'Clip/clip_224x224_16f'
LISTS = 'EmoLabel_DataSplit/{}(single-labeled)/set_1.csv'
MAKERS = dict(
    dfew=lambda root: make_dfew(root, 1, folds=5),
    ferv39k=make_ferv39k,
    mafw=lambda root: make_mafw(root, folds=5),
)
TYPES = dict(dfew='DFEWDataset', ferv39k='FERV39kDataset', mafw='MAFWDataset')


def prepare(tmp_path, dataset, root, *options, code=0, workers=1):
    """Run the tool in this process and return its report."""
    out = tmp_path / 'out'
    args = [dataset, root, '--out', out, '--workers', workers, *options]
    assert load_tool('data/prepare.py').main([str(a) for a in args]) == code
    return json.loads((out / 'report.json').read_text())


def differ(root, seed=0):
    """Give every frame of a tree its own content: no two clips are the same."""
    random = np.random.default_rng(seed)
    for path in sorted(root.rglob('*.[jp][pn]g')):
        image = random.integers(0, 255, cv2.imread(str(path)).shape, np.uint8)
        cv2.imwrite(str(path), image)
    return root


def snapshot(root):
    return {p: p.stat().st_mtime_ns for p in root.rglob('*')}


def contents(root):
    return {p: p.read_bytes() for p in root.rglob('*') if p.is_file()}


@pytest.mark.parametrize('dataset', MAKERS)
def test_a_whole_tree_is_all_well_and_nothing_is_written_into_it(
    tmp_path, dataset, capsys
):
    root = differ(MAKERS[dataset](tmp_path / 'data v1.2' / dataset))
    before = snapshot(root)
    report = prepare(tmp_path, dataset, root, '--subset', workers=2)
    assert snapshot(root) == before
    classes = 11 if dataset == 'mafw' else 7
    assert report['clips'] == 2 * classes
    assert report['frames_in_a_clip'] == {'16': 2 * classes}
    assert report['frame_sizes'] == {'32 x 32': 32 * classes}
    assert not any(report['findings'].values())
    assert len(report['parts']) == (2 if dataset == 'ferv39k' else 10)
    assert set(report['parts'][0]['classes'].values()) == {1}
    output = capsys.readouterr()
    assert 'All well.' in output.out and 'report.json' in output.out
    assert f'{2 * classes}/{2 * classes}' in output.err  # the bar


def test_counts_are_compared_with_the_published_ones(tmp_path):
    root = differ(make_dfew(tmp_path / 'dfew', 1))
    found = prepare(tmp_path, 'dfew', root, '--fold', 1, code=1)
    assert found['findings']['counts'] == [
        'train fold 1: 7, published 9356',
        *(
            f'train fold 1, {name}: 1, published {count}'
            for name, count in zip(
                ('happy', 'sad', 'neutral', 'angry', 'surprise', 'disgust', 'fear'),
                (1956, 1515, 2135, 1738, 1175, 116, 721),
                strict=True,
            )
        ),
        'test fold 1: 7, published 2341',
        'fold 1: 14, published 11697',
    ]


@pytest.mark.parametrize(
    'dataset, train, test', [('ferv39k', 31088, 7847), ('mafw', 7333, 1839)]
)
def test_the_other_datasets_have_their_published_counts(tmp_path, dataset, train, test):
    root = differ(MAKERS[dataset](tmp_path / dataset))
    found = prepare(tmp_path, dataset, root, '--fold', 1, code=1)
    counts = {p['split']: p['published'] for p in found['parts']}
    assert counts == dict(train=train, test=test)
    assert f'published {train + test}' in found['findings']['counts'][-1]


def test_every_kind_of_trouble_is_found_and_names_its_clip(tmp_path, capsys):
    root = differ(make_dfew(tmp_path / 'dfew', 1))
    frames = root / FRAMES
    shutil.rmtree(frames / '00001')
    for frame in (frames / '00002').iterdir():
        frame.unlink()
    data = (frames / '00003/4.jpg').read_bytes()
    (frames / '00003/4.jpg').write_bytes(data[: len(data) // 2])
    (frames / '00003/5.jpg').write_bytes(b'')
    (frames / '00004/9.jpg').write_text('no image')
    (frames / '00005/1.jpg').rename(frames / '00005/first.jpg')
    write_frames(frames / '00006', 1, size=40)
    write_frames(frames / '00007', 16, width=64)
    shutil.rmtree(frames / '00008')
    shutil.copytree(frames / '00006', frames / '00008')
    for i in range(9, 17):
        (frames / f'00009/{i}.jpg').unlink()
    report = prepare(tmp_path, 'dfew', root, '--subset', '--fold', 1, code=1)
    found = report['findings']
    named = {kind: [m.split(':')[0] for m in text] for kind, text in found.items()}
    assert named == dict(
        lists=[],
        counts=[],
        missing=['1', '2', '5'],
        corrupt=['3', '3', '4'],
        duplicates=['6 = 8, labeled happy and disgust, in train and in test of fold 1'],
        mixed_sizes=['6', '8'],
        not_square=['7'],
        not_extracted=[],
    )
    assert '00003/4.jpg: truncated' in found['corrupt'][0]
    assert '32 x 64' in found['not_square'][0]
    assert report['remarks'] == dict(short=['9: 8 frames'])
    output = capsys.readouterr().out
    assert 'mixed sizes: 2' in output and '00004/9.jpg: not an image' in output


def test_short_clips_alone_are_all_well(tmp_path):
    root = differ(make_ferv39k(tmp_path / 'ferv', frames=8))
    report = prepare(tmp_path, 'ferv39k', root, '--subset')
    assert len(report['remarks']['short']) == 14


def test_a_bad_list_is_a_finding_and_the_others_are_checked(tmp_path):
    root = differ(make_dfew(tmp_path / 'dfew', 1, folds=5))
    test = root / LISTS.format('test')
    write_list(test, [(1, 1)])  # in train as well
    (test.parent / 'set_2.csv').unlink()
    rows = [(8, 2), *((i, i - 7) for i in range(9, 15))]
    write_list(test.parent / 'set_3.csv', rows)
    report = prepare(tmp_path, 'dfew', root, '--subset', code=1)
    lists = report['findings']['lists']
    assert [text.split(':')[0] for text in lists] == [
        'train fold 1',
        'test fold 1',
        'test fold 2',
        '8',
    ]
    assert '1 clips of fold 1 are in the train and in the test list' in lists[0]
    assert lists[-1] == '8: labeled happy and sad'
    assert report['clips'] == 14


@pytest.mark.parametrize('lost', ['root', 'lists', 'frames', 'fold', 'out'])
def test_what_cannot_be_read_or_written_exits_with_2(tmp_path, lost, capsys):
    root = make_dfew(tmp_path / 'dfew', 1)
    options = ['--fold', '9'] if lost == 'fold' else []
    if lost == 'out':
        (tmp_path / 'out').write_text('a file in the way')
    elif lost != 'fold':
        place = dict(lists='EmoLabel_DataSplit', frames='Clip', root='')[lost]
        shutil.rmtree(root / place)
    args = ['dfew', str(root), '--out', str(tmp_path / 'out'), '--workers', '1']
    assert load_tool('data/prepare.py').main(args + options) == 2
    assert 'error: ' in capsys.readouterr().err


def test_only_what_has_changed_is_decoded_again(tmp_path, capsys):
    root = differ(make_dfew(tmp_path / 'dfew', 1))
    args = tmp_path, 'dfew', root, '--subset', '--fold', 1
    work_file = tmp_path / 'out/checked.jsonl'
    first = prepare(*args)
    assert len(work_file.read_text().splitlines()) == 14
    # As an interrupted run leaves it: a line cut off, some not written yet.
    lines = work_file.read_text().splitlines()
    work_file.write_text('\n'.join(lines[:9]) + '\n' + lines[9][:50])
    frame = root / FRAMES / '00002/3.jpg'
    frame.write_bytes(frame.read_bytes()[:-2])
    second = prepare(*args, code=1)
    written = work_file.read_text().splitlines()[10:]
    assert len(written) == 6  # the five that were lost, and the changed one
    assert [m.split(':')[0] for m in second['findings']['corrupt']] == ['2']
    assert {k: second[k] for k in ('clips', 'parts')} == {
        k: first[k] for k in ('clips', 'parts')
    }


def test_a_killed_run_is_gone_on_with(tmp_path):
    """Kill the real process while it waits for a frame that never comes."""
    root = differ(make_dfew(tmp_path / 'dfew', 1))
    frame = root / FRAMES / '00006/5.jpg'
    frame.rename(tmp_path / 'frame')
    os.mkfifo(frame)
    work_file = tmp_path / 'out/checked.jsonl'
    command = [ROOT / 'tools/data/prepare.py', 'dfew', root, '--out', tmp_path / 'out']
    log = tmp_path / 'log.txt'
    process = start_script([*command, '--workers', 1], log, log)
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and process.exitcode is None:
        if work_file.exists() and work_file.read_text().count('\n') == 5:
            break
        time.sleep(0.2)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not (tmp_path / 'out/report.json').exists()
    done = work_file.read_text()
    frame.unlink()
    (tmp_path / 'frame').rename(frame)
    prepare(tmp_path, 'dfew', root, '--subset', '--fold', 1)
    assert work_file.read_text().startswith(done)
    paths = [json.loads(line)['path'] for line in work_file.read_text().splitlines()]
    assert len(paths) == len(set(paths)) == 14


@contextlib.contextmanager
def unprivileged():
    """Be a user who cannot write everywhere, as root can."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_read_only_root_is_checked_and_a_split_goes_elsewhere(capsys):
    with tempfile.TemporaryDirectory() as folder:
        root = differ(make_dfew(Path(folder) / 'dfew', 1, folds=5))
        split = '--subset', '--val-split', '0.5'
        # Its imports: the files of Python itself may be for root alone.
        first = Path(folder) / 'first'
        prepare(first, 'dfew', root, *split, '--lists', first / 'lists')
        for path in (root, *root.rglob('*')):
            path.chmod(0o555 if path.is_dir() else 0o444)
        Path(folder).chmod(0o755)
        out = Path(folder) / 'user'
        out.mkdir()
        out.chmod(0o777)
        try:
            with unprivileged():
                prepare(out, 'dfew', root, '--subset')
                prepare(out, 'dfew', root, *split, '--lists', out / 'lists')
                assert (out / 'lists/set_5/val.csv').is_file()
                args = ['dfew', str(root), '--out', str(out / 'out'), *split]
                assert load_tool('data/prepare.py').main(args) == 2
        finally:
            for path in (root, *root.rglob('*')):
                path.chmod(0o755)
    assert 'Permission denied' in capsys.readouterr().err


@pytest.mark.parametrize('dataset', MAKERS)
def test_a_validation_split_is_stratified_and_read_by_the_dataset(tmp_path, dataset):
    root = tmp_path / dataset
    if dataset == 'dfew':
        make_dfew(root, 4, folds=5, frames=1)
    else:
        MAKERS[dataset](root)
        for path in [p for p in root.rglob('*') if 'rain' in p.name and p.is_file()]:
            lines = path.read_text().splitlines()
            more = [x.replace('00', f'{k}0', 1) for k in (7, 8, 9) for x in lines]
            path.write_text('\n'.join(lines + more) + '\n')
    official = contents(root)
    prepare(tmp_path, dataset, root, '--val-split', '0.25', '--seed', 3, code=1)
    folder = root / 'ifdd_splits/seed3_25pct'
    assert official == {p: b for p, b in contents(root).items() if p in official}
    about = json.loads((folder / 'split.json').read_text())
    assert (about['seed'], about['fraction']) == (3, 0.25)
    suffix = '.txt' if dataset == 'mafw' else '.csv'

    def names(split='train', fold=1, **options):
        data = DATASETS.build(
            dict(
                type=TYPES[dataset],
                data_root=str(root),
                split=split,
                fold=fold,
                lazy_init=True,
                **options,
            )
        )
        return {clip.name: clip.label for clip in data.load_clips()}

    for fold in (1, 5) if dataset != 'ferv39k' else (1,):
        lists = {
            part: f'ifdd_splits/seed3_25pct/set_{fold}/{part}{suffix}'
            for part in ('train', 'val')
        }
        train = names(fold=fold, ann_file=lists['train'])
        val = names(fold=fold, split='test', ann_file=lists['val'])
        assert {**train, **val} == names(fold=fold) and not train.keys() & val
        assert about['clips'][f'set_{fold}'] == dict(train=len(train), val=len(val))
        labels = sorted(set(names(fold=fold).values()))
        assert sorted(val.values()) == labels  # one of the four of each class
        assert list(train) == [n for n in names(fold=fold) if n in train]


def test_a_split_is_reproducible_and_never_overwritten(tmp_path, capsys):
    root = make_dfew(tmp_path / 'dfew', 4, frames=1)
    args = tmp_path, 'dfew', root, '--fold', 1, '--val-split', 0.25
    prepare(*args, '--lists', tmp_path / 'a', code=1)
    prepare(*args, '--lists', tmp_path / 'a', code=1)
    assert 'already there, the same' in capsys.readouterr().out
    prepare(*args, '--lists', tmp_path / 'b', '--seed', 1, code=1)
    val = [(tmp_path / x / 'set_1/val.csv').read_text() for x in 'ab']
    assert val[0] != val[1]
    # The same everywhere and always: names and seed alone decide.
    assert val[0] == 'video_name,label\n4,1\n7,2\n9,3\n15,4\n20,5\n21,6\n25,7\n'
    (tool := load_tool('data/prepare.py')).main(
        [str(a) for a in ('dfew', root, '--out', tmp_path / 'out', '--fold', 1)]
        + ['--val-split', '0.5', '--lists', str(tmp_path / 'a')]
    )
    assert 'holds other lists' in capsys.readouterr().err
    assert (tmp_path / 'a/set_1/val.csv').read_text() == val[0]
    assert not list(tmp_path.glob('.split*'))
    with pytest.raises(SystemExit, match='2'):
        tool.main(['dfew', str(root), '--val-split', '1.5'])


def test_a_validation_split_by_groups_shares_none_with_train(tmp_path, capsys):
    root = differ(make_dfew(tmp_path / 'dfew', 4, frames=1, folds=5))
    films = tmp_path / 'films.csv'
    # A film has a clip of each class in train; those of test are of the same films.
    rows = [(f'{i:05d}.mp4', f'film {i % 4}') for i in range(1, 57)]
    write_list(films, rows, header=('clip', 'group'))
    args = tmp_path, 'dfew', root, '--subset', '--val-split', 0.25, '--groups', films
    report = prepare(*args)
    lists = root / 'ifdd_splits/seed0_25pct_groups'
    assert json.loads((lists / 'split.json').read_text())['groups'] == 4
    for fold in (1, 5):
        found = {
            part: (lists / f'set_{fold}/{part}.csv').read_text().splitlines()[1:]
            for part in ('train', 'val')
        }
        parts = {
            part: {int(line.split(',')[0]) % 4 for line in lines}
            for part, lines in found.items()
        }
        assert len(parts['val']) == 1 and len(parts['train']) == 3
        assert not parts['val'] & parts['train']
        assert sorted(line[-1] for line in found['val']) == list('1234567')
    shared = report['groups']['folds'][0]
    assert shared['shared'] == [f'film {i}' for i in range(4)]
    assert shared['shared_clips'] == dict(train=28, test=28)
    assert '| 1 | 4 | 4 | 4 | 28 | 28 |' in capsys.readouterr().out
    # The report alone, without a split.
    assert prepare(tmp_path, 'dfew', root, '--subset', '--groups', films) == report


@pytest.mark.parametrize('rows, message', [
    ([(i, 'film') for i in range(1, 56)],
     '1 of 56 clips have no group, add them:\n  56'),
    ([(i, 'film') for i in range(1, 57)] + [(9, 'other')],
     'clip 9 is in group other, in an earlier line in group film'),
    ([(i, 'film') for i in range(1, 57)],
     'validation split of fold 1: class happy: part 2 of 2 gets none of its 4 clips, '
     'which are in 1 groups, 4 of them in group film'),
    (None, 'cannot be read: No such file'),
])  # fmt: skip
def test_groups_that_cannot_be_used_are_named(tmp_path, capsys, rows, message):
    root = make_dfew(tmp_path / 'dfew', 4, frames=1, folds=5)
    films = tmp_path / 'films.csv'
    if rows:
        write_list(films, rows, header=None)
    args = ['dfew', root, '--out', tmp_path / 'out', '--val-split', 0.25]
    main = load_tool('data/prepare.py').main
    assert main([str(a) for a in [*args, '--groups', films]]) == 2
    assert message in capsys.readouterr().err
    assert not (root / 'ifdd_splits').exists()


@pytest.mark.parametrize('decoded', [False, True])
def test_packing_then_verifying_by_the_same_command(tmp_path, capsys, decoded):
    root = differ(make_dfew(tmp_path / 'dfew', 1, frames=3, folds=5))
    pack = tmp_path / 'packs/dfew.zip'
    args = [tmp_path, 'dfew', root, '--subset', '--pack', pack]
    args += ['--decoded'] if decoded else []
    prepare(*args)
    archive = PackedArchive(pack)
    assert archive.decoded is decoded and len(archive.names) == 14
    assert archive.metadata['dataset'] == 'DFEWDataset'
    assert archive.metadata['release'] == FRAMES
    for split in ('train', 'test'):
        options = dict(type='DFEWDataset', data_root=str(root), split=split)
        folders, packed = (
            DATASETS.build({**options, **more})
            for more in ({}, dict(archive=str(pack)))
        )
        for i in range(7):
            a, b = folders.get_data_info(i), packed.get_data_info(i)
            assert (a['label'], a['video_id']) == (b['label'], b['video_id'])
            np.testing.assert_array_equal(
                a['source'].read([0, 2]), b['source'].read([0, 2])
            )
    prepare(*args)
    assert '14 clips verified' in capsys.readouterr().out
    data = bytearray(pack.read_bytes())
    data[300] ^= 1
    pack.write_bytes(data)
    prepare(*args, code=1)
    assert '1 clips are damaged' in capsys.readouterr().err
    before = pack.read_bytes()
    prepare(*args, '--split', 'train', code=1)
    assert 'holds other clips' in capsys.readouterr().err
    assert pack.read_bytes() == before


def test_bad_clips_are_not_packed(tmp_path, capsys):
    root = differ(make_dfew(tmp_path / 'dfew', 1, frames=3))
    (root / FRAMES / '00003/2.jpg').write_bytes(b'')
    pack = tmp_path / 'dfew.zip'
    prepare(tmp_path, 'dfew', root, '--fold', 1, '--pack', pack, code=1)
    assert '00003/2.jpg: not an image' in capsys.readouterr().err
    assert not pack.exists()
    # Those of the other split are all well.
    options = '--fold', 1, '--split', 'test', '--subset', '--pack', pack
    prepare(tmp_path, 'dfew', root, *options)
    assert PackedArchive(pack).names == [str(i) for i in range(8, 15)]


def test_frames_are_extracted_from_videos_clip_by_clip(tmp_path, capsys):
    root = make_mafw(tmp_path / 'mafw', frames=5, size=64, storage='video')
    for i, video in enumerate(sorted(root.rglob('*.mp4')), start=3):
        write_video(video, i, 64)  # no two alike
    bad = root / 'data/clips/00004.mp4'
    good = bad.read_bytes()
    bad.write_bytes(good[: len(good) // 2])
    args = tmp_path, 'mafw', root, '--subset', '--fold', 1, '--extract', '--quality', 90
    report = prepare(*args, code=1, workers=2)
    assert [t.split(': ')[0] for t in report['findings']['not_extracted']] == [str(bad)]
    assert [t.split(':')[0] for t in report['findings']['missing']] == ['00004']
    folder = root / 'frames_extracted'
    assert len(list(folder.iterdir())) == 21
    # What is there is not made again; what an interrupted run left is removed.
    (folder / '.00004.part').mkdir()
    (folder / '.00004.part/00099.jpg').write_bytes(b'')
    bad.write_bytes(good)
    before = snapshot(folder / '00001')
    report = prepare(*args)
    assert snapshot(folder / '00001') == before
    assert sorted(p.name for p in folder.iterdir()) == [
        f'{i:05d}' for i in range(1, 23)
    ]
    frames = sorted(p.name for p in (folder / '00004').iterdir())
    assert frames == [f'{i:05d}.jpg' for i in range(1, 7)]
    image = cv2.imread(str(folder / '00004/00003.jpg'))
    assert image.shape == (64, 64, 3) and abs(image.mean() - 30) < 4
    assert report['release'] == 'frames_extracted'


def test_videos_are_decoded_to_their_end(tmp_path, capsys):
    root = make_mafw(tmp_path / 'mafw', frames=3, storage='video')
    for i, video in enumerate(sorted(root.rglob('*.mp4')), start=16):
        write_video(video, i, 64)
    early = root / 'data/clips/00002.mp4'
    end_early(early)
    report = prepare(tmp_path, 'mafw', root, '--fold', 1, '--subset', code=1)
    assert report['storage'] == 'video'
    assert [t.split(':')[0] for t in report['findings']['corrupt']] == ['00002']
    assert report['frames_in_a_clip']['37'] == 1
    pack = tmp_path / 'mafw.zip'
    prepare(tmp_path, 'mafw', root, '--fold', 1, '--subset', '--pack', pack, code=1)
    assert '--extract first' in capsys.readouterr().err and not pack.exists()


def test_options_that_make_no_sense_are_refused(tmp_path):
    main = load_tool('data/prepare.py').main
    for options in (
        ['ferv39k', 'x', '--extract'],
        ['dfew', 'x', '--quality', '0'],
        ['dfew', 'x', '--workers', '0'],
        ['dfew', 'x', '--val-split', '0.1', '--split', 'test'],
        ['dfew', 'x', '--frame-dir', 'a', '--video-dir', 'b'],
    ):
        with pytest.raises(SystemExit, match='2'):
            main(options)
