import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config

from tests.helpers.golden import ROOT, load_golden

COLORS = dict(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.4)


def build(kind='ClipDataPreprocessor', **options):
    plain = dict(mean=[10.0] * 3, std=[50.0] * 3, format_shape='NCTHW')
    return MODELS.build(dict(type=kind, **plain, **options))


def run(preprocessor, training):
    frames = load_golden('torchvision')['x']
    clip = frames.transpose(0, 1)[None]  # (1, 3, T, H, W) uint8, as loaders hand it on
    samples = [ActionDataSample().set_gt_label(0) for _ in range(3)]
    batch = dict(inputs=[clip] * 3, data_samples=samples)
    return preprocessor(batch, training)['inputs']


def test_colors_change_in_training_only_and_by_the_seed():
    preprocessor = build(color_jitter=COLORS)
    stock = run(build('ActionDataPreprocessor'), True)
    assert torch.equal(run(preprocessor, False), stock)
    torch.manual_seed(3)
    first = run(preprocessor, True)
    torch.manual_seed(3)
    assert torch.equal(run(preprocessor, True), first)
    assert first.shape == stock.shape and first.dtype == torch.float32
    differences = [(a - b).abs().mean() for a, b in zip(first, stock, strict=True)]
    assert min(differences) > 0.1
    assert not torch.equal(first[0], first[1])  # every clip has other colors
    assert first.min() >= -0.2 and first.max() <= 4.9  # within black and white


def test_without_jitter_it_is_the_stock_preprocessor():
    assert torch.equal(run(build(), True), run(build('ActionDataPreprocessor'), True))


@pytest.mark.parametrize('model', ['vit', 'cnn'])
def test_the_models_on_dfew_use_the_authors_strengths(model):
    cfg = Config.fromfile(ROOT / 'configs' / f'ifdd_{model}_dfew.py')
    preprocessor = MODELS.build(cfg.model.data_preprocessor)
    assert preprocessor.color_jitter.strengths == (0.4, 0.4, 0.4, 0.4)
