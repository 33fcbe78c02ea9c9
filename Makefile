# `make demo` and `make test` create a virtual environment in $(VENV) on first use. Another
# torch: `make demo TORCH='torch==2.4.1'` installs that version; `make demo TORCH=` (empty)
# uses the torch and the mmcv of $(PYTHON).
PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch==2.13.0
DEMO ?= work_dirs/demo
SAMPLE ?= data/sample_dfew
SEED ?= 0
FUZZ_FACTOR ?= 100

BIN := $(VENV)/bin
READY := $(VENV)/.ready
# timm for the tests of TimmPyramid, in a separate folder: see tests/timm_site.py
TIMM := $(VENV)/timm/.ready
# openmim, which imports pkg_resources, without its pinned versions of setuptools and
# rich: see tests/test_mim.py
MIM := $(VENV)/mim/.ready
# Triton, whose kernels run in its interpreter and are compiled for GPUs without one; not
# beside torch, whose compiler would take it for its own version
TRITON := $(VENV)/triton/.ready
INTO = $(BIN)/python -m pip install --quiet --target $(VENV)

# One process per CPU; a process needs 2 GB. Idle processes take tests from the others.
JOBS ?= logical
PYTEST = $(BIN)/python -m pytest -n $(JOBS) --maxprocesses 8 --dist worksteal

.PHONY: help setup demo test test-quick fuzz lint docs clean
help:
	@echo 'make demo   train and test a small IFDD model on drawn faces -> $(DEMO)'
	@echo 'make test   run the tests, in JOBS processes (one per CPU)'
	@echo 'make test-quick  run the tests that are not marked slow'
	@echo 'make fuzz   run the property tests with FUZZ_FACTOR ($(FUZZ_FACTOR)) times the inputs'
	@echo 'make lint   run ruff, mypy and tools/lint'
	@echo 'make docs   build the site -> site/; warnings are errors'
	@echo 'make clean  remove the virtual environment, the sample set, the demo and the site'

setup: $(READY)
# The stamp depends on what decides the environment, so a second call does nothing.
$(READY): pyproject.toml tools/setup_env.sh
	PYTHON='$(PYTHON)' TORCH='$(TORCH)' bash tools/setup_env.sh '$(VENV)'
	@touch $@

demo: $(READY)
	$(BIN)/python tools/data/make_sample_dfew.py $(SAMPLE)
	$(BIN)/python tools/train.py configs/ifdd_vit_sample.py --work-dir $(DEMO) \
	    --seed $(SEED) --cfg-options train_dataloader.dataset.data_root=$(SAMPLE) \
	    val_dataloader.dataset.data_root=$(SAMPLE)
	$(BIN)/python tools/test.py configs/ifdd_vit_sample.py $$(cat $(DEMO)/last_checkpoint) \
	    --work-dir $(DEMO) --dump $(DEMO)/predictions.json \
	    --cfg-options test_dataloader.dataset.data_root=$(SAMPLE)
	$(BIN)/python tools/visualization/plot_results.py $(DEMO)

test: $(TIMM) $(MIM) $(TRITON)
	$(PYTEST)

test-quick: $(READY)
	$(PYTEST) -m 'not slow'

$(TIMM): tests/timm_site.py | $(READY)
	@$(INTO)/timm --upgrade huggingface_hub && \
	$(INTO)/timm --upgrade --no-deps timm==1.0.31 torchvision==0.28.0 && \
	touch $@ || echo 'no timm (no network?): the tests that need it are skipped'

$(MIM): Makefile | $(READY)
	@$(INTO)/mim --upgrade \
	    click colorama markdown ordered-set pytz requests 'setuptools<81' tabulate \
	    tzdata && \
	$(INTO)/mim --upgrade --no-deps openmim==0.3.9 model-index==0.1.11 pandas==2.3.3 && \
	touch $@ || echo 'no openmim (no network?): the tests that need it are skipped'

$(TRITON): Makefile | $(READY)
	@$(INTO)/triton --upgrade --no-deps triton==3.7.0 && \
	touch $@ || echo 'no triton (no network?): the tests that need it are skipped'

fuzz: $(READY)
	FUZZ_FACTOR=$(FUZZ_FACTOR) $(BIN)/python -m pytest tests/fuzz

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tools/lint/lint.py

docs: $(READY)
	$(BIN)/python -W ignore -m sphinx -W --keep-going -q -c docs . site

clean:
	rm -rf $(VENV) $(SAMPLE) $(DEMO) site
