"""The zoo as it is shipped, and as it is served by mirrors, folders and caches."""

import functools
import hashlib
import json
import shutil
import threading
from copy import deepcopy
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
import yaml
from mmaction.registry import DATASETS
from mmengine.dataset import pseudo_collate

from ifdd_mmaction.apis import (
    ZooError,
    get_checkpoint,
    get_config,
    get_model,
    list_models,
    zoo,
)
from ifdd_mmaction.checkpoints import read_checkpoint
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.evaluation import calibration_scores, dfer_scores
from tests.helpers.golden import ROOT, load_tool
from tests.helpers.numeric import check, depth_of, tolerance

METAFILE = yaml.safe_load((ROOT / 'configs' / 'metafile.yml').read_text())
ENTRIES = {entry['Name']: entry for entry in METAFILE['Models']}
VIT = 'ifdd_vit_sample'
#: Clips of the held-out subjects that are drawn and classified again.
REDRAWN = 10
#: Timing of the set that a model was trained on, and the SHA-256 of the pixels of those
#: clips where the zoo's scores were computed.
DRAWN = {
    'Drawn-Sample': (
        'narrow',
        '813501fec48c9179efe30e522266f5357c0446e2df14d0b6798535a88f577916',
    ),
    'Drawn-Wide': (
        'wide',
        '00f53da8be7b34afba0df8cf45a258c821dc3666178a6e0d786fc94817e89d1f',
    ),
}
#: A clip of each class, of people that the model has not seen (CC BY 4.0, see
#: ATTRIBUTION.txt there), and the SHA-256 of their pixels where the scores of the zoo
#: were computed.
PHOTO_CLIPS = ROOT / 'tests' / 'data' / 'photo_faces'
PHOTO_PIXELS = 'd09c23395b1446e38657e53c0b4b54dd14ed4b501c3f4a3b3cd19f353cc21288'
RELEASES = {'Photo-Faces': 'Clip/clip_80x80_16f'}


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        super().do_GET()

    def log_message(self, *args):
        pass


