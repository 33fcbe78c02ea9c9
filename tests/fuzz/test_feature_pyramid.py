"""Whatever a backbone may return."""

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from ifdd_mmaction.models.necks.feature_pyramid import to_pyramid
from tests.fuzz import draws

pytestmark = pytest.mark.slow

TENSORS = st.lists(st.integers(0, 4), max_size=6).map(torch.empty)
MAPS = st.lists(st.integers(1, 4), min_size=5, max_size=5).map(torch.empty)
ANYTHING = st.recursive(
    MAPS | TENSORS | st.none() | st.integers(0, 3) | st.text(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=1), inner, max_size=2)
    ),
    max_leaves=5,
)


@draws(2500)
@given(
    features=ANYTHING | st.lists(MAPS | st.tuples(MAPS, TENSORS), max_size=4),
    num_segments=st.none() | st.integers(1, 4),
)
@example(features=None, num_segments=None)
@example(features=3, num_segments=None)
@example(features='', num_segments=2)
def test_features_are_a_pyramid_or_refused(features, num_segments):
    try:
        levels = to_pyramid(features, num_segments)
    except ValueError as error:
        assert any(word in str(error) for word in ('the neck got', 'the backbone ret',
                   'num_segments=')), error  # fmt: skip
        return
    assert levels and all(level.dim() == 5 for level in levels)
    cells = [level.shape[2:].numel() for level in levels]
    assert cells == sorted(cells, reverse=True)
    if num_segments:
        assert all(level.shape[2] == num_segments for level in levels)
