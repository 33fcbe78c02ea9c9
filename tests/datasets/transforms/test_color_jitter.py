import pytest
import torch

from ifdd_mmaction.datasets.transforms import color_jitter
from ifdd_mmaction.datasets.transforms.color_jitter import ColorJitter, jitter
from tests.helpers.golden import load_golden, pick
from tests.helpers.numeric import assert_close

GOLDEN = load_golden('torchvision')
NAMES = ('brightness', 'contrast', 'saturation', 'hue')
CASES = [(n, float(a)) for n in NAMES for a in pick(GOLDEN, f'{n}/')]
#: A mean over the pixels of a frame is the longest sum.
DEPTH = GOLDEN['x'][0, 0].numel()


def as_clip(frames):
    """(T, 3, H, W) as one view (1, 3, T, H, W)."""
    return frames.transpose(0, 1)[None]


@pytest.mark.parametrize('name, amount', CASES)
def test_colors_change_as_torchvision_changes_them(name, amount):
    adjust = getattr(color_jitter, f'adjust_{name}')
    expected = GOLDEN[f'{name}/{amount}']
    clip = as_clip(GOLDEN['x'].double())
    found = adjust(clip, amount) / 255
    assert_close(found, as_clip(expected), DEPTH)
    found = adjust(GOLDEN['x'].double(), amount) / 255  # frames of a 2D recognizer
    assert_close(found, expected, DEPTH)
    assert (clip == as_clip(GOLDEN['x'])).all()  # not in place


def test_operations_run_in_the_given_order():
    clip = GOLDEN['x'].transpose(0, 1)[None]  # uint8, channels first of a view
    found = jitter(clip, [0.7, 1.3, 1.2, 0.31], [3, 1, 0, 2])
    expected = as_clip(GOLDEN['sequence'])
    assert_close(found / 255, expected, DEPTH)
    # The authors round after every operation.
    difference = (found - as_clip(GOLDEN['sequence_uint8'].float())).abs()
    assert difference.max() < 4 and difference.mean() < 1
    other = jitter(clip, [0.7, 1.3, 1.2, 0.31], [0, 1, 2, 3])
    assert (other - found).abs().max() > 1


def test_all_frames_are_changed_alike():
    frame = GOLDEN['x'][:1]
    clip = frame.expand(5, -1, -1, -1).transpose(0, 1)[None]
    torch.manual_seed(1)
    found = ColorJitter(0.4, 0.4, 0.4, 0.4)(clip)
    assert (found == found[:, :, :1]).all()
    assert (found[:, :, 0] - frame).abs().mean() > 5


def test_amounts_fill_their_ranges_and_orders_vary(monkeypatch):
    drawn = []
    monkeypatch.setattr(color_jitter, 'jitter', lambda *args: drawn.append(args[1:]))
    for _ in range(400):
        ColorJitter(0.4, 0.3, 0.2, 0.1)(torch.zeros(1))
    low, high = zip((0.6, 1.4), (0.7, 1.3), (0.8, 1.2), (-0.1, 0.1), strict=True)
    amounts = torch.tensor([a for a, _ in drawn])
    assert amounts.amin(0).tolist() == pytest.approx(low, abs=0.02)
    assert amounts.amax(0).tolist() == pytest.approx(high, abs=0.02)
    assert len({tuple(order) for _, order in drawn}) == 24


@pytest.mark.parametrize('options', [dict(hue=0.6), dict(contrast=-0.1)])
def test_impossible_strengths_are_refused(options):
    with pytest.raises(ValueError, match='set each to a value from 0 to'):
        ColorJitter(**options)
