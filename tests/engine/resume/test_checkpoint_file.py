import io
import os
import zipfile

import pytest
import torch
from mmengine.fileio import get_file_backend

from ifdd_mmaction.checkpoints import CheckpointError
from ifdd_mmaction.engine import check_checkpoint, latest_checkpoint

STATE = dict(weight=torch.arange(3000.0), meta=dict(epoch=3))


@pytest.fixture
def write(tmp_path):
    """Return a function that saves a checkpoint as the hook does."""

    def write(name, age=0, folder=tmp_path):
        data = io.BytesIO()
        torch.save(STATE, data)
        backend = get_file_backend(backend_args=dict(backend='checkpoint'))
        backend.put(data.getvalue(), folder / name)
        os.utime(folder / name, (10**9 - age, 10**9 - age))
        return folder / name

    return write


def damage(path, how):
    data = bytearray(path.read_bytes())
    if how == 'bit':
        data[len(data) // 2] ^= 1
    elif how == 'hash':
        data[-1] ^= 1
    elif how == 'cut':
        data = data[:-1000]
    elif how == 'empty':
        data = b''
    path.write_bytes(data)
    os.utime(path, (10**9, 10**9))


def test_every_reader_reads_a_checkpoint_with_its_hash(write):
    path = write('epoch_3.pth')
    check_checkpoint(path)
    for mmap in (False, True):
        state = torch.load(path, weights_only=True, mmap=mmap)
        assert torch.equal(state['weight'], STATE['weight'])
    assert zipfile.ZipFile(path).testzip() is None
    assert os.listdir(path.parent) == ['epoch_3.pth']


@pytest.mark.parametrize('how', ['bit', 'hash', 'cut', 'empty'])
def test_damage_is_found_and_an_earlier_checkpoint_taken(write, how):
    earlier, newest = write('epoch_2.pth', age=9), write('iter_30.pth')
    write('best_dfer_WAR_epoch_3.pth')
    damage(newest, how)
    with pytest.raises(CheckpointError, match=r'iter_30\.pth is damaged'):
        check_checkpoint(newest)
    found, said = latest_checkpoint(newest.parent)
    assert found == earlier and len(said) == 1 and 'iter_30.pth is damaged' in said[0]
    damage(earlier, 'cut')
    with pytest.raises(
        CheckpointError, match='To start from scratch, remove them from'
    ):
        latest_checkpoint(newest.parent)


def test_a_checkpoint_of_others_has_nothing_to_compare(tmp_path):
    torch.save(STATE, tmp_path / 'epoch_1.pth')
    check_checkpoint(tmp_path / 'epoch_1.pth')
    assert latest_checkpoint(tmp_path) == (tmp_path / 'epoch_1.pth', [])


def test_what_is_no_archive_is_written_as_it_is(tmp_path):
    backend = get_file_backend(backend_args=dict(backend='checkpoint'))
    for data in (b'other\0\0', b'', b'more'):
        backend.put(data, tmp_path / 'file')
        assert (tmp_path / 'file').read_bytes() == data


def test_what_is_not_there_is_named(tmp_path):
    assert latest_checkpoint(tmp_path) == (None, [])
    with pytest.raises(
        CheckpointError, match=r'none\.pth cannot be read: No such file'
    ):
        check_checkpoint(tmp_path / 'none.pth')


def test_a_copied_folder_is_resumed_from_the_copy(write, tmp_path):
    other = tmp_path / 'other'
    other.mkdir()
    (tmp_path / 'last_checkpoint').write_text(str(write('epoch_9.pth', folder=other)))
    # out_dir of the hook: there is none here.
    assert latest_checkpoint(tmp_path)[0] == other / 'epoch_9.pth'
    write('epoch_2.pth', age=9)
    assert latest_checkpoint(tmp_path)[0] == tmp_path / 'epoch_2.pth'


def test_a_copied_work_dir_has_the_same_newest_checkpoint(tmp_path):
    """Copies get new times, in any order: resuming went back to an older epoch."""
    for epoch, time in ((9, 200), (10, 100)):
        path = tmp_path / f'epoch_{epoch}.pth'
        torch.save(dict(epoch=epoch), path)
        os.utime(path, (time, time))
    pointer = tmp_path / 'last_checkpoint'
    pointer.write_text('/another/machine/work_dirs/frames/epoch_10.pth')
    assert latest_checkpoint(tmp_path)[0] == tmp_path / 'epoch_10.pth'
    # Training from scratch in a folder with an older training: lower numbers are newer.
    pointer.write_text(str(tmp_path / 'epoch_9.pth'))
    assert latest_checkpoint(tmp_path)[0] == tmp_path / 'epoch_9.pth'
    # Killed after the checkpoint was written, and before the pointer.
    os.utime(tmp_path / 'epoch_10.pth', (300, 300))
    assert latest_checkpoint(tmp_path)[0] == tmp_path / 'epoch_10.pth'
    # The one that is named is damaged.
    (tmp_path / 'epoch_10.pth').write_bytes(b'PK')
    pointer.write_text(str(tmp_path / 'epoch_10.pth'))
    found, damaged = latest_checkpoint(tmp_path)
    assert found == tmp_path / 'epoch_9.pth' and 'epoch_10.pth' in damaged[0]
