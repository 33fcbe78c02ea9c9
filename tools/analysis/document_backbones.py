"""Write docs/backbones.md from docs/results/backbones.json, and that from what runs.

``python tools/analysis/document_backbones.py [--matrix [NAME ...]] [--costs]``

``--matrix`` runs tests/helpers/backbone_matrix.py in a clone, all of it or the rows
named, ``--costs`` counts the configs; without either the page is written anew from the
JSON. Each row is kept as soon as it has run.

Exit codes: 0 written, 2 wrong arguments, or a package is missing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope

from ifdd_mmaction.fileio import write_atomic

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / 'docs' / 'results' / 'backbones.json'
PAGE = ROOT / 'docs' / 'backbones.md'

HEADER = """\
# The IFDD neck on MMAction2's backbones

<!-- tools/analysis/document_backbones.py writes this from results/backbones.json. -->

Each backbone runs at tiny size in MMAction2's stock recognizer, with ISSM and both
`LADM` and `ConvLADM`: `loss` with hard and soft labels, batches of 1 and 2, a gradient
for every trainable parameter; `predict` with three crops, equal to the mean of three
clips; `tensor` at neck and head; feature extraction with MMAction2's `FeatureHead`.
`tests/models/test_backbones.py` runs all of these at 8 frames, and a training step and
a prediction at the other lengths; `document_backbones.py --matrix` runs everything.

How to use one: [add the neck to your config](add_to_your_config.md).

## What runs

The pyramid is for 8 tiny frames, `C x T x H x W` for each level. Numbers under "frames"
are clip lengths; lengths that do not run are refused by the backbone itself.

| backbone | recognizer | arguments to set | pyramid | frames | refused, why |
| --- | --- | --- | --- | --- | --- |
"""

NOTES = """
In `Recognizer2D`, `max_testing_views` fails with any backbone, with or without a neck:
MMAction2 calls `.get('num_segments')` of the backbone, which no module has.
ResNetTSM's `temporal_pool=True` mixes clips there and is refused.

Levels of different T are averaged over time to the last level's. To keep more frames
for the split, switch off temporal strides: `temporal_strides=(1, 1, 1, 1)` and
`with_pool2=False` of ResNet3dCSN, `temporal_strides=(1, 2, 1, 1)` of ResNet2Plus1d.
SlowFast's X has the T of its slow pathway.

Not covered: `ResNetTIN` (needs full mmcv), `OmniResNet` (its 2-D half would never
train), skeleton and audio backbones, and `mmpretrain.*` (pooled by `Recognizer2D`).

## What the neck costs

Full size, one clip of 16 x 224 x 224, head included, attention products counted; from
`tools/analysis/get_flops.py`. Without the neck the head follows the pooled last stage.

| config | parameters, M | without neck | GMAC | without neck |
| --- | --- | --- | --- | --- |
"""


def render(results: dict[str, Any]) -> str:
    """Return the page's text."""
    lines = [HEADER]
    for name, row in results['matrix'].items():
        pyramid = ', '.join('x'.join(map(str, level)) for level in row['levels'])
        runs = ' '.join(t for t, why in row['frames'].items() if why == 'yes')
        refused: dict[str, list[str]] = {}
        for t, why in row['frames'].items():
            if why != 'yes':
                refused.setdefault(why, []).append(t)
        why = '; '.join(f'{" ".join(ts)}: {reason}' for reason, ts in refused.items())
        lines.append(
            f'| {name} | {row["recognizer"]} | {row["set"]} | {pyramid} | {runs} | '
            f'{why} |\n'
        )
    lines.append(NOTES)
    for name, row in results['costs'].items():
        numbers = [f'{n:.2f}' for n in (*row['params'], *row['gmac'])]
        lines.append(f'| {name} | {" | ".join(numbers)} |\n')
    return ''.join(lines)


def run_matrix(results: dict[str, Any], names: list[str]) -> None:
    """Run cases of the test matrix, all of them by default, into ``results``."""
    command = [sys.executable, '-m', 'tests.helpers.backbone_matrix', *names]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout or ():
            if not line.startswith('{'):  # of a logger
                print(line, end='', file=sys.stderr)
                continue
            found = json.loads(line)  # a row each, as soon as it has run
            rows = {**results.get('matrix', {}), found['name']: found['row']}
            results['matrix'] = {k: rows[k] for k in found['order'] if k in rows}
            save(results)
            print(found['name'], found['row']['frames'], flush=True)
    if process.returncode:  # it has said why
        sys.exit(process.returncode)


def count_costs(results: dict[str, Any]) -> None:
    """Count every leaf config on DFEW into ``results``."""
    from get_flops import cost, prepare

    results['costs'] = {}
    for path in sorted((ROOT / 'configs').glob('ifdd_*_dfew.py')):
        cfg = Config.fromfile(path)
        init_default_scope(cfg.default_scope)
        counted = cost(cfg.model, prepare(cfg.model))
        results['costs'][path.stem] = {
            k: [round(n, 3) for n in pair] for k, pair in counted.items()
        }
        save(results)
        print(path.stem, results['costs'][path.stem], flush=True)


def save(results: dict[str, Any]) -> None:
    write_atomic(RESULTS, f'{json.dumps(results, indent=1)}\n'.encode())


def main() -> None:
    parser = argparse.ArgumentParser(description='Write docs/backbones.md')
    parser.add_argument(
        '--matrix', nargs='*', metavar='NAME', help='run the matrix, or these rows'
    )
    parser.add_argument('--costs', action='store_true', help='count the configs')
    args = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if args.matrix is not None:
        run_matrix(results, args.matrix)
    if args.costs:
        count_costs(results)
    write_atomic(PAGE, render(results).encode())


if __name__ == '__main__':
    main()
