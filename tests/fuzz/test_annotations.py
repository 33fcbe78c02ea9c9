"""Annotation lists of any content."""

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mmaction.registry import DATASETS

from ifdd_mmaction.datasets import DatasetError
from tests.fuzz import draws

pytestmark = pytest.mark.slow

#: What the parsers look for, and what leads them astray.
TOKENS = (
    *('video_name', 'label', 'path', 'start', 'end', ',', ',', ' ', '\n', '\n', '\r\n'),
    *('1', '00012', '3', '0', '-1', '7', '8', '1e3', '٣', '²', '9' * 12, '9' * 5000),
    *('happy', 'Happy', 'anger', 'a/Happy/01', 'a.mp4', 'b', '.mp4', '/', '..', '../b'),
    *('/etc/passwd', '\\', 'C:', '"', "'", '\ufeff', '\0', '\x85', '\u2028', '#', ''),
)
CONTENTS = st.one_of(
    st.lists(st.sampled_from(TOKENS), max_size=25).map(''.join),
    st.lists(
        st.lists(st.sampled_from(TOKENS), min_size=2, max_size=4).map(','.join),
        max_size=6,
    ).map(lambda rows: '\n'.join(['path,label,start,end', *rows])),
    st.text(max_size=60),
).map(str.encode) | st.binary(max_size=60)
KINDS = ('DFEWDataset', 'FERV39kDataset', 'MAFWDataset', 'AnnotationFileDataset')


@pytest.mark.parametrize('kind', KINDS)
@draws(900)
@given(content=CONTENTS)
@example(content=b'..  anger')
@example(content=b'../../x Happy')
@example(content=b'path,label\na,' + b'9' * 12)
@example(content=b'path,label\na,' + b'9' * 5000)
@example(content=b'path,label\na\0b,happy')
@example(content=b'path,label\na,"' + b'x' * 140_000)
def test_a_list_is_read_or_refused(kind, content, tmp_path):
    path = tmp_path / 'list'
    path.write_bytes(content)
    dataset = DATASETS.get(kind)(
        data_root=str(tmp_path), ann_file='list', lazy_init=True
    )
    # Frames are looked for nowhere else, and no other list is read.
    dataset.storage, dataset.release = 'archive', 'frames'
    try:
        clips = dataset.load_clips()
    except DatasetError as error:
        assert str(path) in str(error)
        return
    names = [clip.name for clip in clips]
    assert len(set(names)) == len(names) > 0
    for clip in clips:
        assert 0 <= clip.label < len(dataset._metainfo['classes'])
        assert Path(os.path.normpath(clip.path)).is_relative_to(tmp_path)
        start, end = clip.frames
        assert end is None or 0 <= start < end
