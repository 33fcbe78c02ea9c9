"""``tools/publish_model.py`` on the work dir of a real run, whole and tampered with."""

import json
import re
import shutil

import numpy as np
import pytest
import torch
import yaml
from mmengine.fileio import get_file_backend

from ifdd_mmaction.checkpoints import read_checkpoint
from ifdd_mmaction.evaluation import calibration_scores
from tests.helpers.golden import ROOT, load_tool

METAFILE = ROOT / 'configs' / 'metafile.yml'
CONFIG = ROOT / 'configs' / 'ifdd_vit_sample.py'
tool = load_tool('publish_model.py')


@pytest.fixture
def work_dir(tmp_path):
    """What training left that led to the released ViT: as it was before."""
    (entry,) = (
        entry
        for entry in yaml.safe_load(METAFILE.read_text())['Models']
        if entry['Name'] == CONFIG.stem
    )
    released = ROOT / entry['Weights']
    folder = tmp_path / 'work'
    log = folder / '20260101_000000' / 'vis_data'
    log.mkdir(parents=True)
    shutil.copy(released.with_suffix('.json'), log / 'scalars.json')
    shutil.copy(
        released.with_name(f'{released.stem}_predictions.json'),
        folder / 'predictions.json',
    )
    checkpoint = read_checkpoint(released)
    # As if it had been trained with today's config.
    checkpoint['meta']['cfg'] = tool.published_config(CONFIG, fold=1).pretty_text
    (log / 'config.py').write_text(checkpoint['meta']['cfg'])
    checkpoint.update(optimizer={'state': {0: torch.zeros(1000)}}, message_hub={'a': 1})
    torch.save(checkpoint, folder / 'epoch_20.pth')
    shutil.copy(METAFILE, tmp_path / 'metafile.yml')
    return folder


def publish(work_dir, *options, date='20260102', data='drawn'):
    parent = work_dir.parent
    arguments = [
        CONFIG, work_dir / 'epoch_20.pth', '--data', data, '--date', date,
        '--out', parent / 'zoo', '--metafile', parent / 'metafile.yml', *options,
    ]  # fmt: skip
    tool.main([str(argument) for argument in arguments])
    return sorted((parent / 'zoo').glob('*.pth'))


def entries(work_dir):
    content = yaml.safe_load((work_dir.parent / 'metafile.yml').read_text())
    return {entry['Name']: entry for entry in content['Models']}


def test_a_release_holds_what_a_user_needs_and_no_more(work_dir):
    tables = work_dir / 'groups.md'
    tables.write_text('## By group\n\n| of 29 people | 60.0 |\n')
    (path,) = publish(work_dir, '--report', tables)
    checkpoint = read_checkpoint(path)
    assert set(checkpoint) == {'meta', 'state_dict'}
    meta = checkpoint['meta']
    assert meta['metrics']['UAR'] == pytest.approx(0.815476, abs=1e-6)
    assert meta['dataset_meta']['classes'][6] == 'fear'
    assert meta['dataset_meta']['fold'] == 1 and meta['epoch'] == 20
    assert meta['versions']['torch'] == torch.__version__
    assert str(work_dir) not in json.dumps(meta)
    assert "type='IFDDNeck'" in meta['cfg']
    entry = entries(work_dir)['ifdd_vit_sample']
    assert entry['Weights'] == f'zoo/{path.name}'
    assert entry['SHA256'].startswith(path.stem.rsplit('-', 1)[1])
    assert entry['Metadata']['Parameters'] == 272558
    card = path.with_suffix('.md').read_text()
    assert 'demonstration on synthetic data' in card and 'Do not use it' in card
    assert '\n\n## By group\n\n| of 29 people | 60.0 |\n\n' in card
    assert '|  | as trained |' in card and '--calibrated' not in card
    assert '| UAR | 81.55 |' in card and '| recall of neutral | 83.33 |' in card


