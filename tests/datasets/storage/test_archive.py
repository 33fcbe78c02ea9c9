import multiprocessing
import pickle
import shutil
import zipfile

import numpy as np
import pytest

from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.datasets.storage import (
    FolderClipSource,
    PackedArchive,
    write_archive,
)
from tests.helpers.interpreters import run_python
from tests.helpers.layouts import write_frames

METADATA = dict(dataset='DFEWDataset', release='Clip/jpg_256', classes=['happy', 'sad'])


@pytest.fixture
def clips(tmp_path):
    """Three folders of 12, 3 and 1 frames; the names have a dot, a space, an accent."""
    clips = [('00001', 12), ('scene 1.b/x', 3), ('été', 1)]
    for name, frames in clips:
        write_frames(tmp_path / 'frames' / name, frames)
    return [(name, tmp_path / 'frames' / name) for name, _ in clips]


@pytest.fixture
def packed(tmp_path, clips):
    write_archive(tmp_path / 'packed.zip', clips, METADATA)
    return tmp_path / 'packed.zip'


def damage(path, offset, by=1):
    data = bytearray(path.read_bytes())
    data[offset] ^= by
    path.write_bytes(data)


@pytest.mark.parametrize('decoded', [False, True])
def test_a_packed_clip_reads_as_its_folder(tmp_path, clips, decoded):
    write_archive(tmp_path / 'packed.zip', clips, METADATA, decoded)
    archive = PackedArchive(tmp_path / 'packed.zip')
    assert archive.names == [name for name, _ in clips]
    assert archive.metadata == METADATA and archive.decoded is decoded
    for name, folder in clips:
        source, expected = archive.source(name), FolderClipSource(folder)
        assert len(source) == len(expected)
        indexes = [len(source) - 1, 0, 0, len(source) // 2]
        images = source.read(indexes)
        np.testing.assert_array_equal(images, expected.read(indexes))
        # Transforms may write into a frame: no other changes with it.
        images[1][:] = 77
        assert not (images[2] == 77).any()


def test_the_bytes_inside_are_those_on_disk_and_any_zip_tool_reads_them(
    tmp_path, clips, packed
):
    with zipfile.ZipFile(packed) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / 'unpacked')
    for name, folder in clips:
        for frame in folder.iterdir():
            unpacked = tmp_path / 'unpacked' / name / frame.name
            assert unpacked.read_bytes() == frame.read_bytes()


def test_the_same_clips_give_the_same_bytes(tmp_path, clips, packed):
    write_archive(tmp_path / 'again.zip', clips, METADATA)
    assert (tmp_path / 'again.zip').read_bytes() == packed.read_bytes()


@pytest.mark.slow
def test_a_source_is_tiny_and_reads_in_a_fresh_process(tmp_path, clips, packed):
    source = PackedArchive(packed).source('scene 1.b/x')
    assert len(pickle.dumps(source)) < 300
    with multiprocessing.get_context('fork').Pool(2) as pool:
        forked = pool.starmap(source.read, [([2],), ([0],)])
        pool.close()
        pool.join()  # leaving the block terminates workers, which can hang
    np.testing.assert_array_equal(forked[0], FolderClipSource(clips[1][1]).read([2]))
    (tmp_path / 'source.pkl').write_bytes(pickle.dumps(source))
    code = (
        'import pickle, sys\n'
        'source = pickle.load(open(sys.argv[1], "rb"))\n'
        'print("mean", source.read([2])[0].mean())'
    )
    result = run_python(['-W', 'ignore', '-c', code, tmp_path / 'source.pkl'])
    assert 'mean 30.0' in result.stdout, result.stderr


def test_an_archive_pickles_as_its_path(packed):
    archive = PackedArchive(packed)
    assert len(pickle.dumps(archive)) < 300
    assert pickle.loads(pickle.dumps(archive)).names == archive.names


def test_every_damaged_clip_is_named_and_only_those(packed):
    assert PackedArchive(packed).verify() == {}
    with zipfile.ZipFile(packed) as archive:
        frames = {i.filename: i for i in archive.infolist()}
    in_data = frames['00001/12.jpg'].header_offset + 200
    damage(packed, in_data)
    assert list(PackedArchive(packed).verify()) == ['00001']
    damage(packed, frames['été/1.jpg'].header_offset)  # its signature
    damage(packed, frames['scene 1.b/x/2.jpg'].header_offset + 32)  # its name
    found = PackedArchive(packed).verify()
    assert list(found) == ['00001', 'scene 1.b/x', 'été']
    assert '00001/12.jpg' in found['00001']
    assert list(PackedArchive(packed).verify(['été'])) == ['été']
    with pytest.raises(DatasetError, match='damaged'):
        PackedArchive(packed).source('été').read([0])


