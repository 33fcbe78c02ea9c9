"""``tools/train.py`` and ``tools/test.py`` on real files, in real processes."""

import json
import os
import re
import shutil
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from ifdd_mmaction.apis import test, train, training
from ifdd_mmaction.apis.training import set_randomness
from ifdd_mmaction.checkpoints import CheckpointError
from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.errors import InputError
from tests.helpers.golden import ROOT, load_tool
from tests.helpers.layouts import make_dfew, write_list
from tests.helpers.processes import free_port
from tests.helpers.tools import TINY, data_options, run_tool

LOADERS = ('train', 'val', 'test')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return make_dfew(tmp_path_factory.mktemp('dfew'), clips_per_class=2, frames=10)


@pytest.fixture(scope='module')
def trained(data, tmp_path_factory):
    """A work dir after one epoch of training."""
    work_dir = tmp_path_factory.mktemp('run') / 'work'
    run_tool(
        'train.py', TINY, '--work-dir', work_dir, '--seed', 3, '--data-root', data,
        '--cfg-options', 'train_cfg.max_epochs=1',
    )  # fmt: skip
    return work_dir


def test_a_checkpoint_names_the_data_it_was_trained_on(trained):
    checkpoint = torch.load(trained / 'epoch_1.pth', weights_only=True)
    meta = checkpoint['meta']['dataset_meta']
    assert meta['classes'][0] == 'happy' and len(meta['classes']) == 7
    assert meta['fold'] == 1 and meta['release'] == 'Clip/clip_224x224_16f'
    assert checkpoint['meta']['seed'] == 3


@pytest.mark.parametrize('how', ['auto', 'path'])
def test_resume_continues_after_the_saved_epoch(trained, data, tmp_path, how):
    work_dir = tmp_path / 'work'
    shutil.copytree(trained, work_dir)
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'epoch_1.pth'))
    resume = [work_dir / 'epoch_1.pth'] if how == 'path' else []
    result = run_tool(
        'train.py', TINY, '--work-dir', work_dir, '--resume', *resume,
        '--cfg-options', *data_options(data, *LOADERS),
    )  # fmt: skip
    log = result.stdout + result.stderr
    assert re.search(r'resumed epoch: 1\b', log), log[-3000:]
    assert set(re.findall(r'Epoch\(train\) +\[(\d+)\]', log)) == {'2'}
    assert (work_dir / 'epoch_2.pth').is_file()


def test_testing_prints_the_metrics_and_dumps_the_predictions(trained, data, tmp_path):
    dump = tmp_path / 'predictions.json'
    result = run_tool(
        'test.py', TINY, trained / 'epoch_1.pth', '--work-dir', tmp_path / 'work',
        '--dump', dump, '--data-root', data,
    )  # fmt: skip
    report = json.loads(dump.read_text())
    assert len(report['clips']) == 14
    log = result.stdout + result.stderr
    found = re.search(r'dfer/WAR: ([\d.]+) +dfer/UAR: ([\d.]+)', log)
    assert found, log[-2000:]
    assert float(found[1]) == pytest.approx(report['WAR'], abs=1e-4)
    assert 'confusion_matrix' in log
    recall = 100 * report['recall']['happy']
    assert re.search(rf'recall happy +{recall:.2f} %', result.stdout)


def test_a_pickle_of_data_samples_as_mmaction2_writes_it(trained, data, tmp_path):
    dump = tmp_path / 'predictions.pkl'
    run_tool(
        'test.py', TINY, trained / 'epoch_1.pth', '--work-dir', tmp_path / 'work',
        '--dump', dump, '--cfg-options', *data_options(data, *LOADERS),
    )  # fmt: skip
    assert dump.stat().st_size > 1000


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason='about training on a CPU')
@pytest.mark.parametrize('limit', ['AVX512_CORE', 'ALL'])
def test_a_processor_on_which_bfloat16_does_not_pay_is_named_once(
    trained, data, tmp_path, limit
):
    options = ['--cfg-options', *data_options(data, *LOADERS)]
    # In new interpreters: oneDNN reads the variable once.
    run = partial(run_tool, fresh=True, ONEDNN_MAX_CPU_ISA=limit)
    runs = (
        run(
            'train.py', TINY, '--amp', '--work-dir', tmp_path / 'train', *options,
        ),
        run(
            'test.py', TINY, trained / 'epoch_1.pth', '--work-dir', tmp_path / 'test',
            *options, 'test_cfg.fp16=True',
        ),
        run(
            'train.py', TINY, '--work-dir', tmp_path / 'float32', *options,
            'train_cfg.max_epochs=1',
        ),
    )  # fmt: skip
    flags = set(Path('/proc/cpuinfo').read_text().split())
    pays = limit == 'ALL' and bool(flags & {'avx512_bf16', 'amx_bf16', 'bf16'})
    said = [(r.stdout + r.stderr).count('mixed precision does not pay') for r in runs]
    assert said == [not pays, not pays, 0]


