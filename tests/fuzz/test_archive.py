"""Archives and images of any content."""

import io
import json
import zipfile

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.datasets.images import decode_image, image_size
from ifdd_mmaction.datasets.storage import PackedArchive, write_archive
from ifdd_mmaction.datasets.storage.archive import COMMENT, CONTENTS, INDEX
from tests.fuzz import draws
from tests.helpers.layouts import write_frames

pytestmark = pytest.mark.slow


def encoded(suffix: str) -> bytes:
    picture = np.arange(6 * 5 * 3, dtype=np.uint8).reshape(6, 5, 3)
    return cv2.imencode(suffix, picture)[1].tobytes()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def claim(shape: str, descr: str = "'<u8'") -> bytes:
    """A .npy header with no numbers behind it."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"
    header = header.ljust(117) + '\n'
    return b'\x93NUMPY\x01\x00' + len(header).to_bytes(2, 'little') + header.encode()


#: Place of a byte as a share of the file, and what it is replaced by; then a cut.
DAMAGE = st.tuples(
    st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4
    ),
    st.just(1.0) | st.floats(0, 1),
)


def damaged(data: bytes, damage) -> bytes:
    places, cut = damage
    changed = bytearray(data)
    for place, value in places:
        changed[int(place * len(changed))] = value
    return bytes(changed[: round(cut * len(changed))])


def read_all(path) -> None:
    """Read every frame of an archive, or be refused with the reason."""
    try:
        archive = PackedArchive(path)
        archive.verify()
    except DatasetError as error:
        assert str(path) in str(error) or 'clip name' in str(error)
        return
    for name in archive.names[:5]:
        assert '..' not in name.split('/') and not name.startswith('/')
        source = archive.source(name)
        assert len(source) > 0
        try:
            (image,) = source.read([len(source) - 1])
        except DatasetError as error:
            assert str(path) in str(error)
            continue
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3


@pytest.fixture(scope='module')
def valid(tmp_path_factory):
    """The bytes of two archives, one of files and one of pixels."""
    folder = tmp_path_factory.mktemp('valid')
    write_frames(folder / 'a', 2, size=8)
    found = []
    for decoded in (False, True):
        path = folder / f'{decoded}.zip'
        write_archive(path, [('a', folder / 'a')], dict(classes=['x']), decoded)
        found.append(path.read_bytes())
    return found


@draws(900)
@given(which=st.integers(0, 1), damage=DAMAGE)
@example(which=1, damage=([(0.34375, 35)], 1.0))  # NumPy's header, tokenize.TokenError
def test_a_damaged_archive_is_read_or_refused(which, damage, valid, tmp_path):
    path = tmp_path / 'packed.zip'
    path.write_bytes(damaged(valid[which], damage))
    read_all(path)


NAMES = st.sampled_from(['a', 'b/c', '../a', '/a', '', '..']) | st.text(max_size=4)
NUMBERS = st.integers(-3, 4) | st.sampled_from([2**31, 2**63, 2**64, 10**30])
VALUES = st.recursive(
    NUMBERS | st.none() | st.booleans() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner),
    max_leaves=5,
)
CONTENT = st.fixed_dictionaries(
    dict(
        clips=st.dictionaries(NAMES, NUMBERS | VALUES, max_size=3)
        | st.just({'a': 1})
        | VALUES
    ),
    optional=dict(
        index=st.none() | NUMBERS | VALUES,
        decoded=st.booleans() | VALUES,
        metadata=st.just({}) | VALUES,
    ),
)
ARRAY = npy(np.array([0], '<u8'))
ARRAYS = st.sampled_from([
    ARRAY,
    npy(np.array([0, 0], '<u8')),
    npy(np.array([2**64 - 1], '<u8')),
    npy(np.array([0.5])),
    npy(np.array([[0]], '<u8')),
    npy(np.array(['a'])),
    npy(np.zeros((4, 4, 3), np.uint8)),
    npy(np.zeros((4, 4), np.uint8)),
    claim('(10 ** 15,)'),
    claim('(1000000000000000,)'),
    claim('(-1,)'),
    claim('(1,)', "'|O'"),
    claim('(1,)', "[('a', '|O')]"),
])  # fmt: skip


@draws(900)
@given(content=CONTENT, index=ARRAYS, frame=ARRAYS | st.binary(max_size=9))
@example(
    content=dict(clips={'a': 1}, decoded=True, metadata={}),
    index=ARRAY,
    frame=claim('(1000000000000000,)'),
)
@example(
    content=dict(clips={'a': -1, 'b': 2}), index=npy(np.zeros(1, '<u8')), frame=b''
)
@example(content=dict(clips={'a': 1.0}), index=ARRAY, frame=b'')
@example(content=dict(clips=[]), index=ARRAY, frame=b'')
def test_a_crafted_archive_is_read_or_refused(content, index, frame, tmp_path):
    """Its checksums are right: it was made to deceive."""
    path = tmp_path / 'packed.zip'
    defaults = dict(decoded=True, metadata={})
    with zipfile.ZipFile(path, 'w') as archive:

        def add(name: str, data: bytes) -> int:
            entry = zipfile.ZipInfo(name)
            archive.writestr(entry, data)
            return entry.header_offset

        add('a/1.jpg', frame)
        contents = dict(index=add(INDEX, index)) | defaults | content
        if contents['index'] is None:
            contents['index'] = add(INDEX, index)
        place = add(CONTENTS, json.dumps(contents).encode())
        archive.comment = COMMENT.format(1, place).encode()
    read_all(path)


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
@draws(450)
@given(damage=DAMAGE)
def test_a_damaged_image_is_decoded_or_refused(suffix, damage):
    data = damaged(encoded(suffix), damage)
    try:
        image = decode_image(data, 'the image')
    except DatasetError as error:
        assert 'the image' in str(error)
    else:
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
        # What was looked at before is what was decoded: no size slips through.
        assert image.shape[:2] == image_size(data)