def test_a_cut_off_file_is_refused_wherever_the_cut_is(packed):
    data = packed.read_bytes()
    for size in (0, 1, 21, 100, len(data) // 2, len(data) - 30, len(data) - 1):
        packed.write_bytes(data[:size])
        with pytest.raises(DatasetError, match=r'packed\.zip: .*(cut off|empty)'):
            PackedArchive(packed)


def test_a_damaged_index_is_refused(packed):
    data = packed.read_bytes()
    for member in (b'index.npy', b'archive.json'):
        packed.write_bytes(data)
        damage(packed, data.index(member) + len(member) + 40)
        with pytest.raises(DatasetError, match=f'{member.decode()} is damaged'):
            PackedArchive(packed)


def test_another_file_is_refused(tmp_path, packed):
    other = tmp_path / 'other.zip'
    with zipfile.ZipFile(other, 'w') as archive:
        archive.writestr('1/1.jpg', b'no index')
    for path in (other, tmp_path):
        with pytest.raises(DatasetError, match=str(path)):
            PackedArchive(path)
    with pytest.raises(
        DatasetError, match=r'absent\.zip: cannot be read: No such file'
    ):
        PackedArchive(tmp_path / 'absent.zip')
    packed.write_bytes(packed.read_bytes().replace(b'archive 1, c', b'archive 9, c'))
    with pytest.raises(DatasetError, match='format 9, this version reads format 1'):
        PackedArchive(packed)


@pytest.mark.parametrize(
    'name', ['../x', '/x', 'a/../../x', '', 'a//b', '.', 'C:/x', '..\\x', 'a\0b']
)
def test_a_name_that_escapes_is_refused(tmp_path, clips, packed, name):
    with pytest.raises(DatasetError, match='clip name'):
        write_archive(tmp_path / 'bad.zip', [(name, clips[0][1])], METADATA)
    assert not (tmp_path / 'bad.zip').exists()


def test_an_archive_with_a_name_that_escapes_is_refused(tmp_path, clips, monkeypatch):
    writer = 'ifdd_mmaction.datasets.storage.archive.check_name'
    with monkeypatch.context() as patch:
        patch.setattr(writer, lambda name: None)
        write_archive(tmp_path / 'bad.zip', [('../x', clips[0][1])], METADATA)
    with pytest.raises(DatasetError, match=r"'\.\./x'"):
        PackedArchive(tmp_path / 'bad.zip')


@pytest.mark.parametrize('kind', ['missing', 'twice', 'corrupt'])
def test_a_failed_pack_leaves_no_file_or_the_one_before(tmp_path, clips, packed, kind):
    before = packed.read_bytes()
    bad = dict(
        missing=('4', tmp_path / 'frames/4'), twice=clips[0], corrupt=('5', tmp_path)
    )[kind]
    (tmp_path / '1.jpg').write_bytes(b'')
    for path in (packed, tmp_path / 'new.zip'):
        with pytest.raises(DatasetError):
            write_archive(path, [*clips, bad], METADATA, decoded=True)
    assert packed.read_bytes() == before
    assert sorted(p.name for p in tmp_path.glob('*')) == sorted(
        ['1.jpg', 'frames', 'packed.zip']
    )


def test_unknown_clips_and_frames_are_refused(packed):
    archive = PackedArchive(packed)
    with pytest.raises(DatasetError, match="no clip '7' among its 3"):
        archive.source('7')
    for index in (-1, 3):
        with pytest.raises(IndexError, match=f'frame {index} of 3'):
            archive.source('scene 1.b/x').read([index])


def test_an_open_archive_goes_on_when_its_file_is_replaced(tmp_path, clips, packed):
    source = PackedArchive(packed).source('00001')
    shutil.rmtree(clips[0][1])
    write_archive(packed, clips[1:], METADATA)
    assert source.read([11])[0].mean() == 120
    assert '00001' not in PackedArchive(packed).names
