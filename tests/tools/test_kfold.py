"""``tools/kfold.py``, ``aggregate_folds.py`` and ``--fold``."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from mmengine.config import Config

from ifdd_mmaction.apis import kfold
from ifdd_mmaction.engine.runs import RunError
from tests.helpers.golden import ROOT, load_tool
from tests.helpers.layouts import make_dfew
from tests.helpers.tools import TINY, data_options, run_tool

LOADERS = ('train', 'val', 'test')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return make_dfew(
        tmp_path_factory.mktemp('dfew'), clips_per_class=1, frames=8, folds=2
    )


@pytest.fixture
def call(monkeypatch):
    """Return a function that runs the tool in this process."""
    tool = load_tool('kfold.py')
    monkeypatch.chdir(ROOT)

    return lambda *args: tool.main([str(arg) for arg in args])


@pytest.mark.parametrize('text, folds', [
    ('1-5', [1, 2, 3, 4, 5]),
    ('3', [3]),
    ('5,1-2,2', [1, 2, 5]),
])  # fmt: skip
def test_a_list_of_folds(text, folds):
    assert load_tool('kfold.py').fold_list(text) == folds


@pytest.mark.parametrize('text', ['', 'a', '1-', '1,,2', '5-1'])
def test_what_is_no_list_of_folds_is_refused(text, call, capsys):
    with pytest.raises(SystemExit) as caught:
        call(TINY, '--folds', text)
    assert caught.value.code == 2 and 'give folds as 1-5' in capsys.readouterr().err


def test_a_fold_without_data_is_refused_before_any_training(
    call, data, tmp_path, capsys
):
    work_dir = tmp_path / 'work'
    options = ['--cfg-options', *data_options(data, *LOADERS)]
    assert call(TINY, '--work-dir', work_dir, *options) == 2
    # All five folds of DFEW are asked for, the data has two.
    assert 'no annotation of train fold 3' in capsys.readouterr().err
    assert not work_dir.exists()


@pytest.mark.parametrize('how', ['argument', 'environment'])
def test_the_array_is_a_shell_script_of_one_task_for_each_fold(
    call, data, tmp_path, monkeypatch, how
):
    leaf = ROOT / 'configs/_base_/options/ema.py'
    base = '../tests/data/tiny_dfew'
    if how == 'environment':  # that of the job is another one
        monkeypatch.setenv('IFDD_BASE', base)
    given = ['--base', base] if how == 'argument' else []
    script, work_dir = tmp_path / 'kfold.sbatch', tmp_path / 'my work'
    options = ['--cfg-options', *data_options(data, *LOADERS)]
    assert call(
        leaf, '--folds', '1-2', '--work-dir', work_dir, '--gpus', 4, '--seed', 3,
        *given, '--slurm', script, '--sbatch=--partition=gpu', *options,
    ) == 0  # fmt: skip
    subprocess.run(['bash', '-n', script], check=True)
    text = script.read_text()
    assert '#SBATCH --array=1,2\n' in text and '#SBATCH --gres=gpu:4\n' in text
    assert '#SBATCH --partition=gpu\n' in text
    # Run the body with a Python that says what it is asked for.
    words = tmp_path / 'words'
    echo = tmp_path / 'python'
    echo.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {words}\n')
    echo.chmod(0o755)
    script.write_text(text.replace(sys.executable, str(echo)))
    env = {**os.environ, 'SLURM_ARRAY_TASK_ID': '2'}
    subprocess.run(['bash', script], env=env, check=True)
    asked = words.read_text().splitlines()
    assert asked[1:] == [
        str(leaf), '--work-dir', str(work_dir), '--gpus', '4',
        '--base', base, '--seed', '3', '--folds', '2',
        '--out', f'{work_dir}/fold2/folds', *options,
    ]  # fmt: skip


@pytest.fixture
def five(tmp_path):
    return make_dfew(tmp_path / 'dfew', clips_per_class=1, frames=8, folds=5)


@pytest.fixture
def films(tmp_path):
    """A file with a film for each of the 14 clips; each has a clip of every class."""
    path = tmp_path / 'my films.csv'
    rows = [f'{i:05d},film {(i - 1) // 7}\n' for i in range(1, 15)]
    path.write_text('clip,group\n' + ''.join(rows))
    return path


GROUPS = ('--num-folds', '2', '--groups')


def test_the_array_of_folds_by_groups_has_their_lists(call, five, films, tmp_path):
    script, work_dir = tmp_path / 'kfold.sbatch', tmp_path / 'work'
    options = ['--cfg-options', *data_options(five, *LOADERS)]
    args = TINY, '--work-dir', work_dir, *GROUPS, films, '--slurm', script, *options
    assert call(*args) == 0
    text = script.read_text()
    assert '#SBATCH --array=1,2\n' in text
    assert f"--groups '{films}' --num-folds 2" in text and '.lists=' not in text
    lists = work_dir / 'groups'
    sides = {
        (fold, split): (lists / f'set_{fold}/{split}.csv').read_text().split()[1:]
        for fold in (1, 2)
        for split in ('train', 'test')
    }
    assert sides[1, 'train'] == sides[2, 'test'] and len(sides[1, 'train']) == 7
    assert sides[2, 'train'] == sides[1, 'test'] != sides[1, 'train']


@pytest.mark.parametrize('options, message', [
    (['--num-folds', '2'], '--num-folds is for --groups FILE'),
    (['--num-folds', '1', '--groups', 'x.csv'], '--num-folds is 1, not at least 2'),
])  # fmt: skip
def test_options_of_groups_that_make_no_sense_are_refused(
    call, capsys, options, message
):
    with pytest.raises(SystemExit) as caught:
        call(TINY, *options)
    assert caught.value.code == 2 and message in capsys.readouterr().err


def test_groups_that_leave_clips_out_are_refused(call, five, films, tmp_path, capsys):
    films.write_text(''.join(films.read_text().splitlines(keepends=True)[:-2]))
    work_dir = tmp_path / 'work'
    options = ['--cfg-options', *data_options(five, *LOADERS)]
    assert call(TINY, '--work-dir', work_dir, *GROUPS, films, *options) == 2
    said = capsys.readouterr().err
    assert f'{films}: 2 of 14 clips have no group, add them:\n  13\n  14' in said
    assert not work_dir.exists()


@pytest.mark.slow
def test_a_fold_by_groups_is_trained_and_tested(call, five, films, tmp_path, capfd):
    work_dir = tmp_path / 'work'
    options = [*data_options(five, *LOADERS), 'train_cfg.max_epochs=1']
    args = [TINY, '--work-dir', work_dir, '--folds', 2, *GROUPS, films]
    assert call(*args, '--cfg-options', *options) == 0
    folder = work_dir / 'fold2'
    for loader in LOADERS:
        own = Config.fromfile(folder / 'tiny_dfew.py')[f'{loader}_dataloader'].dataset
        assert own.lists == str((work_dir / 'groups').resolve()) and own.fold == 2
    listed = (work_dir / 'groups/set_2/test.csv').read_text().splitlines()[1:]
    report = json.loads((folder / 'predictions.json').read_text())
    assert {clip['clip'] for clip in report['clips']} == {
        line.split(',')[0] for line in listed
    }
    record = json.loads((work_dir / 'folds.json').read_text())
    assert record['groups'] == str(films)


@pytest.fixture(scope='module')
def finished(data, tmp_path_factory):
    """Fold 1 as a task of an array, then both folds as one command."""
    work_dir = tmp_path_factory.mktemp('runs') / 'kfold'
    script = work_dir.with_name('kfold.sbatch')
    command = [
        'kfold.py', TINY, '--folds', '1-2', '--work-dir', work_dir,
        '--cfg-options', *data_options(data, *LOADERS), 'train_cfg.max_epochs=1',
    ]  # fmt: skip
    run_tool(*command[:2], '--slurm', script, *command[2:])
    subprocess.run(
        ['bash', script],
        env={**os.environ, 'SLURM_ARRAY_TASK_ID': '1'},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    assert (work_dir / 'fold1' / 'folds.json').is_file()
    log = (work_dir / 'fold1' / 'log.txt').read_text()
    result = run_tool(*command)
    assert (work_dir / 'fold1' / 'log.txt').read_text() == log
    return work_dir, result.stdout


@pytest.mark.slow
def test_every_fold_is_trained_and_tested_once(finished):
    work_dir, said = finished
    record = json.loads((work_dir / 'folds.json').read_text())
    assert [row['fold'] for row in record['rows']] == [1, 2]
    for row in record['rows']:
        folder = work_dir / f'fold{row["fold"]}'
        trained = Config.fromfile(folder / 'tiny_dfew.py')
        assert trained.train_dataloader.dataset.fold == row['fold']
        for name, dump in (('last', 'predictions'), ('best', 'predictions_best')):
            report = json.loads((folder / f'{dump}.json').read_text())
            assert {k: row[name][k] for k in ('WAR', 'UAR')} == {
                k: report[k] for k in ('WAR', 'UAR')
            }
    mean = record['mean']['last']['WAR']
    wars = [row['last']['WAR'] for row in record['rows']]
    assert mean['mean'] == pytest.approx(sum(wars) / 2) and mean['n'] == 2
    assert (work_dir / 'folds.md').read_text().strip() in said


@pytest.mark.slow
def test_from_python_the_same_folds_are_finished(finished, data, capfd):
    work_dir, _ = finished
    log = (work_dir / 'fold2' / 'log.txt').read_text()
    options = {f'{name}_dataloader.dataset.data_root': str(data) for name in LOADERS}
    options['train_cfg.max_epochs'] = 1
    record = kfold(TINY, folds=[1, 2], work_dir=work_dir, cfg_options=options)
    assert record.pop('failed') == {}
    assert record == json.loads((work_dir / 'folds.json').read_text())
    assert (work_dir / 'fold2' / 'log.txt').read_text() == log
    options['train_cfg.max_epochs'] = 2
    with pytest.raises(RunError, match='run with other settings: options'):
        kfold(TINY, folds=[1, 2], work_dir=work_dir, cfg_options=options)


@pytest.fixture
def aggregate(monkeypatch, capsys):
    tool = load_tool('analysis/aggregate_folds.py')

    def aggregate(*args):
        monkeypatch.setattr(sys, 'argv', ['aggregate_folds.py', *map(str, args)])
        code = tool.main()
        return code, *capsys.readouterr()

    return aggregate


@pytest.mark.slow
def test_the_same_table_comes_of_finished_work_dirs(finished, aggregate, tmp_path):
    work_dir, _ = finished
    code, table, warnings = aggregate(work_dir, '--out', tmp_path / 'table')
    assert table.startswith((work_dir / 'folds.md').read_text())
    # The data has two folds, DFEW five.
    assert code == 1 and warnings.splitlines() == [
        f'warning: fold {fold} is missing' for fold in (3, 4, 5)
    ]
    record = json.loads((tmp_path / 'table.json').read_text())
    assert len(record['warnings']) == 3
    # Validation is on the test fold: without what kfold.py left it is the same.
    copies = [shutil.copytree(work_dir / f'fold{k}', tmp_path / str(k)) for k in (1, 2)]
    for copy in copies:
        (copy / 'scores.json').unlink()
    _, same, _ = aggregate(*copies)
    assert same.strip() == (work_dir / 'folds.md').read_text().strip()


def write_run(folder, fold=1, epochs=(0.3, 0.6, 0.6), test_fold=None, **changes):
    """Write what a training leaves."""
    scalars = folder / '20250101_000000' / 'vis_data' / 'scalars.json'
    scalars.parent.mkdir(parents=True)
    lines = [
        json.dumps({'dfer/WAR': war, 'dfer/UAR': war - i / 10, 'step': i})
        for i, war in enumerate(epochs, start=1)
    ]
    scalars.write_text('\n'.join(lines))
    dataset = dict(type='DFEWDataset', data_root='x', split='train', fold=fold)
    tested = dict(dataset, split='test', fold=test_fold or fold)
    config = dict(
        work_dir=str(folder),
        fold=fold,
        train_cfg=dict(max_epochs=3),
        optim_wrapper=dict(optimizer=dict(lr=1e-3)),
        train_dataloader=dict(dataset=dataset),
        val_dataloader=dict(dataset=tested),
        test_dataloader=dict(dataset=dict(tested)),
    )
    cfg = Config(config)
    cfg.merge_from_dict(changes)
    cfg.dump(scalars.with_name('config.py'))
    return folder


def test_last_and_best_epoch_are_read_of_what_training_logged(tmp_path, aggregate):
    for fold in range(1, 6):
        write_run(tmp_path / f'fold{fold}', fold)
    code, table, warnings = aggregate(tmp_path)
    assert (code, warnings) == (0, '')
    # The first of two equal bests, with its own UAR.
    assert '| 3 | 3 | 60.00 | 30.00 | 2 | 60.00 | 40.00 |' in table
    assert 'mean of 5 |  | 60.00 ± 0.00 | 30.00 ± 0.00 |' in table


@pytest.mark.parametrize('changes, message', [
    ({'optim_wrapper.optimizer.lr': 2e-3},
     'different configs: optim_wrapper.optimizer.lr is 0.001 in fold 1, 0.002 in fold'),
    ({'train_dataloader.dataset.split': 'all'},
     'different configs: train_dataloader.dataset.split'),
    ({'new.key': 1}, "different configs: new.key is 'not set' in fold 1, 1 in fold 2"),
    ({}, ''),
])  # fmt: skip
def test_folds_that_do_not_belong_together_are_named(
    tmp_path, aggregate, changes, message
):
    write_run(tmp_path / 'fold1', 1)
    write_run(tmp_path / 'fold2', 2, **changes)
    code, _, warnings = aggregate(tmp_path)
    assert code == 1
    named = [line for line in warnings.splitlines() if 'missing' not in line]
    assert len(named) == bool(message) and message in ''.join(named)


@pytest.mark.parametrize('changes, message', [
    (dict(epochs=[0.5, 0.4]), 'ends at epoch 2 of 3'),
    ({'val_dataloader.dataset.split': 'val'}, 'the scores are of validation, not of'),
])  # fmt: skip
def test_scores_that_are_not_the_protocols_are_named(
    tmp_path, aggregate, changes, message
):
    run = write_run(tmp_path / 'fold2', 2, **changes)
    code, _, warnings = aggregate(run)
    assert code == 1 and f'{run}: {message}' in warnings


def test_a_fold_that_is_there_twice_is_named(tmp_path, aggregate):
    one, other = (write_run(tmp_path / name, 4) for name in ('a', 'b'))
    code, _, warnings = aggregate(one, other)
    assert code == 1
    assert f'fold 4 is there 2 times, and so often in the mean: {one}, {other}' in (
        warnings
    )


@pytest.mark.parametrize('damage, message', [
    ('leak', 'its datasets have the folds 1, 2'),
    ('empty', 'no dfer/WAR'),
    ('none', 'no run of tools/train.py'),
])  # fmt: skip
def test_what_is_no_fold_is_refused(tmp_path, aggregate, damage, message):
    if damage == 'none':
        run = tmp_path
    else:
        kwargs = dict(test_fold=2) if damage == 'leak' else dict(epochs=())
        run = write_run(tmp_path / 'fold1', **kwargs)
    code, _, said = aggregate(run)
    assert code == 2 and message in said and str(run) in said
