"""What hooks read from batches of any form."""

import pytest
import torch
from mmaction.structures import ActionDataSample

from ifdd_mmaction.engine.batches import data_samples

FIRST, SECOND = (ActionDataSample(metainfo=dict(video_id=name)) for name in 'ab')
CLIP = torch.zeros(3)


@pytest.mark.parametrize(
    'batch, expected',
    [
        (dict(inputs=[CLIP] * 2, data_samples=[FIRST, SECOND]), [FIRST, SECOND]),
        (([CLIP] * 2, [FIRST, SECOND]), [FIRST, SECOND]),
        ([dict(inputs=CLIP, data_samples=s) for s in (FIRST, SECOND)], [FIRST, SECOND]),
        (dict(inputs=[CLIP], data_samples=[CLIP]), []),
        (dict(inputs=[CLIP]), []),
        ([[CLIP, CLIP], CLIP], []),
        (CLIP, []),
        (None, []),
    ],
)
def test_the_data_samples_of_a_batch_are_found(batch, expected):
    found = data_samples(batch)
    assert [id(sample) for sample in found] == [id(sample) for sample in expected]
