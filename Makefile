# make help lists the targets; everything is installed into .venv by the first one that needs it
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(shell date +%Y%m%d-%H%M%S)
DEMO ?= runs/demo-$(STAMP)
DEMO_SET := --set data.labels=low_high --set layers.hidden=[100] --set training.epochs=30

.PHONY: help install demo test bench mutants lint clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

install: $(VENV)/installed ## environment, package and NMODL mechanisms

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[mpi,test]'
	$(BIN)/segdend compile
	touch $@

demo: install ## 100 reconstructed cells learn which digits are small, beside two controls (3 minutes on 2 cores)
	@echo "training reconstructed cells on the embedded digits, and beside them the two controls (quietly)"
	@$(MAKE) --no-print-directory -j 2 DEMO=$(DEMO) demo-default demo-controls
	@$(BIN)/segdend report $(DEMO)/reconstructed $(DEMO)/frozen_hidden $(DEMO)/no_hidden --out $(DEMO)/comparison.png
	@echo "figures: $(DEMO)/comparison.png and $(DEMO)/*/learning.png"

.PHONY: demo-default demo-controls
demo-default:
	$(BIN)/segdend train $(DEMO_SET) --out $(DEMO)/reconstructed
demo-controls:
	@$(BIN)/segdend train $(DEMO_SET) --set layers.hidden=[] --out $(DEMO)/no_hidden --quiet
	@$(BIN)/segdend train $(DEMO_SET) --set rule.train_hidden=false --out $(DEMO)/frozen_hidden --quiet

test: install ## lint, types and all tests
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

bench: install ## measure speed: all cases or CASES="lumped ranks" (3 minutes on 2 quiet cores; BENCHFLAGS=--quick)
	$(BIN)/python -m benchmarks $(CASES) $(BENCHFLAGS)

mutants: install ## make one mistake after the other in a copy: a test must catch each (20 minutes)
	$(BIN)/python tests/mutants/run.py

lint: install ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean: ## remove what make made, except runs/
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
