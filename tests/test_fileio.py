import os
import stat

import pytest

from ifdd_mmaction.fileio import write_atomic


def test_writes_all_and_replaces(tmp_path):
    path = tmp_path / 'a' / 'b.json'
    write_atomic(path, b'one')
    write_atomic(path, b'two')
    assert path.read_bytes() == b'two'
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / 'b.json'
    write_atomic(path, b'old')

    def no_space(descriptor):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', no_space)
    with pytest.raises(OSError, match='No space'):
        write_atomic(path, b'new')
    assert path.read_bytes() == b'old'
    assert os.listdir(tmp_path) == ['b.json']


def test_the_folder_is_synced_too(tmp_path, monkeypatch):
    synced = []

    def fsync(descriptor):
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        synced.append((folder, os.listdir(tmp_path) == ['b.json']))

    monkeypatch.setattr(os, 'fsync', fsync)
    write_atomic(tmp_path / 'b.json', b'new')
    # The file before it is renamed, the folder after that.
    assert synced == [(False, False), (True, True)]
