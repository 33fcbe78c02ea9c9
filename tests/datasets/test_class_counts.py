import numpy as np
import pytest
from mmaction.registry import DATASETS

from ifdd_mmaction.datasets import DatasetError, class_counts, clip_labels
from tests.helpers.layouts import make_dfew, write_list


class Plain:
    """The least that a dataset is."""

    def __init__(self, labels, classes=None):
        self.labels = labels
        self.metainfo = dict(classes=classes) if classes else {}

    def __len__(self):
        return len(self.labels)

    def get_data_info(self, index):
        return dict(label=self.labels[index])


def test_counts_of_files_and_through_wrappers(tmp_path):
    root = make_dfew(tmp_path, clips_per_class=1, frames=1)
    split = root / 'EmoLabel_DataSplit/train(single-labeled)/set_1.csv'
    # Label 3 is class 2; label 0 is no clip of the protocol.
    write_list(split, [(1, 3), (2, 3), (3, 1), (4, 7), (5, 0)])
    dataset = dict(type='DFEWDataset', data_root=str(root))
    assert clip_labels(DATASETS.build(dataset)).tolist() == [2, 2, 0, 6]
    assert class_counts(DATASETS.build(dataset)).tolist() == [1, 0, 2, 0, 0, 0, 1]
    repeated = DATASETS.build(dict(type='RepeatDataset', times=3, dataset=dataset))
    assert class_counts(repeated).tolist() == [3, 0, 6, 0, 0, 0, 3]
    joined = DATASETS.build(dict(type='ConcatDataset', datasets=[dataset, dataset]))
    assert class_counts(joined).tolist() == [2, 0, 4, 0, 0, 0, 2]


def test_labels_that_cannot_be_counted_are_refused():
    assert class_counts(Plain([0, np.int64(2)])).tolist() == [1, 0, 1]
    with pytest.raises(DatasetError, match=r'clip 1 has the label \[0, 2\]'):
        clip_labels(Plain([0, [0, 2]]))
    with pytest.raises(DatasetError, match='labels 0 to 2, but 2 classes: a, b'):
        class_counts(Plain([0, 2], classes=('a', 'b')))