@pytest.mark.slow
def test_two_processes_train_and_test_as_one_does(trained, data, tmp_path):
    options = ['--cfg-options', *data_options(data, *LOADERS)]
    work_dir = tmp_path / 'work'
    port = str(free_port())
    run_tool(
        'dist_train.sh', TINY, 2, '--work-dir', work_dir, *options,
        'train_cfg.max_epochs=1', 'train_dataloader.batch_size=2', MASTER_PORT=port,
    )  # fmt: skip
    assert (work_dir / 'epoch_1.pth').is_file()
    reports = []
    for name, tool, count in (('one', 'test.py', []), ('two', 'dist_test.sh', [2])):
        dump = tmp_path / f'{name}.json'
        run_tool(
            tool, TINY, trained / 'epoch_1.pth', *count, '--dump', dump,
            '--work-dir', tmp_path / name, *options, MASTER_PORT=port,
        )  # fmt: skip
        reports.append(json.loads(dump.read_text()))
    one, two = reports
    assert [c['clip'] for c in one['clips']] == [c['clip'] for c in two['clips']]
    assert one['confusion_matrix'] == two['confusion_matrix']


def test_missing_data_takes_two_lines_and_leaves_nothing(tmp_path):
    work_dir = tmp_path / 'work'
    result = run_tool(
        'train.py', ROOT / 'configs' / 'ifdd_vit_dfew.py', '--work-dir', work_dir,
        '--cfg-options', *data_options(tmp_path / 'dfew', 'train', 'val'), check=2,
    )  # fmt: skip
    lines = result.stderr.strip().splitlines()[-2:]
    assert str(tmp_path / 'dfew') in lines[0] and 'data/README.md' in lines[1]
    assert 'Traceback' not in result.stderr + result.stdout
    assert not work_dir.exists()


@pytest.mark.parametrize('damage', ['fold', 'header', 'label', 'empty', 'absent'])
def test_bad_data_ends_in_one_error_before_training(tmp_path, damage):
    root = make_dfew(tmp_path / 'dfew', clips_per_class=1, frames=2)
    split = root / 'EmoLabel_DataSplit/train(single-labeled)/set_1.csv'
    clip = root / 'Clip/clip_224x224_16f/00003'
    if damage == 'fold':
        split.unlink()
    elif damage == 'header':
        write_list(split, [(1, 1)], header=None)
    elif damage == 'label':
        write_list(split, [(1, 9)])
    else:
        shutil.rmtree(clip)
        if damage == 'empty':
            clip.mkdir()
    result = run_tool(
        'train.py', TINY, '--work-dir', tmp_path / 'work',
        '--cfg-options', *data_options(root, 'train', 'val'), check=2,
    )  # fmt: skip
    named = clip if damage in ('empty', 'absent') else split
    assert str(named) in result.stderr and 'Traceback' not in result.stderr
    assert not (tmp_path / 'work').exists()


