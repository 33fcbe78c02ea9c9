"""Pooling that repeats to the bit, and that whole models use nothing that does not."""

import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.config import Config
from torch.utils._python_dispatch import TorchDispatchMode

from ifdd_mmaction.models.layers.pooling import adaptive_mean
from tests.helpers.golden import ROOT
from tests.helpers.numeric import assert_close
from tests.models.test_ifdd import samples

#: Operations of PyTorch that ``torch.use_deterministic_algorithms`` refuses on a GPU,
#: by the names that the dispatcher knows, as far as a model of ours could meet them.
REFUSED = {
    '_adaptive_avg_pool2d_backward',
    '_adaptive_avg_pool3d_backward',
    'adaptive_max_pool2d_backward',
    'adaptive_max_pool3d_backward',
    'avg_pool3d_backward',
    'cumsum',
    'grid_sampler_2d_backward',
    'grid_sampler_3d_backward',
    'histc',
    'nll_loss2d_forward',
    'put_',
    'reflection_pad1d_backward',
    'reflection_pad2d_backward',
    'reflection_pad3d_backward',
    'upsample_bicubic2d_backward',
    'upsample_bilinear2d_backward',
    'upsample_linear1d_backward',
    'upsample_trilinear3d_backward',
}
ABLATION = ROOT / 'configs' / 'ablation'


class Operations(TorchDispatchMode):
    """Note what is computed, forwards and backwards."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.add(function.name().split('::')[1].split('.')[0])
        return function(*args, **(kwargs or {}))


@pytest.fixture
def deterministic():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize(
    'shape, size',
    [
        ((2, 3, 14, 14), (7, 7)),
        ((2, 3, 7, 7), (7, 7)),
        ((2, 3, 4, 4), (7, 7)),
        ((2, 3, 5, 9), (4, 1)),
        ((2, 3, 8, 5, 6), (3, 5, 6)),
        ((2, 3, 2, 5, 6), (8, 2, 4)),
        ((0, 3, 6, 6), (4, 4)),
    ],
)
def test_equals_the_adaptive_pooling_of_pytorch(deterministic, shape, size):
    upstream = F.adaptive_avg_pool2d if len(size) == 2 else F.adaptive_avg_pool3d
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    grad = torch.randn(*shape[:2], *size, dtype=torch.float64)
    with Operations() as operations:
        found = adaptive_mean(x, size)
        (found_grad,) = torch.autograd.grad(found, x, grad)
    assert not operations.names & REFUSED
    expected = upstream(x, size)
    (expected_grad,) = torch.autograd.grad(expected, x, grad)
    if x.numel():
        terms = x[0, 0].numel()
        assert_close(found, expected, terms)
        assert_close(found_grad, expected_grad, terms)
    assert found.shape == expected.shape


def test_elsewhere_it_is_that_of_pytorch():
    x = torch.randn(2, 3, 4, 4)
    assert torch.equal(adaptive_mean(x, (7, 7)), F.adaptive_avg_pool2d(x, 7))


@pytest.mark.parametrize(
    'base, leaf',
    [
        *(
            ('ifdd_vit_sample', path.stem)
            for pattern in ('split_*', 'lifting_*', 'predict_first')
            for path in sorted(ABLATION.glob(f'{pattern}.py'))
        ),
        ('ifdd_cnn_sample', 'components_all'),
    ],
)
def test_a_gpu_can_train_it_deterministically(base, leaf, deterministic, monkeypatch):
    monkeypatch.setenv('IFDD_BASE', base)
    cfg = Config.fromfile(ABLATION / f'{leaf}.py')
    model = MODELS.build(cfg.model).train()
    clips = torch.randint(0, 256, (2, 1, 3, 16, 64, 64), dtype=torch.uint8)
    data = model.data_preprocessor(
        dict(inputs=list(clips), data_samples=samples([0, 1]))
    )
    with Operations() as operations:
        losses = model(**data, mode='loss')
        sum(value for name, value in losses.items() if 'loss' in name).backward()
    assert 'convolution_backward' in operations.names
    assert not operations.names & REFUSED
