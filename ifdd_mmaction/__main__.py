"""``python -m ifdd_mmaction``: the console command ``ifdd``."""

import sys

from ifdd_mmaction.cli import main

sys.exit(main())