def test_the_card_says_how_far_probabilities_can_be_trusted(work_dir):
    report = json.loads((work_dir / 'predictions.json').read_text())
    scores = np.array([clip['scores'] for clip in report['clips']])
    labels = [clip['label'] for clip in report['clips']]
    calibration = dict(temperature=0.8, clips=99, average_clips='score', views=1)
    edit_checkpoint(work_dir, lambda c: c['meta'].update(calibration=calibration))
    (path,) = publish(work_dir)
    for file in (path, path.with_suffix('.safetensors')):
        assert read_checkpoint(file)['meta']['calibration'] == calibration
    card = path.with_suffix('.md').read_text()
    assert '|  | as trained | `--calibrated` (temperature 0.800) |' in card
    found = [calibration_scores(scores / t, labels) for t in (1, 0.8)]
    for name, label, factor, digits in (
        ('ECE', 'ECE, 15 bins (%)', 100, 2),
        ('classwise_ECE', 'classwise ECE (%)', 100, 2),
        ('AURC', 'AURC (%)', 100, 2),
        ('Brier', 'Brier score (0 to 2)', 1, 4),
        ('NLL', 'NLL (nats)', 1, 4),
    ):
        cells = ' | '.join(f'{factor * f[name]:.{digits}f}' for f in found)
        assert f'| {label} | {cells} |' in card
    assert 'fitted on 99 validation clips' in card


def test_the_card_of_a_class_without_clips_and_of_averaged_probabilities(work_dir):
    def only(report):
        kept = [clip for clip in report['clips'] if clip['label'] != 6]
        report['clips'] = kept

    report = json.loads((work_dir / 'predictions.json').read_text())
    only(report)
    calibration = dict(temperature=0.8, clips=99, average_clips='prob', views=6)
    text = tool.model_card.__globals__['_calibration'](report, calibration)
    assert 'Not in the classwise ECE, without clips: fear.' in text
    # The probabilities do not tell the logits of each view.
    assert '`--calibrated` (' not in text and 'nan' not in text


def test_the_same_checkpoint_gives_the_same_bytes(work_dir):
    (first,) = publish(work_dir)
    content = {p.name: p.read_bytes() for p in first.parent.iterdir()}
    assert publish(work_dir) == [first]
    assert {p.name: p.read_bytes() for p in first.parent.iterdir()} == content


def test_another_fold_gets_a_name_an_address_and_the_table_of_all(work_dir):
    for fold, war in ((1, 0.7), (2, 0.6)):
        folder = work_dir.parent / 'kfold' / f'fold{fold}'
        folder.mkdir(parents=True)
        scores = {'last': {'WAR': war, 'UAR': war - 0.1}}
        (folder / 'scores.json').write_text(json.dumps(dict(fold=fold, scores=scores)))
    (path,) = publish(
        work_dir, '--name', 'ifdd_vit_sample_fold1', '--url', 'https://zoo.invalid/a',
        '--kfold', work_dir.parent / 'kfold', data='dfew',
    )  # fmt: skip
    found = entries(work_dir)
    assert {'ifdd_vit_sample', 'ifdd_vit_sample_fold1'} <= set(found)
    entry = found['ifdd_vit_sample_fold1']
    assert entry['Weights'] == f'https://zoo.invalid/a/{path.name}'
    assert entry['Config'] == 'configs/ifdd_vit_sample.py'
    card = path.with_suffix('.md').read_text()
    assert '| mean of 2 | 65.00 | 55.00 |' in card
    assert 'may not be passed on' in card and 'synthetic' not in card


def edit_json(path, edit):
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def edit_log(work_dir, line, **values):
    path = next(work_dir.glob('*/vis_data/scalars.json'))
    rows = [json.loads(row) for row in path.read_text().splitlines()]
    rows[line].update(values)
    path.write_text('\n'.join(map(json.dumps, rows)))


def edit_checkpoint(work_dir, edit):
    checkpoint = torch.load(work_dir / 'epoch_20.pth', weights_only=True)
    edit(checkpoint)
    torch.save(checkpoint, work_dir / 'epoch_20.pth')


