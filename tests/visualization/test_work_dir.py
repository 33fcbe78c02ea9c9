import json

import pytest

from ifdd_mmaction.visualization import (
    WorkDirError,
    choose_clips,
    find_config,
    read_predictions,
    read_scalars,
)


def train(step, epoch, **values):
    return dict(dict(loss=1.0, epoch=epoch, iter=step, step=step), **values)


def val(epoch, war=0.5):
    return {'dfer/WAR': war, 'dfer/UAR': war, 'step': epoch}


def write_run(work_dir, timestamp, records, tail=''):
    path = work_dir / timestamp / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(''.join(json.dumps(record) + '\n' for record in records) + tail)
    return path


def test_runs_are_joined_in_the_order_of_their_time(tmp_path):
    second = [train(3, 2), train(4, 2), val(2)]
    write_run(tmp_path, '20260102_000000', second)
    first = [train(1, 1), train(2, 1), val(1)]
    write_run(tmp_path, '20260101_235959', first)
    assert read_scalars(tmp_path) == first + second


def test_a_resumed_run_replaces_later_records(tmp_path):
    first = [train(1, 1), train(2, 1), val(1), train(3, 2), train(4, 2), val(2, 0.9)]
    first += [train(5, 3)]
    second = [train(3, 2, loss=7.0), train(4, 2, loss=8.0), val(2, 0.6)]
    write_run(tmp_path, '20260101_000000', first)
    write_run(tmp_path, '20260102_000000', second)
    # also step 5, which no later run overwrites
    assert read_scalars(tmp_path) == first[:3] + second
    # a resumed run that ends before it validates leaves no score of that epoch
    write_run(tmp_path, '20260103_000000', second[:1])
    assert read_scalars(tmp_path) == first[:3] + second[:1]


def test_a_fresh_run_in_the_same_folder_replaces_all(tmp_path):
    write_run(tmp_path, '20260101_000000', [train(1, 1), val(1), train(2, 2), val(2)])
    second = [train(1, 1, loss=3.0), val(1, 0.1)]
    write_run(tmp_path, '20260102_000000', second)
    assert read_scalars(tmp_path) == second


def test_a_run_without_a_record_replaces_nothing(tmp_path):
    first = [train(1, 1), val(1)]
    write_run(tmp_path, '20260101_000000', first)
    write_run(tmp_path, '20260102_000000', [])
    write_run(tmp_path, '20260103_000000', [{'data_time': 1.0, 'step': 0}])
    # validation outside training
    write_run(tmp_path, '20260104_000000', [val(0)])
    assert read_scalars(tmp_path) == first


def test_an_incomplete_last_line_is_ignored(tmp_path):
    write_run(tmp_path, '20260101_000000', [train(1, 1)], tail='{"loss": 0.')
    assert read_scalars(tmp_path) == [train(1, 1)]


def test_an_invalid_line_is_named(tmp_path):
    path = write_run(tmp_path, '20260101_000000', [train(1, 1)], tail='{oh\n{}\n')
    with pytest.raises(WorkDirError, match=rf'{path}:2'):
        read_scalars(tmp_path)


def test_no_scalars_are_no_records(tmp_path):
    assert read_scalars(tmp_path) == []


def report(**changes):
    clip = dict(clip='3', label=1, prediction=0, scores=[2.0, 1.0])
    whole = dict(classes=['a', 'b'], confusion_matrix=[[0, 0], [1, 0]], clips=[clip])
    return dict(whole, **changes)


def test_predictions_are_read(tmp_path):
    path = tmp_path / 'predictions.json'
    path.write_text(json.dumps(report()))
    assert read_predictions(path) == report()


@pytest.mark.parametrize(
    'content',
    [
        b'\x80\x04 a pickle',
        b'[]',
        b'{"classes": ["a"]}',
        json.dumps(report(classes=['a'])).encode(),
        json.dumps(report(confusion_matrix=[[1]])).encode(),
        json.dumps(report(clips=[])).encode(),
        json.dumps(report(clips=[dict(clip='1', label=0, scores=[1, 2])])).encode(),
        json.dumps(
            report(clips=[dict(clip='1', label=0, prediction=2, scores=[1, 2])])
        ).encode(),
        json.dumps(
            report(clips=[dict(clip='1', label=0, prediction=0, scores=[1])])
        ).encode(),
    ],
)
def test_other_files_raise_an_error(tmp_path, content):
    path = tmp_path / 'predictions.json'
    path.write_bytes(content)
    with pytest.raises(WorkDirError, match='is not a dump of DFERMetric') as error:
        read_predictions(path)
    assert f'tools/test.py CONFIG CHECKPOINT --dump {path}' in str(error.value)


def test_exactly_one_config_is_required(tmp_path):
    with pytest.raises(WorkDirError, match='contains no config'):
        find_config(tmp_path)
    (tmp_path / 'a.py').touch()
    assert find_config(tmp_path) == tmp_path / 'a.py'
    (tmp_path / 'b.py').touch()
    with pytest.raises(WorkDirError, match=r'2 configs, a\.py, b\.py.*--config'):
        find_config(tmp_path)


def clips(*pairs):
    return [
        dict(clip=str(i), label=label, prediction=prediction)
        for i, (label, prediction) in enumerate(pairs)
    ]


def test_clips_are_correct_and_wrong_ones_of_different_classes():
    all_clips = clips(*[(0, 0)] * 5, *[(0, 1)] * 5, (1, 1), (2, 2), (3, 0), (4, 0))
    chosen = choose_clips(all_clips, 6)
    pairs = [(clip['label'], clip['prediction']) for clip in chosen]
    assert pairs == [(0, 0), (1, 1), (2, 2), (3, 0), (4, 0), (0, 1)]
    assert choose_clips(all_clips, 6) == chosen
    assert [clip['clip'] for clip in chosen] == ['0', '10', '11', '12', '13', '5']


@pytest.mark.parametrize(
    'right, wrong, count, expected',
    [
        (9, 9, 6, (3, 3)),
        (9, 9, 5, (3, 2)),
        (9, 1, 6, (5, 1)),
        (9, 0, 6, (6, 0)),
        (1, 9, 6, (1, 5)),
        (0, 9, 6, (0, 6)),
        (1, 1, 6, (1, 1)),
        (9, 9, 1, (1, 0)),
    ],
)
def test_missing_correct_or_wrong_clips_are_replaced_by_the_other(
    right, wrong, count, expected
):
    chosen = choose_clips(clips(*[(0, 0)] * right, *[(0, 1)] * wrong), count)
    hits = sum(clip['label'] == clip['prediction'] for clip in chosen)
    assert (hits, len(chosen) - hits) == expected
    assert len({clip['clip'] for clip in chosen}) == len(chosen)
