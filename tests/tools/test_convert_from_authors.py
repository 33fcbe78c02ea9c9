"""``tools/convert/from_authors.py``: to this package and back, bit by bit."""

import json
import shlex

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner import load_checkpoint

from tests.helpers.converting import MINI, assert_refused, convert, write_malicious
from tests.helpers.golden import FOLDER, ROOT, load_golden, load_tool, pick
from tests.helpers.layouts import make_dfew
from tests.helpers.numeric import assert_close, depth_of
from tests.helpers.tools import run_tool

TOOL = 'from_authors.py'


@pytest.fixture(scope='module')
def theirs():
    """The authors' weights of the tiny model, with what their trainer adds."""
    state = pick(load_golden('mini_full'), 'state/')
    counter = torch.tensor([12.0], dtype=torch.float64)
    for module in ('', 'backbone.', 'backbone.WaveLifts.', 'head.head.'):
        state |= {f'{module}total_ops': counter, f'{module}total_params': counter}
    return state


@pytest.fixture(scope='module')
def files(theirs, tmp_path_factory):
    """A folder with a config and a checkpoint as the authors' trainer saves it."""
    folder = tmp_path_factory.mktemp('authors')
    (folder / 'mini.py').write_text(MINI)
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(2))])
    checkpoint = dict(epoch=3, model=theirs, opt=optimizer.state_dict(), ema=None)
    torch.save(checkpoint, folder / 'theirs.pth')
    return folder


@pytest.fixture(scope='module')
def run(files):
    """What the command line says, having written ``ours.pth``."""
    paths = (files / 'theirs.pth', files / 'ours.pth')
    return run_tool(f'convert/{TOOL}', *paths, '--config', files / 'mini.py')


def mini_model(files, **options):
    cfg = Config.fromfile(files / 'mini.py')
    cfg.merge_from_dict(options)
    return MODELS.build(cfg.model)


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key].dtype == value.dtype, key
        assert torch.equal(found[key], value), key


def logits(model, clip):
    with torch.no_grad():
        clip = clip[:, None].double()
        feature, _ = model.eval().extract_feat(clip, test_mode=True)
        return model.cls_head(feature)


def test_the_converted_model_gives_the_authors_logits(files, run):
    golden = load_golden('mini_full')
    (option,) = [w for w in run.stdout.split() if w.startswith('model.neck.split')]
    assert option == 'model.neck.split.align_corners=False'
    model = mini_model(files, **{option.split('=')[0]: False})
    load_checkpoint(model, str(files / 'ours.pth'), strict=True)
    found = logits(model.double(), golden['x'])
    assert_close(found, golden['logits'], depth_of(model))
    # The option is worth its line.
    model.neck.split.align_corners = True
    assert (logits(model, golden['x']) - golden['logits']).abs().max() > 1e-3


def test_testing_as_the_tool_says_works(files, run, tmp_path):
    data = make_dfew(tmp_path / 'dfew', clips_per_class=1, frames=8, size=64)
    python, tool, *args = shlex.split(run.stdout.strip().splitlines()[-1])
    assert (python, tool) == ('python', 'tools/test.py')
    dump = tmp_path / 'report.json'
    run_tool(
        'test.py', *args, f'test_dataloader.dataset.data_root={data}',
        '--work-dir', tmp_path / 'work', '--dump', dump,
    )  # fmt: skip
    assert len(json.loads(dump.read_text())['clips']) == 7


def test_the_checkpoint_says_what_it_is(files, run):
    checkpoint = torch.load(files / 'ours.pth', weights_only=True)
    meta = checkpoint['meta']
    assert meta['dataset_meta']['classes'][:2] == ('happy', 'sad')
    assert len(meta['dataset_meta']['classes']) == 7
    assert meta['converted_from'] == 'theirs.pth'
    for line in (
        'mapped: 288',
        ' 26  backbone.backbone.blocks.8 ',
        '-> backbone.blocks.8',
        'unused in the model: 17',
        '  2  backbone.WaveLifts.adapt_split.time_project.2',
        'dropped, entries beside the weights: 3',
        'left at init: 0',
    ):
        assert line in run.stdout