def test_a_truncated_jpeg_is_replaced_in_training_and_ends_validation(tmp_path):
    root = make_dfew(tmp_path / 'dfew', clips_per_class=1, frames=2)
    bad = [root / f'Clip/clip_224x224_16f/{clip}/2.jpg' for clip in ('00003', '00009')]
    for path in bad:
        path.write_bytes(path.read_bytes()[:-40])
    result = run_tool(
        'train.py', TINY, '--work-dir', tmp_path / 'work',
        '--cfg-options', *data_options(root, 'train', 'val'),
        'train_dataloader.batch_size=7', check=2,
    )  # fmt: skip
    log = result.stdout + result.stderr
    assert re.search(rf'train epoch 1: 1 clips .*\n  3: {re.escape(str(bad[0]))}', log)
    assert f'{bad[1]}: truncated JPEG' in result.stderr
    assert 'Traceback' not in result.stderr


@pytest.mark.parametrize(
    'tool, arguments', [('train.py', []), ('test.py', ['none.pth'])]
)
def test_a_config_that_is_not_there_takes_one_line(
    tool, arguments, monkeypatch, capsys
):
    monkeypatch.setattr(sys, 'argv', [tool, 'none.py', *arguments])
    with pytest.raises(SystemExit) as exit:
        load_tool(tool).main()
    assert exit.value.code == 2
    assert capsys.readouterr().err.endswith('error: no config none.py\n')


@pytest.mark.parametrize('args, message', [
    (['none.pth'], 'no checkpoint none.pth'),
    ([__file__, '--dump', 'x.csv'], '--dump x.csv'),
])  # fmt: skip
def test_wrong_arguments_of_test_are_refused(args, message):
    result = run_tool('test.py', TINY, *args, check=2)
    assert message in result.stderr


@pytest.mark.parametrize('tool', ['train.py', 'test.py'])
def test_a_wrong_neck_takes_one_line(tool, trained, data, tmp_path):
    checkpoint = [trained / 'epoch_1.pth'] if tool == 'test.py' else []
    result = run_tool(
        tool, TINY, *checkpoint, '--work-dir', tmp_path / 'work', '--cfg-options',
        *data_options(data, *LOADERS), 'model.neck.clip_shape=(8,32,32)',
        'model.neck.in_channels=(3,5)', check=2,
    )  # fmt: skip
    assert 'Traceback' not in result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert 'model.neck.in_channels=[3, 5], but with this backbone' in last
    assert not (tmp_path / 'work').exists()


@pytest.mark.parametrize('tool', ['train.py', 'test.py'])
def test_a_test_of_larger_crops_takes_one_line(tool, trained, data, tmp_path):
    config = tmp_path / 'three_crop.py'
    config.write_text(f"""
_base_ = [{str(TINY)!r}]
test_pipeline = [
    dict(type='SampleClip', clip_len=8, test_mode=True),
    dict(type='LoadFrames'),
    dict(type='ResizeClip', size=48),
    dict(type='ThreeCrop', crop_size=48),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
""")
    checkpoint = [trained / 'epoch_1.pth'] if tool == 'test.py' else []
    result = run_tool(
        tool, config, *checkpoint, '--work-dir', tmp_path / 'work', '--cfg-options',
        *data_options(data, *LOADERS), check=2,
    )  # fmt: skip
    assert 'Traceback' not in result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith('test_dataloader: the pipeline makes clips of (T, H, W) = ')
    assert '(8, 48, 48), for which the neck is not built' in last
    assert not (tmp_path / 'work').exists()


