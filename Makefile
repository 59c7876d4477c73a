# The environment is made once and again whenever what it is made from changes.
#   VENV    where it lives                        PYTHON  interpreter it is made with (3.11 or newer)
#   EXTRAS  extras it gets instead of the target's own, e.g. make demo EXTRAS=demo,decoders

VENV ?= .venv
PYTHON ?= python3
EXTRAS ?=

RUN := runs/demo
LAST := $(RUN)/checkpoints/last.pt

.PHONY: help demo test lint clean

help:
	@echo 'make demo   train, test, extract and predict on the embedded data, from nothing ($(RUN))'
	@echo 'make test   the test suite'
	@echo 'make lint   ruff, the import rules and mypy'
	@echo 'make clean  remove .venv, caches, build output and the files of the demo'

demo: $(VENV)/.has-$(or $(EXTRAS),demo)
	$(VENV)/bin/videonet make-demo-data data/demo
	$(VENV)/bin/videonet train --cfg configs/demo/iresnet3d.yaml --resume
	$(VENV)/bin/videonet test --cfg configs/demo/iresnet3d.yaml --checkpoint $(LAST) --resume
	test -e $(RUN)/features/index.json || \
	  $(VENV)/bin/videonet extract --checkpoint $(LAST) --videos data/demo/test --out $(RUN)/features --resume
	$(VENV)/bin/videonet predict "$$(find data/demo/test -name '*.mp4' | sort | head -n 1)" --checkpoint $(LAST)

test: $(VENV)/.has-$(or $(EXTRAS),test)
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest --numprocesses auto --maxprocesses 4

lint: $(VENV)/.has-$(or $(EXTRAS),dev)
	$(VENV)/bin/ruff check
	$(VENV)/bin/lint-imports
	$(VENV)/bin/mypy

clean:
	rm -rf .venv build dist videonet.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	rm -rf data/demo $(RUN)

$(VENV)/.has-%: setup.cfg constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'videonet needs Python 3.11 or newer, which $(PYTHON) is not: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install -qq --no-input --disable-pip-version-check -c constraints.txt -e '.[$*]'
	@touch $@
