"""A drawn set with validation clips that a model gets partly right."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from ifdd_mmaction.apis import TrainedModel
from tests.helpers.tiny_models import CONFIGS, draw_set, save_checkpoint

LISTS = 'EmoLabel_DataSplit/{}(single-labeled)/set_{}.csv'
LOADERS = ('train', 'val', 'test')


def make_held_out(folder: Path) -> tuple[Path, Path, Path]:
    """Make a config with a validation split, a checkpoint and the folder of the data.

    The labels of the validation clips are what the checkpoint predicts, and in five of
    14 clips another class: its temperature is finite, and known to nobody.
    """
    data = draw_set(folder / 'set')
    checkpoint = save_checkpoint(folder / 'a.pth', CONFIGS['vit'])
    held_out = read_list(data / LISTS.format('test', 2))
    rest = read_list(data / LISTS.format('train', 1))
    write_list(data / 'val.csv', held_out)
    write_list(data / 'train.csv', {k: v for k, v in rest.items() if k not in held_out})
    config = write_config(folder / 'config.py', data)
    scores = predict(config, checkpoint)
    labels = {name: int(np.argmax(score)) + 1 for name, score in scores.items()}
    for i, name in enumerate(labels):
        if i % 3 == 2:
            labels[name] = labels[name] % 7 + 1
    write_list(data / 'val.csv', labels)
    return config, checkpoint, data


def write_config(path: Path, data: Path, **changes: Any) -> Path:
    cfg = Config.fromfile(CONFIGS['vit'])
    for loader in LOADERS:
        dataset = cfg[f'{loader}_dataloader'].dataset
        cfg[f'{loader}_dataloader'].update(num_workers=0, persistent_workers=False)
        dataset.data_root = str(data)
        if loader != 'test':
            dataset.ann_file = f'{loader}.csv'
    cfg.work_dir = str(path.parent / 'work')
    cfg.log_level = 'ERROR'
    cfg.merge_from_dict(changes)
    cfg.dump(path)
    return path


def predict(config: Path, checkpoint: Path) -> dict[str, np.ndarray]:
    """Return the logits ``(K,)`` of each validation clip by its name."""
    cfg = Config.fromfile(config)
    cfg.test_dataloader = cfg.val_dataloader
    trained = TrainedModel(cfg, checkpoint, 'cpu')
    dataset = trained.dataset()
    found = {}
    for i in range(len(dataset)):
        clip = trained.load(dataset, i)
        feature = trained.model.extract_feat(clip.inputs, stage='head')[0]
        found[clip.name] = feature[0].detach().numpy()
    return found


def read_list(path: Path) -> dict[str, int]:
    with path.open(newline='') as file:
        return {name: int(label) for name, label in list(csv.reader(file))[1:]}


def write_list(path: Path, rows: dict[str, int]) -> None:
    with path.open('w', newline='') as file:
        csv.writer(file).writerows([('video_name', 'label'), *rows.items()])