@pytest.mark.parametrize('bare', [False, True])
def test_there_and_back_is_the_same_file(bare, files, theirs, tmp_path, capsys):
    config = ('--config', files / 'mini.py')
    source = files / 'theirs.pth'
    if bare:
        source = tmp_path / 'bare.pth'
        torch.save(theirs, source)
    there, back = tmp_path / 'there.pth', tmp_path / 'back.pth'
    assert convert(TOOL, capsys, source, there, *config).code == 0
    result = convert(TOOL, capsys, there, back, *config, '--reverse')
    assert result.code == 0 and 'restored: unused in the model: 17' in result.out
    assert_same(torch.load(back, weights_only=True)['model'], theirs)


def test_a_model_trained_here_goes_there_and_back(files, theirs, tmp_path, capsys):
    config = ('--config', files / 'mini.py')
    state = mini_model(files).state_dict()
    paths = [tmp_path / f'{i}.pth' for i in range(3)]
    torch.save(dict(meta=dict(epoch=2), state_dict=state, optimizer={}), paths[0])
    result = convert(TOOL, capsys, *paths[:2], *config, '--reverse')
    assert result.code == 0 and 'written as zeros and indexes' in result.out
    assert 'model.neck.split.align_corners=False' in result.out
    written = torch.load(paths[1], weights_only=True)['model']
    counters = [key for key in theirs if 'total_' in key]
    assert {k: v.shape for k, v in written.items()} == {
        k: v.shape for k, v in theirs.items() if k not in counters
    }
    lifting = 'backbone.WaveLifts.'
    blank = {'class_pos': 64, 'adapt_split.time_project.0.bias': 4}
    for key, size in blank.items():
        assert torch.equal(written[lifting + key], torch.zeros(size)), key
    indexes = pick(written, f'{lifting}adapt_split.index_')
    assert_same(indexes, pick(theirs, f'{lifting}adapt_split.index_'))
    assert convert(TOOL, capsys, *paths[1:], *config).code == 0
    assert_same(torch.load(paths[2], weights_only=True)['state_dict'], state)


def test_the_real_size_has_all_of_the_authors_names_and_shapes():
    tool = load_tool(f'convert/{TOOL}')
    cfg = Config.fromfile(ROOT / 'configs' / 'ifdd_vit_dfew.py')
    cfg.model.data_preprocessor.blending = None  # draws numbers: 'meta' has none
    with torch.device('meta'):
        state = MODELS.build(cfg.model).state_dict()
    written = tool.to_authors(state) | tool.blank_unused(cfg, state)
    expected = json.loads((FOLDER / 'reference_keys_DFEW.json').read_text())
    assert {k: list(v.shape) for k, v in written.items()} == expected


def damaged(theirs, damage):
    state = dict(theirs)
    if damage == 'classes':
        state['head.head.1.weight'] = torch.zeros(11, 64)
    elif damage == 'missing':
        del state['backbone.WaveLifts.q_a.bias']
    elif damage == 'blocks':
        state['backbone.backbone.blocks.10.norm1.weight'] = torch.zeros(64)
    elif damage == 'foreign':
        state['backbone.WaveLifts.prompt.weight'] = torch.zeros(3)
    return state


@pytest.mark.parametrize('damage, says', [
    ('classes', 'head.head.1.weight is (11, 64), but cls_head.fc_cls.weight is (7, 64) '
     'in {config}. Give the --config of a model with as many classes'),
    ('missing', 'nothing in it is neck.lifting.updater.q.bias, which is (64,) in '
     '{config}. Give'),
    ('blocks', 'backbone.backbone.blocks.10.norm1.weight (64,) would be '
     'backbone.blocks.10.norm1.weight, which {config} does not have. Give'),
    ('foreign', "backbone.WaveLifts.prompt.weight is no weight of the authors' model"),
])  # fmt: skip
def test_what_does_not_fit_is_named(damage, says, files, theirs, tmp_path, capsys):
    source, config = tmp_path / 'in.pth', files / 'mini.py'
    torch.save(dict(model=damaged(theirs, damage)), source)
    assert_refused(
        TOOL, capsys, source, tmp_path / 'out.pth', '--config', config,
        says=f'{source} does not fit: ' + says.format(config=config),
    )  # fmt: skip


