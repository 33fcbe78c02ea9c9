import json
import warnings

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from ifdd_mmaction.evaluation import DFERMetric, dfer_scores

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
