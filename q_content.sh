cd /tmp/w/CV; export PYTHONPATH=$PWD OMP_NUM_THREADS=1
for s in $@; do .venv/bin/python tools/static_first.py ifdd_vit_sample_content --known-intensity --data-root data/sample_wide --frames-root data/sample_wide_frames --seed $s --work-dir work_dirs/content_$s > work_dirs/content_$s.log 2>&1; done
