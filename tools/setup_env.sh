#!/usr/bin/env bash
# Make the project's virtual environment: TORCH='torch==2.13.0' tools/setup_env.sh .venv
# With TORCH empty the environment sees the packages of $PYTHON, and keeps its torch.
set -euo pipefail
VENV=${1:?usage: setup_env.sh FOLDER}
PYTHON=${PYTHON:-python3}
TORCH=${TORCH-torch==2.13.0}
cd "$(dirname "$0")/.."

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
    echo "$("$PYTHON" --version) is too old: ifdd_mmaction needs Python 3.10 or newer." \
        'Name another one: make PYTHON=python3.11' >&2
    exit 2
}
if [ -n "$TORCH" ]; then
    "$PYTHON" -m venv "$VENV"
    # PyTorch's own index has builds without CUDA for Linux; where it cannot be reached,
    # the default index serves.
    "$VENV/bin/python" -m pip install --quiet --retries 0 --timeout 15 \
        --extra-index-url "${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}" "$TORCH"
else
    "$PYTHON" -m venv --system-site-packages "$VENV"
    # Where $PYTHON is of a virtual environment, that option shows the packages of the
    # Python below it, not its own: those are added by path.
    SITE=$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    "$PYTHON" -c 'import sysconfig as s; print(s.get_path("purelib"), s.get_path("platlib"), sep="\n")' \
        > "${SITE:?}/parent.pth"
    "$VENV/bin/python" -c 'import torch' || {
        echo "TORCH is empty, but $PYTHON has no torch to keep" >&2
        exit 2
    }
fi
# Distributions of mmcv, and of mmengine, share one import directory: where $PYTHON has
# one, nothing is laid over it, and the copies in the package replace what is absent.
if "$VENV/bin/python" -c '
from importlib.util import find_spec
specs = map(find_spec, ("mmengine", "mmcv"))
raise SystemExit(not any(s and ".bundled" not in str(s.origin) for s in specs))'
then EXTRAS=dev
else EXTRAS=dev,lite
fi
"$VENV/bin/python" -m pip install --quiet -e ".[$EXTRAS]"
"$VENV/bin/python" -W ignore -c 'import ifdd_mmaction as i; print("ifdd_mmaction", i.__version__, "is ready")'