def test_the_way_back_checks_too(files, tmp_path, capsys):
    source, config = tmp_path / 'in.pth', files / 'mini.py'
    state = mini_model(files).state_dict()
    state['cls_head.fc_cls.bias'] = torch.zeros(11)
    torch.save(dict(meta={}, state_dict=state), source)
    assert_refused(
        TOOL, capsys, source, tmp_path / 'out.pth', '--config', config, '--reverse',
        says='cls_head.fc_cls.bias is (11,), but cls_head.fc_cls.bias is (7,) in '
        f'{config}',
    )  # fmt: skip


def test_a_file_of_the_other_direction_is_pointed_there(files, run, tmp_path, capsys):
    out, config = tmp_path / 'out.pth', ('--config', files / 'mini.py')
    ours, theirs = files / 'ours.pth', files / 'theirs.pth'
    assert_refused(TOOL, capsys, ours, out, *config, says='add --reverse')
    assert_refused(
        TOOL, capsys, theirs, out, *config, '--reverse', says='leave out --reverse'
    )


def test_a_config_of_another_dataset_is_refused(files, theirs, tmp_path, capsys):
    source, config = tmp_path / 'in.pth', tmp_path / 'mini.py'
    state = dict(theirs)
    state['head.head.1.weight'] = torch.zeros(11, 64)
    state['head.head.1.bias'] = torch.zeros(11)
    torch.save(dict(model=state), source)
    config.write_text(MINI + "model['cls_head']['num_classes'] = 11\n")
    assert_refused(
        TOOL, capsys, source, tmp_path / 'out.pth', '--config', config,
        says='DFEWDataset, names 7 classes, but model.cls_head.num_classes is 11',
    )  # fmt: skip


@pytest.mark.parametrize('content, says', [
    (b'', 'not a checkpoint that can be read'),
    (b'hello world', 'not a checkpoint that can be read'),
    (None, 'no file'),
    (dict(model=3), "no weights under 'model'"),
    ([1], 'holds list, not a dict of tensors'),
    ({}, 'holds nothing'),
])  # fmt: skip
def test_what_is_no_checkpoint_is_refused(content, says, files, tmp_path, capsys):
    source = tmp_path / 'in.pth'
    if isinstance(content, bytes):
        source.write_bytes(content)
    elif content is not None:
        torch.save(content, source)
    assert_refused(TOOL, capsys, source, tmp_path / 'out.pth', says=says)


def test_a_truncated_checkpoint_is_refused(files, tmp_path, capsys):
    content = (files / 'theirs.pth').read_bytes()
    (tmp_path / 'in.pth').write_bytes(content[: len(content) // 2])
    paths = (tmp_path / 'in.pth', tmp_path / 'out.pth')
    assert_refused(TOOL, capsys, *paths, says='not a checkpoint that can be read')


def test_nothing_is_overwritten_by_mistake(files, tmp_path, capsys):
    config = ('--config', files / 'mini.py')
    source = files / 'theirs.pth'
    assert_refused(TOOL, capsys, source, source, *config, says='is the input')
    assert_refused(
        TOOL, capsys, source, tmp_path / 'out', '--config', tmp_path / 'no.py',
        says=f'--config {tmp_path / "no.py"}',
    )  # fmt: skip


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    source, marker = write_malicious(tmp_path, 'zip')
    out = tmp_path / 'out.pth'
    result = run_tool(f'convert/{TOOL}', source, out, check=2)
    assert f'{source} refused: it contains shutil.copyfile' in result.stderr
    assert 'Traceback' not in result.stderr
    assert not marker.exists() and not out.exists()


def test_code_in_a_plain_pickle_is_not_run(tmp_path, capsys):
    source, marker = write_malicious(tmp_path, 'pickle')
    assert_refused(TOOL, capsys, source, tmp_path / 'out.pth', says='shutil.copyfile')
    assert not marker.exists()
