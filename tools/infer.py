"""Emotions over time: ``python tools/infer.py VIDEO --config C --checkpoint W``.

The same as the console command ``ifdd infer``.
"""

import sys

from ifdd_mmaction.cli import main

if __name__ == '__main__':
    sys.exit(main(['infer', *sys.argv[1:]]))
