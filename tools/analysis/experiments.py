"""The experiments of reproduce.py: what is run, and which table shows it.

Commands are as a user types them. ``{folder}`` is a folder of the result's own, a
command with ``{seed}`` is run once for each seed, ``{rendered}`` is the set of
``--rendered``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ablate
import disentanglement_report
import temporal_reliance_tables
from split_probing import tables as split_tables

SEEDS = (0, 1, 2, 3, 4)
WORK = 'work_dirs/reproduce'
DRAW = 'python tools/data/make_sample_dfew.py'
#: Data root of each set, and what draws it.
SETS = {
    'narrow': ('data/sample_dfew', f'{DRAW} data/sample_dfew'),
    'wide': ('data/sample_wide', f'{DRAW} data/sample_wide --timing wide'),
    'wide_frames': (
        'data/sample_wide_frames',
        f'{DRAW} data/sample_wide_frames --timing wide --subjects 600 --seed 1',
    ),
    'order': ('data/sample_order', f'{DRAW} data/sample_order --task order'),
    'speed': ('data/sample_speed', f'{DRAW} data/sample_speed --task speed'),
    'validation': ('data/sample_val', f'{DRAW} data/sample_val --subjects 60 --seed 1'),
    'rendered': ('{rendered}', ''),
}
#: Config of each model, its number of epochs, and its checkpoint in the zoo.
CONFIGS = {'ViT': 'ifdd_vit_sample', 'CNN': 'ifdd_cnn_sample'}
EPOCHS = {'ViT': 20, 'CNN': 30}
RELEASED = {
    'ViT': 'zoo/ifdd_vit_sample_20261121-d344b847.pth',
    'CNN': 'zoo/ifdd_cnn_sample_20261121-ca844e23.pth',
}
#: What is measured over seeds; the ViT is at chance on the wide set.
RUNS = (('ViT', 'narrow'), ('CNN', 'narrow'), ('CNN', 'wide'))
PAIRS = (('CNN', 'order'), ('CNN', 'speed'))
MVIT = 'configs/_base_/models/mvit_sample.py'
CALIBRATION = '--cfg-options test_evaluator.calibration=True'
CONTENT, CONTENT_RUNS = 'ifdd_vit_sample_content', f'{WORK}/content_wide'
RELEASED_CONTENT = 'zoo/ifdd_vit_sample_content_20261130-2b2acdb7.pth'
PARTS = (
    'components_backbone', 'components_aggregation', 'components_issm',
    'components_ladm', 'components_issm_ladm', 'components_all', 'split_interval',
)  # fmt: skip
#: Without the constraint, with the paper's weight of 0.1, and with others.
CONSTRAINTS = (
    'components_issm_ladm', 'components_all', 'loss_weight_1.6', 'loss_weight_10',
    'constraint_strict',
)  # fmt: skip


@dataclass(frozen=True)
class Column:
    """Numbers of a table.

    Args:
        path: Keys of the result, separated by slashes.
        unit: What the number is multiplied by; 100 of shares.
        is_difference: Whether to show the 95 % interval of the mean over seeds, by
            Student's t, in place of the standard deviation.
    """

    path: str
    unit: int = 100
    is_difference: bool = False


@dataclass(frozen=True)
class Experiment:
    """A file of docs/results, and its tables.

    Args:
        what: Line of the list of experiments.
        page: Page of docs/ that has the tables.
        sets: Names in ``SETS``.
        rows: Label and command of each row.
        result: File that the command of a row writes into ``{folder}``.
        before: Commands that train what the rows measure.
        columns: Of the table; without any, the file is the result of the only row.
        differences: Pairs of rows whose difference is a row too, paired by seed.
        tables: Without columns: what lays out each table, by the word that follows
            the name in its marker.
        pictures: Pattern of pictures in ``{folder}`` that docs/results gets too.
        seeds: Of the rows.
    """

    what: str
    page: str
    sets: tuple[str, ...]
    rows: Mapping[str, str]
    result: str
    before: tuple[str, ...] = ()
    columns: Mapping[str, Column] = field(default_factory=dict)
    differences: tuple[tuple[str, str], ...] = ()
    tables: Mapping[str, Callable[[Mapping[str, Any]], str]] = field(
        default_factory=dict
    )
    pictures: str = ''
    seeds: tuple[int, ...] = SEEDS


def config(data: str) -> str:
    """Return the config that trains a model as it is, on a set."""
    if data in ('order', 'speed'):  # of two classes
        return f'configs/_base_/datasets/sample_{data}.py'
    return 'configs/ablation/components_all.py'


def train(model: str, data: str, *leaves: str, seeds: tuple[int, ...] = SEEDS) -> str:
    """Return the command that trains a model, or ablations of it, with seeds."""
    configs = [f'configs/ablation/{leaf}.py' for leaf in leaves] or [config(data)]
    return (
        f'python tools/analysis/ablate.py {" ".join(configs)} --base {CONFIGS[model]} '
        f'--data-root {SETS[data][0]} --seeds {" ".join(map(str, seeds))} '
        f'--work-dir {WORK}/{model.lower()}_{data}'
    )


def trained(model: str, data: str) -> str:
    """Return the checkpoint of a seed that :func:`train` writes."""
    run = f'{model.lower()}_{data}/{Path(config(data)).stem}/seed{{seed}}'
    return f'{WORK}/{run}/epoch_{EPOCHS[model]}.pth'


def static_first(data: str, options: str = '') -> str:
    """Return the command that trains the content variant on a set."""
    frames = 'rendered' if data == 'rendered' else 'wide_frames'
    return (
        f'python tools/static_first.py {CONTENT} --known-intensity '
        f'--data-root {SETS[data][0]} --frames-root {SETS[frames][0]} {options}'
    ).rstrip()


def test(model: str, checkpoint: str, options: str = '') -> str:
    """Return the command that tests a checkpoint on the narrow set."""
    return (
        f'python tools/test.py configs/{CONFIGS[model]}.py {checkpoint} --work-dir '
        f'{{folder}} --dump {{folder}}/predictions.json {options}'
    ).rstrip()


def calibrate(model: str, checkpoint: str) -> str:
    """Return the commands that fit a temperature and test with it."""
    return (
        f'python tools/calibrate.py configs/{CONFIGS[model]}.py {checkpoint} --out '
        '{folder}/calibrated.pth --cfg-options val_dataloader.dataset.split=train '
        f'val_dataloader.dataset.data_root={SETS["validation"][0]} && '
        + test(model, '{folder}/calibrated.pth', f'--calibrated {CALIBRATION}')
    )


def analyze(tool: str, model: str, data: str) -> str:
    """Return the command of a measuring tool for a run."""
    return (
        f'IFDD_BASE={CONFIGS[model]} python tools/analysis/{tool}.py {config(data)} '
        f'{trained(model, data)} --data-root {SETS[data][0]} --out {{folder}}'
    )


def probe(model: str, data: str) -> str:
    """Return the command that measures the disentanglement of a run."""
    return analyze('probe_disentanglement', model, data)


def rely(model: str, data: str) -> str:
    """Return the command that measures how much a run relies on the order of frames."""
    return analyze('temporal_reliance', model, data) + ' --name model --corruptions'


def ablation(
    what: str, model: str, data: str, reference: str, leaves: tuple[str, ...]
) -> Experiment:
    """Return the experiment that compares ablations with one of them."""
    command = train(model, data, *leaves)
    return Experiment(
        what,
        'ablation.md',
        (data,),
        {model: f'{command} --reference {reference} --out {{folder}}/table'},
        'table.json',
        tables={'': ablate.to_markdown},
    )


def report(what: str, model: str, data: str) -> Experiment:
    """Return the experiment that reports the disentanglement of one run."""
    return Experiment(
        what,
        'disentanglement.md',
        (data,),
        {model: probe(model, data).replace('{seed}', '0')},
        'disentanglement.json',
        (train(model, data),),
        tables={'': disentanglement_report.sections},
    )


def measure(
    what: str,
    page: str,
    command: Callable[[str, str], str],
    result: str,
    columns: Mapping[str, Column],
    *runs: tuple[str, str],
) -> Experiment:
    """Return the experiment that measures released models, and runs on sets."""
    released = {
        f'{m}, released': command(m, 'narrow').replace(trained(m, 'narrow'), checkpoint)
        for m, checkpoint in RELEASED.items()
    }
    return Experiment(
        what,
        page,
        tuple(dict.fromkeys(data for _, data in runs)),
        released | {f'{model}, {data}': command(model, data) for model, data in runs},
        result,
        tuple(train(model, data) for model, data in runs),
        columns,
    )


def reliance(what: str, data: str) -> Experiment:
    """Return the experiment that compares four models, one seed each, on a set.

    Released checkpoints are taken where they are of this set.
    """
    content = f'{WORK}/content_{data}'
    before = [
        f'python tools/analysis/ablate.py {MVIT} --data-root {SETS[data][0]} --seeds 0 '
        f'--work-dir {WORK}/mvit_{data}'
    ]
    checkpoints = dict(RELEASED)
    if data != 'narrow':
        one = [train(model, data, seeds=(0,)) for model in CONFIGS]
        before = [*one, *before]
        checkpoints = {m: trained(m, data).format(seed=0) for m in CONFIGS}
    checkpoints['content'] = RELEASED_CONTENT
    if data != 'wide':
        # The rendered set has few people: more epochs of their frames.
        more = (
            '--frame-options train_cfg.max_epochs=100 param_scheduler.1.T_max=98 '
            'param_scheduler.1.end=100 train_cfg.val_interval=10'
        )
        options = f'--seed 0 --work-dir {content}' + (
            f' {more}' if data == 'rendered' else ''
        )
        before.append(static_first(data, options))
        checkpoints['content'] = f'{content}/clips/epoch_20.pth'
    checkpoints['MViT'] = f'{WORK}/mvit_{data}/mvit_sample/seed0/epoch_20.pth'
    configs = {m: f'configs/{name}.py' for m, name in CONFIGS.items()}
    configs |= {'content': f'configs/{CONTENT}.py', 'MViT': MVIT}
    names = {'ViT': 'IFDD-ViT', 'CNN': 'IFDD-CNN', 'content': 'IFDD-ViT-content'}
    (first, *others) = [
        f'{configs[m]} {checkpoint} --name {names.get(m, m)}'
        if m == 'ViT'
        else f'--compare {names.get(m, m)} {configs[m]} {checkpoint}'
        for m, checkpoint in checkpoints.items()
    ]
    return Experiment(
        f'other orders of frames, bad frames: four models, {what}',
        'temporal_reliance.md',
        (data, 'wide_frames') if data == 'narrow' else (data,),
        {
            'models': f'python tools/analysis/temporal_reliance.py {first} '
            f'{" ".join(others)} --data-root {SETS[data][0]} --out {{folder}}'
        },
        'temporal_reliance.json',
        tuple(before),
        tables={
            'orders': temporal_reliance_tables.orders_of_models,
            'bad_frames': lambda report: '\n'.join(
                temporal_reliance_tables.noisy_table(report)
            ),
        },
        pictures='temporal_reliance_*.png',
    )


EXPERIMENTS = {
    'ablation_narrow': ablation(
        'what each part does, drawn faces', 'ViT', 'narrow', 'components_all', PARTS
    ),
    'ablation_wide': ablation(
        'what each part does, drawn faces of wide timing',
        'CNN', 'wide', 'components_all', PARTS,
    ),
    'ablation_rendered': ablation(
        'what each part does, rendered faces',
        'CNN', 'rendered', 'components_all', PARTS,
    ),
    'context_loss_narrow': ablation(
        'weights of the disentanglement loss, drawn faces',
        'ViT', 'narrow', 'components_issm_ladm', CONSTRAINTS,
    ),
    'context_loss_rendered': ablation(
        'weights of the disentanglement loss, rendered faces',
        'CNN', 'rendered', 'components_issm_ladm', CONSTRAINTS,
    ),
    'demo': Experiment(
        '`make demo`',
        'ablation.md',
        ('narrow',),
        {'`make demo`': test('ViT', trained('ViT', 'narrow'))},
        'predictions.json',
        (train('ViT', 'narrow'),),
        {f'{k} (%)': Column(k) for k in ('WAR', 'UAR', 'F1')}
        | {
            f'{name} (%)': Column(f'recall/{name}')
            for name in (
                'happy', 'sad', 'neutral', 'angry', 'surprise', 'disgust', 'fear'
            )
        },
    ),
    'zoo': Experiment(
        'the released checkpoints, and their recipes trained again',
        'zoo.md',
        ('narrow',),
        {f'{m}, released': test(m, RELEASED[m]) for m in CONFIGS}
        | {f'{m}, trained again': test(m, trained(m, 'narrow')) for m in CONFIGS},
        'predictions.json',
        tuple(train(m, 'narrow') for m in CONFIGS),
        {f'{k} (%)': Column(k) for k in ('WAR', 'UAR', 'F1')},
    ),
    'disentanglement': report(
        'what each feature holds, drawn faces, one checkpoint', 'ViT', 'narrow'
    ),
    'disentanglement_rendered': report(
        'what each feature holds, rendered faces, one checkpoint', 'CNN', 'rendered'
    ),
    'disentanglement_seeds': measure(
        'what each feature holds, drawn faces, over seeds',
        'disentanglement.md',
        probe,
        'disentanglement.json',
        {
            'right (%)': Column('accuracy'),
            'intensity at the frames of dynamics': Column(
                'timing/groups/dynamics/intensity/mean', 1
            ),
            'of context': Column('timing/groups/context/intensity/mean', 1),
            'best': Column('timing/groups/best frames/intensity/mean', 1),
            'dynamics - fixed dynamics': Column(
                'timing/differences/dynamics - fixed dynamics/intensity/mean', 1, True
            ),
        }
        | {
            f'{kind} from {name} (%)': Column(f'probes/features/{name}/{key}/mean')
            for kind, key in (('class', 'classes'), ('subject', 'identity'))
            for name in ('Y_S', 'Y_D', 'v')
        },
        *RUNS,
    ),
    'content_wide': Experiment(
        'static first, and indexes that follow the content, drawn faces of wide timing',
        'content.md',
        ('wide', 'wide_frames'),
        {
            f'`{CONTENT}`': static_first(
                'wide', f'--seed {{seed}} --work-dir {CONTENT_RUNS}/seed{{seed}}'
            )
            + f' && python tools/test.py configs/{CONTENT}.py '
            f'{CONTENT_RUNS}/seed{{seed}}/clips/epoch_20.pth --work-dir {{folder}} '
            '--dump {folder}/predictions.json --cfg-options '
            f'test_dataloader.dataset.data_root={SETS["wide"][0]}'
        },
        'predictions.json',
        (),
        {f'{k} (%)': Column(k) for k in ('WAR', 'UAR', 'F1')},
    ),
    'split_probe_wide': Experiment(
        'splits and readouts on frozen features, drawn faces of wide timing',
        'content.md',
        ('wide', 'wide_frames'),
        {
            'splits': f'python tools/analysis/split_probe.py configs/{CONTENT}.py '
            f'{CONTENT_RUNS}/seed0/frames/epoch_20.pth --data-root {SETS["wide"][0]} '
            '--out {folder}/probe'
        },
        'probe.json',
        (static_first('wide', f'--seed 0 --work-dir {CONTENT_RUNS}/seed0'),),
        tables={'': split_tables.to_markdown},
    ),
    'constraint_wide': Experiment(
        'ways to compute the constraint of the disentanglement loss, frozen features',
        'content.md',
        ('wide',),
        {
            'constraints': f'python tools/analysis/split_probe.py configs/{CONTENT}.py '
            f'{RELEASED_CONTENT} --data-root {SETS["wide"][0]} --rows '
            '"issm + average" --loss-weights 0 0.1 1.6 10 --constraints paper '
            'strict channels L1 cosine warm-up detached "batch of 8" "batch of 128" '
            '--out {folder}/probe'
        },
        'probe.json',
        tables={'': split_tables.constraints_table},
    ),
    'temporal_reliance': reliance('drawn faces', 'narrow'),
    'temporal_reliance_wide': reliance('drawn faces of wide timing', 'wide'),
    'temporal_reliance_rendered': reliance('rendered faces', 'rendered'),
    'temporal_reliance_seeds': measure(
        'other orders of frames, drawn faces, over seeds',
        'temporal_reliance.md',
        rely,
        'temporal_reliance.json',
        {'in order (%)': Column('models/model/orders/in order/UAR/mean')}
        | {
            f'{name} - in order': Column(
                f'models/model/orders/{name}/minus_in_order/UAR/mean', 100, True
            )
            for name in (
                'shuffled', 'reversed', 'middle frame', 'best frame (upper bound)',
                'half the time',
            )
        },
        *RUNS, *PAIRS,
    ),
    'calibration_seeds': Experiment(
        'calibration before and after a temperature, over seeds',
        'calibration.md',
        ('narrow', 'validation'),
        {
            f'{m}, as trained': test(m, trained(m, 'narrow'), CALIBRATION)
            for m in CONFIGS
        }
        | {f'{m}, calibrated': calibrate(m, trained(m, 'narrow')) for m in CONFIGS},
        'predictions.json',
        tuple(train(m, 'narrow') for m in CONFIGS),
        {
            f'{k.replace("_", " ")} (%)': Column(f'calibration/{k}')
            for k in ('ECE', 'classwise_ECE', 'AURC')
        }
        | {k: Column(f'calibration/{k}', 1) for k in ('Brier', 'NLL')},
        tuple((f'{m}, calibrated', f'{m}, as trained') for m in CONFIGS),
    ),
}  # fmt: skip
