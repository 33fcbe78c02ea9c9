"""``tools/analysis/get_flops.py`` on the configs of the project."""

import pytest

from tests.helpers.golden import ROOT, load_tool

SAMPLE = ROOT / 'configs/ifdd_vit_sample.py'


@pytest.fixture
def run(monkeypatch, capsys):
    """Return a function that runs the tool in this process."""

    def call(*args):
        tool = load_tool('analysis/get_flops.py')
        monkeypatch.setattr('sys.argv', ['get_flops.py', *map(str, args)])
        code = 0
        try:
            tool.main()
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_the_clip_is_that_of_the_training_pipeline(run):
    code, out, _ = run(SAMPLE)
    assert code == 0 and 'clips of [16, 64, 64]' in out
    assert 'input_size=(8, 4, 4)' in out


def test_another_clip_is_refused_in_one_line(run):
    code, _, err = run(SAMPLE, '--clip-shape', 16, 224, 224)
    assert code == 2 and err.count('\n') == 1
    assert 'input_size=[8, 4, 4], but with this backbone and clip_shape it is' in err


def test_a_config_that_tells_no_size_asks_for_it(run, tmp_path):
    config = tmp_path / 'config.py'
    config.write_text(
        f"_base_ = ['{SAMPLE}']\n"
        "train_dataloader = dict(dataset=dict(pipeline=[dict(type='SampleClip', "
        'clip_len=8)]))\n'
    )
    code, _, err = run(config)
    assert code == 2 and err.strip().endswith('give --clip-shape T H W')
    assert run(config, '--clip-shape', 16, 64, 64)[0] == 0


def test_an_absent_config_is_named(run, tmp_path):
    code, _, err = run(tmp_path / 'absent.py')
    assert code == 2 and 'no config' in err
