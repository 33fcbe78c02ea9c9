#!/usr/bin/env bash
# What a newcomer does, with the package that is installed for a Python, in an empty
# folder: tests/newcomer.sh PYTHON [more]. CI runs it for each way to install mmcv.
set -euo pipefail
PYTHON=$(command -v "${1:?usage: newcomer.sh PYTHON [more]}")
case $PYTHON in /*) ;; *) PYTHON=$PWD/$PYTHON ;; esac
MORE=${2:-}
export OMP_NUM_THREADS=1 IFDD_ZOO_OFFLINE=1
unset PYTHONPATH
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
cd "$FOLDER"
IFDD="$PYTHON -W ignore -m ifdd_mmaction"
TOOLS=$("$PYTHON" -W ignore -c 'import ifdd_mmaction as i; print(i.__path__[0])')/.mim/tools
CONFIG=$TOOLS/../configs/ifdd_vit_sample.py

step() {  # NAME COMMAND...: run it quietly, and show all if it fails
    local name=$1
    shift
    "$@" > "$name.log" 2>&1 || { cat "$name.log"; echo "$name failed" >&2; exit 1; }
    echo "$name works"
}
train() {  # FOLDER EPOCHS OPTIONS...
    local folder=$1 epochs=$2
    shift 2
    $IFDD train "$CONFIG" --work-dir "$folder" "$@" train_cfg.max_epochs="$epochs" \
        {train,val}_dataloader.dataset.data_root=data train_dataloader.batch_size=7
}

"$PYTHON" "$TOOLS/doctor.py" ||
    { echo 'ifdd doctor found a problem' >&2; exit 1; }
step drawing "$PYTHON" "$TOOLS/data/make_sample_dfew.py" data --subjects 5
step training train run 1 --cfg-options
step resuming train run 2 --resume --cfg-options
grep -q 'resumed epoch: 1' resuming.log
step testing $IFDD test "$CONFIG" run/epoch_2.pth --work-dir tested \
    --cfg-options test_dataloader.dataset.data_root=data
grep -oE 'dfer/WAR: [0-9.]+ +dfer/UAR: [0-9.]+' testing.log
"$PYTHON" -W ignore - <<'END'
from pathlib import Path
import cv2
from ifdd_mmaction.video import VideoWriter
clip = max(Path('data').rglob('*.jpg')).parent
frames = [cv2.imread(str(path))[..., ::-1] for path in sorted(clip.iterdir())]
with VideoWriter('clip.mp4', size=frames[0].shape[1::-1], fps=8) as video:
    for i, frame in enumerate(frames):
        video.write(frame, seconds=i / 8)
END
# The face is found, drawn, and classified.
step inferring $IFDD infer clip.mp4 --config ifdd_vit_sample --out-dir out --detect-size 320
ls out/clip/annotated.mp4 out/clip/timeline.png
if [ -n "$MORE" ]; then
    step spawning train spawned 1 --cfg-options \
        env_cfg.mp_cfg.mp_start_method=spawn train_dataloader.num_workers=1 \
        train_dataloader.persistent_workers=True
    step torchrun "$PYTHON" -W ignore -m torch.distributed.run --nproc_per_node 2 --standalone \
        "$TOOLS/train.py" "$CONFIG" --launcher pytorch --work-dir distributed --cfg-options \
        {train,val}_dataloader.dataset.data_root=data train_dataloader.batch_size=7 \
        train_cfg.max_epochs=1
fi
"$PYTHON" -W ignore -c '
import cv2, ifdd_mmaction, mmaction, mmcv, mmengine
for module in mmengine, mmcv, mmaction, cv2:
    print(module.__name__, module.__version__, module.__file__)'
