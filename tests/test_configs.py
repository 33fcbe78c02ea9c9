"""Every shipped config parses, builds its model, and its model trains one step."""

import pytest
import torch
from mmaction.registry import DATASETS, MODELS, PARAM_SCHEDULERS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from torch._subclasses.fake_tensor import FakeTensorMode

from ifdd_mmaction.models import infer_neck
from tests.helpers.golden import ROOT
from tests.helpers.layouts import make_dfew, make_ferv39k, make_mafw

CONFIGS = sorted(
    path
    for path in (ROOT / 'configs').rglob('*.py')
    # test_ablation.py trains the ablations, at tiny size.
    if not {'_base_', 'ablation'} & {*path.relative_to(ROOT).parts}
)
#: Configs on backbones of others: their shapes are checked without arithmetic here,
#: their gradients at tiny size in tests/models/test_backbones.py.
OTHERS = (
    'mvit-small', 'r2plus1d', 'slowonly', 'swin', 'timm-convnext', 'tsm', 'uniformer',
    'videomae', 'x3d',
)  # fmt: skip


def ids(path):
    return path.relative_to(ROOT / 'configs').as_posix()


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """A tree of each dataset, by the name of its class."""
    folder = tmp_path_factory.mktemp('data')
    return dict(
        DFEWDataset=make_dfew(folder / 'dfew', 1, frames=16, size=64),
        FERV39kDataset=make_ferv39k(folder / 'ferv39k', frames=20, size=64),
        MAFWDataset=make_mafw(folder / 'mafw', frames=70, size=64),
    )


@pytest.mark.parametrize('name', ['vit', 'cnn'])
def test_ferv39k_differs_from_dfew_in_data_and_colors_only(name, data):
    base, cfg = (
        Config.fromfile(ROOT / f'configs/ifdd_{name}_{dataset}.py')
        for dataset in ('dfew', 'ferv39k')
    )
    assert base.model.data_preprocessor.color_jitter.hue == 0.4
    base.model.data_preprocessor.color_jitter = None
    assert cfg.model == base.model
    for loader, shape in (('train', (1, 3, 16)), ('val', (1, 3, 16))):
        dataset = cfg[f'{loader}_dataloader'].dataset
        dataset.data_root = str(data['FERV39kDataset'])
        assert DATASETS.build(dataset)[0]['inputs'].shape == (*shape, 224, 224)


@pytest.mark.slow
@pytest.mark.parametrize(
    'path',
    [
        path
        for path in CONFIGS
        if 'ferv39k' not in path.name and path.stem.split('_')[1] not in OTHERS
    ],
    ids=ids,
)
def test_a_clip_goes_from_file_to_loss_and_score(path, data):
    cfg = Config.fromfile(path)
    model = MODELS.build(cfg.model)
    batches = {}
    for loader in ('train_dataloader', 'test_dataloader'):
        cfg[loader].dataset.data_root = str(data[cfg[loader].dataset.type])
        dataset = DATASETS.build(cfg[loader].dataset)
        batches[loader] = Runner.build_dataloader(
            dict(
                cfg[loader],
                dataset=dataset,
                batch_size=2,
                num_workers=0,
                persistent_workers=False,
            )
        )
    batch = model.data_preprocessor(next(iter(batches['train_dataloader'])), True)
    frames = 32 if 'mafw' in path.name else 16
    assert batch['inputs'].shape[:4] == (2, 1, 3, frames)
    # One backward pass of the full-size models takes ten seconds: the shapes are
    # checked here, the gradients in tests/models.
    with torch.no_grad():
        losses = model(**batch, mode='loss')
        assert all(torch.isfinite(v).all() for v in losses.values())
        model.eval()
        batch = model.data_preprocessor(next(iter(batches['test_dataloader'])))
        (sample, *_) = model(**batch, mode='predict')
    assert isinstance(sample, ActionDataSample)
    assert sample.pred_score.shape == (len(dataset.metainfo['classes']),)


@pytest.mark.slow
@pytest.mark.parametrize('name', OTHERS)
def test_models_on_other_backbones_take_their_clips_and_optimize_all_parameters(
    name, data
):
    cfg = Config.fromfile(ROOT / f'configs/ifdd_{name}_dfew.py')
    if name.startswith('timm'):
        pytest.importorskip('timm')
        cfg.model.backbone.pretrained = False
    assert {'clip_shape', 'in_channels', 'input_size'} <= cfg.model.neck.keys()
    infer_neck(cfg.model)  # refuses a number that is wrong
    model = MODELS.build(cfg.model)
    model.init_weights()  # without a download
    for training, loader in ((True, 'train_dataloader'), (False, 'test_dataloader')):
        cfg[loader].dataset.data_root = str(data['DFEWDataset'])
        samples = [DATASETS.build(cfg[loader].dataset)[i] for i in (0, 1)]
        batch = {key: [sample[key] for sample in samples] for key in samples[0]}
        inputs = model.data_preprocessor(batch, training)['inputs']
        clip = (3, 16) if model.__class__.__name__ == 'Recognizer3D' else (16, 3)
        assert inputs.flatten(0, -5).shape[-4:] == (*clip, 224, 224)
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        logits = model.eval()._forward(torch.empty(inputs.shape), stage='head')
    assert logits.shape == (2, 7)
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    rates = {id(p): g['lr'] for g in optimizer.param_groups for p in g['params']}
    assert rates.keys() == {id(p) for p in model.parameters() if p.requires_grad}
    base = cfg.optim_wrapper.optimizer.lr
    assert rates[id(model.cls_head.fc_cls.weight)] == pytest.approx(base)
    if name in ('videomae', 'mvit-small'):
        blocks = model.backbone.blocks
        first = next(blocks[0].parameters())
        # Block i of n, from 0, has the rate of the head times 0.75^(n - i).
        assert rates[id(first)] == pytest.approx(base * 0.75 ** len(blocks))
    if cfg.load_from:
        host = 'https://download.openmmlab.com/mmaction/v1.0/recognition/'
        assert cfg.load_from.startswith(host) and cfg.load_from.endswith('.pth')


def test_inputs_of_the_dfew_model_are_in_0_1():
    cfg = Config.fromfile(ROOT / 'configs' / 'ifdd_vit_dfew.py')
    preprocessor = MODELS.build(cfg.model.data_preprocessor)
    black_white = torch.tensor([0, 255], dtype=torch.uint8)
    clip = black_white.view(1, 1, 2, 1, 1).expand(1, 3, 2, 4, 4)
    sample = ActionDataSample().set_gt_label(0)
    batch = preprocessor(dict(inputs=[clip], data_samples=[sample]))
    assert batch['inputs'].unique().tolist() == [0.0, 1.0]


def test_the_schedule_is_the_papers():
    cfg = Config.fromfile(ROOT / 'configs' / 'ifdd_vit_dfew.py')
    assert cfg.optim_wrapper.optimizer == dict(type='AdamW', lr=5e-5, weight_decay=1e-3)
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([parameter], lr=5e-5)
    rates = []
    schedulers = [
        PARAM_SCHEDULERS.build(dict(s, optimizer=optimizer, by_epoch=True))
        for s in cfg.param_scheduler
    ]
    for _ in range(cfg.train_cfg.max_epochs):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    assert rates[0] == pytest.approx(1e-6)
    assert rates[10] == pytest.approx(5e-5)
    assert rates[55] == pytest.approx((5e-5 + 5e-7) / 2)
    assert rates[99] == pytest.approx(5.15e-7, rel=1e-2)
    assert len(rates) == 100 and max(rates) == rates[10]
