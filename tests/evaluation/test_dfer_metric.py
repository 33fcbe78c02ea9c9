import json
import warnings

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from ifdd_mmaction.evaluation import DFERMetric, calibration_scores, dfer_scores

CLASSES = ('happy', 'sad', 'neutral', 'angry', 'surprise', 'disgust', 'fear')


def evaluate(labels, scores, classes=CLASSES, **options):
    metric = DFERMetric(**options)
    metric.dataset_meta = dict(classes=classes)
    for i in range(0, len(labels), 5):
        batch = [
            dict(
                gt_label=torch.tensor([label]),
                pred_score=torch.as_tensor(score),
                video_id=f'{i + j:05d}',
            )
            for j, (label, score) in enumerate(
                zip(labels[i : i + 5], scores[i : i + 5], strict=True)
            )
        ]
        metric.process({}, batch)
    return metric.evaluate(len(labels))


@pytest.mark.parametrize('absent', [[], [5], [0, 3, 6]])
@pytest.mark.parametrize('seed', range(4))
def test_equals_scikit_learn_also_with_absent_classes(absent, seed):
    rng = np.random.default_rng(seed)
    present = [k for k in range(7) if k not in absent]
    labels = rng.choice(present, 60)
    scores = rng.normal(size=(60, 7)).astype(np.float32)
    scores[np.arange(60), labels] += 1
    if seed % 2:
        scores[:, absent] -= 100  # absent from the predictions too
    predictions = scores.argmax(1)
    found = evaluate(labels.tolist(), scores)
    with warnings.catch_warnings():
        # scikit-learn warns about predictions without labels
        warnings.simplefilter('ignore', UserWarning)
        expected = {
            'dfer/WAR': sk.accuracy_score(labels, predictions),
            'dfer/UAR': sk.balanced_accuracy_score(labels, predictions),
            'dfer/F1': sk.f1_score(labels, predictions, average='macro'),
        }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-12), name
    recall = sk.recall_score(labels, predictions, labels=present, average=None)
    for k, value in zip(present, recall, strict=True):
        assert found[f'dfer/recall/{CLASSES[k]}'] == pytest.approx(value)
    assert not any(f'dfer/recall/{CLASSES[k]}' in found for k in absent)
    matrix = sk.confusion_matrix(labels, predictions, labels=range(7))
    assert found['dfer/confusion_matrix'] == matrix.tolist()


def test_recall_is_not_precision():
    scores = dfer_scores(np.array([[8, 2], [0, 5]]))
    assert scores['recall'].tolist() == [0.8, 1.0]
    assert scores['WAR'] == pytest.approx(13 / 15)
    assert scores['UAR'] == pytest.approx(0.9)


def test_the_dump_has_the_measured_values(tmp_path):
    path = tmp_path / 'deep' / 'predictions.json'
    scores = np.eye(7, dtype=np.float32)[[0, 1, 2]]
    evaluate([0, 1, 3], scores, dump=str(path))
    report = json.loads(path.read_text())
    assert report['classes'] == list(CLASSES)
    assert report['WAR'] == pytest.approx(2 / 3)
    assert report['recall']['angry'] == 0 and report['recall']['fear'] is None
    assert [c['prediction'] for c in report['clips']] == [0, 1, 2]
    assert report['clips'][2] == dict(
        clip='00002', label=3, prediction=2, scores=[0, 0, 1, 0, 0, 0, 0]
    )
    assert [p.name for p in path.parent.iterdir()] == ['predictions.json']


def test_another_number_of_classes_raises_an_error():
    with pytest.raises(ValueError, match='Set num_classes'):
        evaluate([0], np.zeros((1, 5), np.float32))


def test_soft_labels_raise_an_error():
    metric = DFERMetric()
    sample = dict(gt_label=torch.zeros(7), pred_score=torch.zeros(7))
    with pytest.raises(ValueError, match='one class index'):
        metric.process({}, [sample])


NAMES = ('ECE', 'classwise_ECE', 'AURC', 'Brier', 'NLL')


def drawn(classes, seed=0, n=40):
    rng = np.random.default_rng(seed)
    labels = rng.choice(classes, n)
    scores = rng.normal(size=(n, 7)).astype(np.float32)
    scores[np.arange(n), labels] += 1
    return labels.tolist(), scores


