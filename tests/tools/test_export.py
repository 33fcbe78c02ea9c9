"""Exported files compute what PyTorch computes, for any number of clips."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config

from ifdd_mmaction.apis import (
    OnnxPredictor,
    TorchPredictor,
    build_predictor,
    export,
    exporting,
    get_checkpoint,
    get_config,
    list_models,
)
from ifdd_mmaction.errors import InputError
from tests.helpers.figures import DFEW
from tests.helpers.golden import load_tool
from tests.helpers.numeric import assert_close, depth_of
from tests.helpers.tiny_models import CONFIGS, save_checkpoint
from tests.helpers.tools import run_tool

pytestmark = pytest.mark.slow

SHAPE = '--clip-shape', '8', '32', '32'


def tiny(kind, path, **model):
    """Write a config and weights for it; return both."""
    cfg = Config.fromfile(CONFIGS[kind])
    cfg.merge_from_dict(dict(model=model))
    cfg.dump(path / 'config.py')
    return path / 'config.py', save_checkpoint(path / 'x.pth', path / 'config.py')


@pytest.fixture(
    scope='module',
    params=[pytest.param(kind, marks=pytest.mark.slow) for kind in ('vit', 'cnn')],
)
def exported(request, tmp_path_factory):
    """Export through the command; return config, checkpoint, folder and its words."""
    path = tmp_path_factory.mktemp(request.param)
    model = {}
    if request.param == 'cnn':
        # MMCV calls this norm `in`, a keyword in the Python that PyTorch generates.
        model = dict(backbone=dict(norm_cfg=dict(type='IN3d', affine=True)))
    config, checkpoint = tiny(request.param, path, **model)
    result = run_tool(
        'export.py', config, checkpoint, path / 'x.onnx', path / 'x.pt2', *SHAPE
    )
    return config, checkpoint, path, result.stdout


def test_the_files_agree_with_pytorch(exported):
    config, checkpoint, path, said = exported
    assert said.count('scores differ by at most') == 6
    torch_engine = TorchPredictor(config, checkpoint, 'cpu')
    clips = torch.randint(0, 256, (3, 2, 3, 8, 32, 32), dtype=torch.uint8)
    wanted = torch_engine(clips)
    assert np.ptp(wanted, axis=0).max() > 0.01  # the clips are told apart
    onnx_engine = build_predictor(config, path / 'x.onnx')
    assert isinstance(onnx_engine, OnnxPredictor)
    assert onnx_engine.classes == torch_engine.classes == DFEW
    depth = depth_of(torch_engine.model)
    assert_close(onnx_engine(clips), wanted, depth)
    assert_close(onnx_engine(clips[:1]), wanted[:1], depth)
    file = torch.export.load(path / 'x.pt2')
    assert 'ifdd' not in str(file.graph)  # PyTorch's operators alone
    program = file.module()
    inputs = (clips[:, 0].float() - 127) / 64
    session = onnxruntime.InferenceSession(str(path / 'x.onnx'))
    (scores,) = session.run(None, {'clips': inputs.numpy()})
    with torch.no_grad():
        assert_close(program(inputs), scores, depth)


@pytest.mark.parametrize('name', list_models('*_photo', pretrained=True))
def test_models_of_real_faces_are_exported_for_any_number_of_clips(tmp_path, name):
    (path,) = export(name, out=tmp_path / 'x.onnx')
    torch_engine = TorchPredictor(get_config(name), get_checkpoint(name), 'cpu')
    onnx_engine = build_predictor(get_config(name), path)
    clip_shape = onnx_engine.clip_shape
    clips = torch.randint(0, 256, (5, 1, 3, *clip_shape), dtype=torch.uint8)
    depth = depth_of(torch_engine.model)
    assert_close(onnx_engine(clips), torch_engine(clips), depth)


@pytest.mark.parametrize('kind', ['EvidenceSplit', 'TopKSplit', 'WeightingSplit'])
def test_other_splits_are_exported(tmp_path, kind):
    config, checkpoint = tiny('cnn', tmp_path, neck=dict(split=dict(type=kind)))
    if kind == 'EvidenceSplit':  # without a classifier it would be the interval split
        content = torch.load(checkpoint, weights_only=True)
        torch.nn.init.normal_(content['state_dict']['neck.split.weight'])
        torch.save(content, checkpoint)
    (path,) = export(config, checkpoint, tmp_path / 'x.onnx', clip_shape=(8, 32, 32))
    clips = torch.randint(0, 256, (3, 1, 3, 8, 32, 32), dtype=torch.uint8)
    torch_engine = TorchPredictor(config, checkpoint, 'cpu')
    found = build_predictor(config, path)(clips)
    assert_close(found, torch_engine(clips), depth_of(torch_engine.model))


def test_the_files_say_how_to_use_them(exported):
    *_, path, _ = exported
    model = onnx.load(path / 'x.onnx')
    onnx.checker.check_model(model)
    found = {p.key: json.loads(p.value) for p in model.metadata_props}
    facts = dict(
        classes=list(DFEW), mean=[127] * 3, std=[64] * 3, clip_shape=[8, 32, 32],
        average_clips='score', frames_first=False,
    )  # fmt: skip
    assert facts.items() <= found.items()
    (value,) = model.graph.input
    sizes = [d.dim_value for d in value.type.tensor_type.shape.dim]
    assert value.name == 'clips' and sizes == [0, 3, 8, 32, 32]
    extra = dict.fromkeys(facts, '')
    torch.export.load(path / 'x.pt2', extra_files=extra)
    stored = {k: json.loads(v) for k, v in extra.items()}
    assert facts.items() <= stored.items()


def test_scores_are_divided_in_the_graph_only_if_asked(tmp_path):
    config, checkpoint = tiny('vit', tmp_path)
    content = torch.load(checkpoint, weights_only=True)
    content['meta']['calibration'] = dict(temperature=1.6)
    torch.save(content, checkpoint)
    tool = load_tool('export.py')
    paths = [tmp_path / f'{name}.{kind}' for name in 'ab' for kind in ('onnx', 'pt2')]
    for files, options in ((paths[:2], []), (paths[2:], ['--calibrated'])):
        words = [config, checkpoint, *files, *SHAPE, *options]
        assert tool.main([str(word) for word in words]) == 0
    clips = torch.rand(2, 3, 8, 32, 32)
    scores = []
    for path in paths:
        if path.suffix == '.onnx':
            session = onnxruntime.InferenceSession(str(path))
            scores += session.run(None, {'clips': clips.numpy()})
            continue
        stored = dict.fromkeys(['temperature', 'classes'], '')
        program = torch.export.load(path, extra_files=stored).module()
        with torch.no_grad():
            scores.append(program(clips).numpy())
        assert stored['temperature'] == ('' if path.stem == 'a' else '1.6')
    depth = depth_of(TorchPredictor(config, checkpoint, 'cpu').model)
    for plain, divided in zip(scores[:2], scores[2:], strict=True):
        assert_close(divided, plain / 1.6, depth)
    # The engine knows; it cannot divide what was exported without.
    views = torch.randint(0, 256, (2, 3, 3, 8, 32, 32), dtype=torch.uint8)
    engine = build_predictor(config, paths[2], 'cpu', calibrated=True)
    assert engine.temperature == 1.6
    wanted = TorchPredictor(config, checkpoint, 'cpu', calibrated=True)(views)
    assert_close(engine(views), wanted, depth)
    assert build_predictor(config, paths[0], 'cpu').temperature is None
    with pytest.raises(InputError, match=r'a\.onnx was exported without a temperature'):
        build_predictor(config, paths[0], 'cpu', calibrated=True)


def test_a_clip_of_another_size_is_refused(exported):
    *_, path, _ = exported
    with pytest.raises(InputError, match=r'needs clips of \(8, 32, 32\)'):
        OnnxPredictor(path / 'x.onnx')(torch.zeros(1, 1, 3, 8, 48, 48))


@pytest.mark.parametrize('average', ['score', 'prob', None])
def test_views_are_averaged_as_the_head_does(tmp_path, average):
    """A stand-in graph, the mean of each channel, under every kind of average."""
    node = onnx.helper.make_node(
        'ReduceMean', ['clips', 'axes'], ['scores'], keepdims=0
    )
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node], 'means',
        [value('clips', onnx.TensorProto.FLOAT, ['n', 3, 4, 2, 2])],
        [value('scores', onnx.TensorProto.FLOAT, ['n', 3])],
        [onnx.numpy_helper.from_array(np.array([2, 3, 4]), 'axes')],
    )  # fmt: skip
    opset = onnx.helper.make_opsetid('', 18)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9)
    clips = torch.randint(0, 256, (2, 3, 3, 4, 2, 2), dtype=torch.uint8)
    scores = (clips.double().mean(dim=(3, 4, 5)) - 100) / 20  # (N, M, K)
    head = MODELS.build(
        dict(type='IFDDHead', num_classes=3, in_channels=8, average_clips=average)
    )
    wanted = head.average_clip(scores.flatten(0, 1), num_segs=3)
    if average is None:
        wanted = wanted.mean(dim=1)
    if average != 'prob':
        wanted = wanted.softmax(dim=1)
    for frames_first in (False, True):
        metadata = dict(
            classes=['a', 'b', 'c'], mean=[100] * 3, std=[20] * 3,
            clip_shape=[4, 2, 2], average_clips=average, frames_first=frames_first,
        )  # fmt: skip
        del model.metadata_props[:]
        for key, content in metadata.items():
            model.metadata_props.add(key=key, value=json.dumps(content))
        onnx.save(model, tmp_path / 'x.onnx')
        given = clips
        if frames_first:  # (N, M * T, C, H, W)
            given = clips.transpose(2, 3).flatten(1, 2)
        found = OnnxPredictor(tmp_path / 'x.onnx', 'cpu')(given)
        assert_close(found, wanted, clips[0, 0].numel())
    model.metadata_props.pop()
    onnx.save(model, tmp_path / 'x.onnx')
    with pytest.raises(InputError, match='has no metadata frames_first'):
        OnnxPredictor(tmp_path / 'x.onnx')


def test_files_that_are_no_onnx_are_refused(tmp_path):
    (tmp_path / 'x.onnx').write_bytes(b'no protobuf')
    for path, message in ((tmp_path / 'x.onnx', 'usable'), (tmp_path / 'y', 'exist')):
        with pytest.raises(InputError, match=message):
            OnnxPredictor(path)


def test_what_cannot_be_exported_is_refused_in_one_line(tmp_path, capfd, monkeypatch):
    tool = load_tool('export.py')
    config, checkpoint = tiny('vit', tmp_path)
    out = tmp_path / 'x.onnx'

    def refused(*options):
        assert tool.main([str(a) for a in (config, checkpoint, out, *options)]) == 2
        assert not out.exists()
        said = capfd.readouterr().err.strip().splitlines()
        return said[-1]

    # The pipeline of this config leaves frames as large as they are.
    assert 'cannot follow PyramidMViT at clips of (8, 512, 512)' in refused()

    class Bessel(torch.nn.Module):
        def forward(self, clips):
            return torch.special.bessel_j0(clips)

    program = torch.export.export(Bessel(), (torch.zeros(2),))
    with monkeypatch.context() as context:
        context.setattr(exporting, '_trace', lambda scorer, shape: program)
        said = refused(*SHAPE)
    assert said.startswith('ONNX cannot express it: DispatchError: No ONNX function')
    assert 'bessel_j0' in said
    monkeypatch.setattr(exporting, '_trace', lambda scorer, shape: None)

    def drifted(data):
        return lambda clips: torch.zeros(len(clips), 7)

    monkeypatch.setattr(exporting, '_to_onnx', lambda program, metadata: b'')
    monkeypatch.setattr(exporting, '_run_onnx', drifted)
    assert 'does not compute what PyTorch does' in refused(*SHAPE)
    with pytest.raises(SystemExit):
        tool.main([str(config), str(checkpoint), 'x.pb'])