@pytest.fixture
def served():
    """The files of the zoo, on a real server."""
    handler = functools.partial(Handler, directory=str(ROOT / 'zoo'))
    server = ThreadingHTTPServer(('127.0.0.1', 0), handler)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def installed(tmp_path, monkeypatch, served):
    """An installed package without the weights; returns its cache folder."""
    mim = tmp_path / 'site' / 'ifdd_mmaction' / '.mim'
    shutil.copytree(ROOT / 'configs', mim / 'configs')
    shutil.copy(ROOT / 'model-index.yml', mim)
    metafile = mim / 'configs' / 'metafile.yml'
    url = f'http://127.0.0.1:{served.server_port}/'
    metafile.write_text(metafile.read_text().replace(': zoo/', f': {url}'))
    monkeypatch.setattr(zoo, 'PACKAGE', mim.parent)
    monkeypatch.setenv('IFDD_ZOO_CACHE', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


@pytest.mark.parametrize('name', ENTRIES)
def test_every_number_traces_from_metafile_to_clips(name):
    entry = ENTRIES[name]
    path = ROOT / entry['Weights']
    assert hashlib.sha256(path.read_bytes()).hexdigest() == entry['SHA256']
    assert path.stem.endswith(f'-{entry["SHA256"][:8]}')
    assert path.stat().st_size < 10e6
    card = path.with_suffix('.md').read_text()
    assert entry['SHA256'] in card

    report = json.loads((path.parent / f'{path.stem}_predictions.json').read_text())
    confusion = np.zeros((7, 7), int)
    for clip in report['clips']:
        confusion[clip['label'], int(np.argmax(clip['scores']))] += 1
    scores = dfer_scores(confusion)
    calibration = calibration_scores(
        [clip['scores'] for clip in report['clips']],
        [clip['label'] for clip in report['clips']],
    )
    assert f'| ECE, 15 bins (%) | {100 * calibration["ECE"]:.2f} |' in card
    assert f'| NLL (nats) | {calibration["NLL"]:.4f} |' in card
    rows = map(json.loads, (ROOT / entry['Training Log']).read_text().splitlines())
    (logged,) = (
        row for row in rows
        if 'dfer/UAR' in row and row['step'] == entry['Metadata']['Epochs']
    )  # fmt: skip
    (result,) = entry['Results']
    for metric in ('WAR', 'UAR', 'F1'):
        assert round(100 * scores[metric], 2) == result['Metrics'][metric]
        assert round(100 * logged[f'dfer/{metric}'], 2) == result['Metrics'][metric]


@pytest.mark.parametrize('name', ENTRIES)
def test_both_files_hold_the_weights_and_what_they_are_of(name):
    path = ROOT / ENTRIES[name]['Weights']
    pth, safe = read_checkpoint(path), read_checkpoint(path.with_suffix('.safetensors'))
    assert set(pth) == {'meta', 'state_dict'}
    assert pth['meta'] == safe['meta']
    assert pth['meta']['dataset_meta']['fold'] == 1
    data = ENTRIES[name]['Metadata']['Training Data']
    release = RELEASES.get(data, 'Clip/clip_64x64_16f')
    assert pth['meta']['dataset_meta']['release'] == release
    assert len(pth['meta']['dataset_meta']['classes']) == 7
    assert pth['state_dict'].keys() == safe['state_dict'].keys()
    for key, value in pth['state_dict'].items():
        assert torch.equal(value, safe['state_dict'][key])


def draw_test_clips(root, timing):
    """Draw the first clips of fold 1's test subjects, as the whole set has them."""
    tool = load_tool('data/make_sample_dfew.py')
    rng = tool.stream(0)
    fold = rng.permutation(120) % tool.FOLDS
    order = rng.permutation(840).tolist()
    rows = [(i + 1, k % 7 + 1, k // 7) for i, k in enumerate(order)]
    rows = [row for row in rows if fold[row[2]] == 0][:REDRAWN]
    clips = root / 'Clip' / 'clip_64x64_16f'
    clips.mkdir(parents=True)
    for video, label, subject in rows:
        folder = str(clips / f'{video:05d}')
        tool.draw_clip(tool.Clip(0, subject, label, 64, 16, folder, timing=timing))
    for part, listed in (('test', [row[:2] for row in rows]), ('train', [(9999, 1)])):
        folder = root / 'EmoLabel_DataSplit' / f'{part}(single-labeled)'
        tool.write_csv(folder / 'set_1.csv', ('video_name', 'label'), listed)


def effect_of_a_gray_level(model, batch, samples, pixels):
    """Return what another JPEG encoder may do to scores, 0 if it is the same one."""
    clips = torch.stack(batch['inputs'])
    if hashlib.sha256(clips.numpy().tobytes()).hexdigest() == pixels:
        return 0.0
    noise = torch.randint(-1, 2, clips.shape)
    batch['inputs'] = list((clips + noise).clamp(0, 255).to(clips.dtype))
    with torch.inference_mode():
        others = model.test_step(batch)
    pairs = zip(samples, others, strict=True)
    return 2 * max((a.pred_score - b.pred_score).abs().max().item() for a, b in pairs)


@pytest.mark.slow
def test_the_models_say_again_what_they_said_of_each_clip(tmp_path):
    for data, (timing, _) in DRAWN.items():
        draw_test_clips(tmp_path / data, timing)
    for name, entry in ENTRIES.items():
        data = entry['Metadata']['Training Data']
        model = get_model(name, pretrained=True)
        settings = model.cfg.test_dataloader.dataset.copy()
        photos = data == 'Photo-Faces'
        settings.data_root = str(PHOTO_CLIPS if photos else tmp_path / data)
        pixels = PHOTO_PIXELS if photos else DRAWN[data][1]
        dataset = DATASETS.build(settings)
        batch = pseudo_collate([dataset[i] for i in range(len(dataset))])
        with torch.inference_mode():
            samples = model.test_step(deepcopy(batch))
        bound = effect_of_a_gray_level(model, batch, samples, pixels)
        weights = ROOT / entry['Weights']
        path = weights.with_name(f'{weights.stem}_predictions.json')
        published = {c['clip']: c for c in json.loads(path.read_text())['clips']}
        assert len(samples) == (7 if photos else REDRAWN)
        for sample in samples:
            clip = published[sample.video_id]
            assert int(sample.gt_label) == clip['label']
            scores = torch.tensor(clip['scores'])  # before the softmax
            error = (sample.pred_score - scores).abs().max().item()
            relative = tolerance(depth_of(model), torch.float32)
            allowed = bound or relative * scores.abs().max().item()
            check(error, allowed, f'{name} {sample.video_id}')


def test_models_are_listed_by_pattern():
    everything = list_models()
    assert everything == sorted(everything)
    assert {'ifdd_vit_dfew', VIT, 'ifdd_cnn_mafw'} <= set(everything)
    assert list_models('*_ferv39k') == ['ifdd_cnn_ferv39k', 'ifdd_vit_ferv39k']
    assert list_models(pretrained=True) == sorted(ENTRIES)
    assert list_models('*vit*', pretrained=True) == [
        'ifdd_vit_photo',
        VIT,
        f'{VIT}_content',
    ]
    assert list_models('nothing*') == []


def test_a_config_is_had_by_name():
    config = get_config('ifdd_vit_mafw')
    assert config.model.cls_head.num_classes == 11
    with pytest.raises(ZooError, match=r"'ifdd_vit_mawf'.*ifdd_vit_mafw"):
        get_config('ifdd_vit_mawf')


def test_an_untrained_model_needs_no_checkpoint(monkeypatch):
    monkeypatch.setenv('IFDD_ZOO_OFFLINE', '1')
    model = get_model('ifdd_cnn_sample')
    assert not model.training and model.dataset_meta == {}
    with pytest.raises(ZooError, match=f'no checkpoint is published.*{VIT}'):
        get_checkpoint('ifdd_vit_dfew')


def test_weights_of_a_file(tmp_path):
    path = ROOT / ENTRIES[VIT]['Weights']
    shipped = get_model(VIT, pretrained=True)
    for file in (path, path.with_suffix('.safetensors')):
        model = get_model(VIT, pretrained=file)
        assert model.dataset_meta['classes'][0] == 'happy'
        for a, b in zip(model.parameters(), shipped.parameters(), strict=True):
            assert torch.equal(a, b)
    other = tmp_path / 'other.pth'
    torch.save({'state_dict': {'a': torch.zeros(1)}}, other)
    with pytest.raises(InputError, match=r'other\.pth does not match the model'):
        get_model(VIT, pretrained=other)
    for content in ([torch.zeros(1)], {'state_dict': torch.zeros(1)}):
        torch.save(content, other)
        with pytest.raises(
            InputError, match=r'other\.pth (holds a list|has no tensor)'
        ):
            get_model(VIT, pretrained=other)


def test_weights_are_fetched_once_and_checked_at_every_use(installed, served):
    path = get_checkpoint(VIT)
    assert path.parent == installed and path.name == ENTRIES[VIT]['Weights'][4:]
    assert get_checkpoint(VIT) == path and len(served.asked) == 1
    path.write_bytes(path.read_bytes()[:-1] + b'?')
    with pytest.warns(UserWarning, match='is damaged'):
        get_checkpoint(VIT)
    assert len(served.asked) == 2
    assert hashlib.sha256(path.read_bytes()).hexdigest() == ENTRIES[VIT]['SHA256']


def test_offline_nothing_is_asked_for(installed, served, monkeypatch):
    monkeypatch.setenv('IFDD_ZOO_OFFLINE', '1')
    with pytest.raises(ZooError, match=r'IFDD_ZOO_OFFLINE is set. Fetch http.* put it'):
        get_checkpoint(VIT)
    installed.mkdir()
    shutil.copy(ROOT / ENTRIES[VIT]['Weights'], installed)
    assert get_checkpoint(VIT).parent == installed
    assert served.asked == []


def test_a_mirror_goes_before_the_address_in_the_metafile(
    installed, served, monkeypatch
):
    metafile = zoo.zoo_root() / 'configs' / 'metafile.yml'
    here = f'http://127.0.0.1:{served.server_port}'
    metafile.write_text(metafile.read_text().replace(here, 'http://zoo.invalid'))
    monkeypatch.setenv('IFDD_ZOO_URL', f'{here}/')
    assert get_checkpoint(VIT).parent == installed
    assert served.asked == [f'/{ENTRIES[VIT]["Weights"][4:]}']


def test_a_local_folder_is_used_where_it_lies(installed, served, tmp_path, monkeypatch):
    monkeypatch.setenv('IFDD_ZOO_URL', str(ROOT / 'zoo'))
    assert get_checkpoint(VIT) == ROOT / ENTRIES[VIT]['Weights']
    monkeypatch.setenv('IFDD_ZOO_URL', str(tmp_path))
    with pytest.raises(ZooError, match='is not there'):
        get_checkpoint(VIT)
    (tmp_path / ENTRIES[VIT]['Weights'][4:]).write_bytes(b'other')
    with pytest.raises(ZooError, match='wrong SHA-256'):
        get_checkpoint(VIT)
    assert served.asked == [] and not installed.exists()