def train_with(work_dir, old, new):
    """Change the config that the run was trained with."""

    def edit(checkpoint):
        text = checkpoint['meta']['cfg']
        assert old in text
        checkpoint['meta']['cfg'] = text.replace(old, new)

    edit_checkpoint(work_dir, edit)
    checkpoint = torch.load(work_dir / 'epoch_20.pth', weights_only=True)
    path = next(work_dir.glob('*/vis_data/config.py'))
    path.write_text(checkpoint['meta']['cfg'])


def damage(path):
    """Change one weight of a checkpoint that has its hash."""
    data = path.read_bytes()
    get_file_backend(backend_args=dict(backend='checkpoint')).put(data, path)
    weights = read_checkpoint(path)['state_dict'].values()
    largest = max(weights, key=torch.numel).numpy().tobytes()
    data = bytearray(path.read_bytes())
    data[data.index(largest)] ^= 1
    path.write_bytes(data)


TAMPERED = {
    r'another config:\n  optim_wrapper.optimizer.lr: 0.004 in training, 0.002': (
        lambda w: train_with(w, 'lr=0.002', 'lr=0.004')
    ),
    'trained elsewhere': (
        lambda w: next(w.glob('*/vis_data/config.py')).write_text('model = dict()')
    ),
    'UAR of epoch 20 is 0.9000 in the log and 0.8155 in the predictions': (
        lambda w: edit_log(w, -1, **{'dfer/UAR': 0.9})
    ),
    'ends epoch 20 at iteration 840, the checkpoint is of 800': (
        lambda w: edit_checkpoint(w, lambda c: c['meta'].update(iter=800))
    ),
    r'WAR is 0\.99 in the predictions, and 0\.815': (
        lambda w: edit_json(w / 'predictions.json', lambda r: r.update(WAR=0.99))
    ),
    'the predictions are of the classes fear': (
        lambda w: edit_json(w / 'predictions.json', lambda r: r['classes'].reverse())
    ),
    'the checkpoint does not match the model of the config: it lacks 1 of': (
        lambda w: edit_checkpoint(w, lambda c: c['state_dict'].popitem())
    ),
    'not finite: backbone': (
        lambda w: edit_checkpoint(
            w, lambda c: next(iter(c['state_dict'].values())).fill_(float('nan'))
        )
    ),
    r'epoch_20\.pth is damaged': lambda w: damage(w / 'epoch_20.pth'),
    r'predictions\.json does not exist': lambda w: (w / 'predictions.json').unlink(),
    'no class names': (
        lambda w: edit_checkpoint(w, lambda c: c['meta'].pop('dataset_meta'))
    ),
}


@pytest.mark.parametrize('message', TAMPERED)
def test_what_does_not_agree_is_not_released(work_dir, capsys, message):
    before = (work_dir.parent / 'metafile.yml').read_text()
    TAMPERED[message](work_dir)
    with pytest.raises(SystemExit) as exit:
        publish(work_dir)
    assert exit.value.code == 2
    said = capsys.readouterr().err
    assert re.search(message, said), said
    assert not (work_dir.parent / 'zoo').exists()
    assert (work_dir.parent / 'metafile.yml').read_text() == before


def test_a_config_that_was_rewritten_is_named_in_the_card(work_dir):
    train_with(work_dir, "type='ResizeClip'", "type='Resize'")
    keys = [f'{part}_dataloader.dataset.pipeline' for part in ('train', 'test')]
    (path,) = publish(work_dir, '--changed', *keys)
    assert f'Rewritten since the training, to the same effect: `{keys[0]}`' in (
        path.with_suffix('.md').read_text()
    )


@pytest.mark.parametrize(
    'options', [('--date', 'today'), ('--name', 'another'), ('--data', 'ck+')]
)
def test_wrong_options_are_refused(work_dir, options):
    with pytest.raises(SystemExit) as exit:
        publish(work_dir, *options)
    assert exit.value.code == 2
