"""Emotions over time: ``python tools/infer.py VIDEO --config C --checkpoint W``.

The same as the console command ``ifdd infer``. Exit codes: 0 done, 2 wrong arguments,
or a video or model that cannot be used; the other videos are done all the same.
"""

import sys

from ifdd_mmaction.cli import main

if __name__ == '__main__':
    sys.exit(main(['infer', *sys.argv[1:]]))