def test_calibration_is_reported_only_if_asked_for(tmp_path):
    labels, scores = drawn(range(7))
    paths = [tmp_path / 'off.json', tmp_path / 'on.json']
    off = evaluate(labels, scores, dump=str(paths[0]))
    on = evaluate(labels, scores, dump=str(paths[1]), calibration=True)
    assert on.keys() - off.keys() == {f'dfer/{name}' for name in NAMES}
    assert {k: on[k] for k in off} == off
    wanted = calibration_scores(scores, labels)
    for name in NAMES:
        assert on[f'dfer/{name}'] == wanted[name] and type(wanted[name]) is float
    reports = [json.loads(path.read_text()) for path in paths]
    added = reports[1].pop('calibration')
    assert reports[0] == reports[1]
    assert added.pop('bins') == 15
    errors = added.pop('class_errors')
    assert list(errors.values()) == wanted['class_errors'].tolist()
    assert added == {name: wanted[name] for name in NAMES}


def test_a_class_without_clips_has_no_calibration_error(tmp_path):
    labels, scores = drawn([0, 1, 4])
    path = tmp_path / 'a.json'
    found = evaluate(labels, scores, dump=str(path), calibration=True)
    errors = json.loads(path.read_text())['calibration']['class_errors']
    assert [k for k, v in errors.items() if v is not None] == [
        'happy', 'sad', 'surprise'
    ]  # fmt: skip
    known = [v for v in errors.values() if v is not None]
    assert found['dfer/classwise_ECE'] == pytest.approx(np.mean(known))
    assert all(np.isfinite(found[f'dfer/{name}']) for name in NAMES)


def test_heads_that_give_probabilities_are_calibrated_alike():
    labels, scores = drawn(range(7))
    shares = torch.as_tensor(scores).softmax(dim=1).numpy()
    logits, probabilities = (
        evaluate(labels, s, calibration=True) for s in (scores, shares)
    )
    for name in NAMES:
        # The probabilities are rounded to float32.
        assert probabilities[f'dfer/{name}'] == pytest.approx(
            logits[f'dfer/{name}'], abs=1e-6
        )


def test_clips_without_a_prediction_have_no_confidence():
    labels, scores = drawn(range(7))
    metric = DFERMetric(calibration=True)
    metric.dataset_meta = dict(classes=CLASSES)
    for i, (label, score) in enumerate(zip(labels, scores, strict=True)):
        sample = dict(gt_label=torch.tensor([label]), pred_score=torch.as_tensor(score))
        if i < 10:
            sample['bad_clips'] = [('a', 'cannot be decoded')]
        metric.process({}, [sample])
    found = metric.evaluate(len(labels))
    wanted = evaluate(labels[10:], scores[10:], calibration=True)
    for name in NAMES:
        assert found[f'dfer/{name}'] == wanted[f'dfer/{name}']
    assert found['dfer/WAR'] < wanted['dfer/WAR']  # in which they count as wrong
    metric.process({}, [sample | dict(bad_clips=[('a', 'cannot be decoded')])])
    assert 'dfer/ECE' not in metric.evaluate(1)  # no clip has one


def test_several_processes_give_what_one_gives(tmp_path):
    labels, scores = drawn(range(7), n=13)  # the sampler repeats one
    wanted = evaluate(labels, scores, calibration=True)
    np.savez(tmp_path / 'clips.npz', labels=labels, scores=scores)
    arguments = str(tmp_path / 'clips.npz'), f'file://{tmp_path}/store', str(tmp_path)
    torch.multiprocessing.spawn(evaluate_rank, arguments, nprocs=2)
    found = json.loads((tmp_path / 'found.json').read_text())
    assert found == {k: v for k, v in wanted.items() if isinstance(v, float)}


def evaluate_rank(rank, clips, store, folder):
    torch.distributed.init_process_group(
        'gloo', init_method=store, rank=rank, world_size=2
    )
    data = np.load(clips)
    metric = DFERMetric(calibration=True)
    metric.dataset_meta = dict(classes=CLASSES)
    for i in range(rank, 14, 2):
        k = i % 13
        sample = dict(
            gt_label=torch.tensor([int(data['labels'][k])]),
            pred_score=torch.as_tensor(data['scores'][k]),
            video_id=str(k),
        )
        metric.process({}, [sample])
    found = metric.evaluate(13)
    if rank == 0:
        floats = {k: v for k, v in found.items() if isinstance(v, float)}
        with open(f'{folder}/found.json', 'w') as file:
            json.dump(floats, file)
