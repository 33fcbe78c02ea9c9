"""``python -m ifdd_mmaction``: the console command ``ifdd``."""

import sys

from .cli import main

sys.exit(main())