@pytest.mark.parametrize('call', [train, partial(test, checkpoint=__file__)])
def test_the_fold_is_one_option_and_names_the_default_work_dir(
    call, data, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    given = []

    def note(cfg, *args):
        given.append(cfg)
        raise InputError('seen')

    monkeypatch.setattr(training, 'check_checkpoint', lambda path: None)
    monkeypatch.setattr(training, 'check_clip_shapes', note)
    config = tmp_path / 'leaf.py'
    config.write_text(f"_base_ = ['{TINY}']\n")
    with pytest.raises(InputError, match='seen'):
        call(config=config, fold=1, data_root=data)
    (cfg,) = given
    roots = {cfg[f'{name}_dataloader'].dataset.data_root for name in LOADERS}
    assert roots == {str(data)}
    assert {cfg[f'{name}_dataloader'].dataset.fold for name in LOADERS} == {1}
    assert cfg.work_dir == 'work_dirs/leaf/fold1'


@pytest.mark.parametrize('option', ['diff_rank_seed', 'deterministic'])
def test_randomness_is_an_option_or_a_value_of_the_config(option):
    for given, options, expected in (
        ({}, {}, None),
        ({option: True}, {}, True),
        ({}, {f'randomness.{option}': True}, True),
    ):
        cfg = Config.fromfile(TINY)
        cfg.merge_from_dict(options)
        set_randomness(cfg, **given)
        assert cfg.randomness.get(option) is expected


def test_a_notebook_trains_and_tests_in_one_call(data, tmp_path):
    """A config as an object, which stays as it is; both in one process."""
    cfg = Config.fromfile(TINY)
    before = cfg.to_dict()
    options = {f'{name}_dataloader.dataset.data_root': str(data) for name in LOADERS}
    options['train_cfg.max_epochs'] = 1
    runner = train(cfg, work_dir=tmp_path / 'work', seed=3, cfg_options=options)
    assert runner.work_dir == str(tmp_path / 'work') and runner.iter > 0
    checkpoint = tmp_path / 'work' / 'epoch_1.pth'
    dump = tmp_path / 'predictions.json'
    metrics = test(
        cfg, checkpoint, work_dir=tmp_path / 'work', dump=dump, cfg_options=options
    )
    assert cfg.to_dict() == before
    report = json.loads(dump.read_text())
    assert metrics['dfer/WAR'] == report['WAR']
    # As the tool, to the digit.
    run_tool(
        'test.py', TINY, checkpoint, '--work-dir', tmp_path / 'tool', '--dump', dump,
        '--cfg-options', *data_options(data, *LOADERS),
    )  # fmt: skip
    assert json.loads(dump.read_text()) == report


def test_the_functions_raise_what_the_tools_print(data, tmp_path):
    with pytest.raises(DatasetError, match='no folder'):
        train(TINY, cfg_options={'train_dataloader.dataset.data_root': 'absent'})
    with pytest.raises(InputError, match='no checkpoint absent'):
        test(TINY, 'absent.pth')
    damaged = tmp_path / 'a.pth'
    damaged.write_bytes(b'no checkpoint')
    roots = {f'{name}_dataloader.dataset.data_root': str(data) for name in LOADERS}
    with pytest.raises(CheckpointError, match=str(damaged)):
        test(TINY, damaged, work_dir=tmp_path / 'work', cfg_options=roots)
    with pytest.raises(InputError, match=r'--dump x\.csv'):
        test(TINY, damaged, dump='x.csv')
    options = {'optim_wrapper.type': 'ApexOptimWrapper'}
    with pytest.raises(InputError, match='--amp replaces OptimWrapper'):
        train(TINY, amp=True, cfg_options=options)
    with pytest.raises(InputError, match='has a base of its own'):
        train(TINY, base='ifdd_cnn_dfew')


def test_a_work_dir_that_cannot_be_written_is_named(data, tmp_path):
    options = ['--cfg-options', *data_options(data, *LOADERS)]
    if os.geteuid():
        folder = tmp_path / 'closed'
        folder.mkdir(mode=0o500)
    else:
        folder = Path('/sys')
    result = run_tool('train.py', TINY, '--work-dir', folder / 'a', *options, check=3)
    line = result.stderr.strip().splitlines()[-1]
    assert str(folder) in line and 'cannot be written' in line


@pytest.mark.parametrize('how', ['argument', 'environment'])
def test_the_base_of_an_ablation_is_an_argument_or_in_the_environment(how, data):
    base = 'no_such_config'
    given = ['--base', base] if how == 'argument' else []
    env = {} if how == 'argument' else {'IFDD_BASE': base}
    leaf = ROOT / 'configs' / 'ablation' / 'split_topk.py'
    result = run_tool('train.py', leaf, *given, check=2, **env)
    assert 'no_such_config.py' in result.stderr
    assert 'IFDD_BASE' not in os.environ


def test_a_fold_that_the_dataset_does_not_have_takes_one_line(tmp_path):
    result = run_tool('train.py', TINY, '--fold', 6, check=2)
    assert result.stderr.strip().splitlines()[-1] == (
        'fold 6: DFEWDataset has folds 1, 2, 3, 4, 5'
    )
