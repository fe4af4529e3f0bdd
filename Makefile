# `make lab` opens the course, `make test` tests all of it. Both set up .venv on their first run.
# Windows has no make: README.md gives the three lines to type there.

PYTHON ?=
PY := .venv/bin/python
READY := .venv/.ready

# What the learner reads, floors 0 to 4 of tests/test_map.py: a file or a folder of tests each.
CORE := config files devices kv_cache model model_attention model_weights stories tokenizer data \
    interpret speed verification training sampling pretrained evaluation finetuning twins map

.PHONY: help lab test check lint notebooks bench storyteller constraints clean

help: ## List these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 20

# Runs again only when the dependencies change. Needs the network; what follows does not.
$(READY): pyproject.toml constraints.txt
	@$(PY) -c '' 2>/dev/null || { \
	    python=$$(sh scripts/find_python.sh "$(PYTHON)") || exit 1; \
	    echo "Making .venv with $$python ($$("$$python" --version)). The first set-up takes minutes."; \
	    "$$python" -m venv --clear .venv; }
	$(PY) -m pip install --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

lab: $(READY) ## Open lesson 00 in JupyterLab (Ctrl-C ends it)
	@$(PY) -m minigpt lab || [ $$? = 130 ]

test: lint ## Test everything, notebooks included, with the network unplugged
	$(PY) -m pytest --nbval --nbval-current-env -n logical --maxprocesses 4 --dist loadfile

check: lint ## Check style, doctests and the core's tests, in about a minute
	@start=$$(date +%s); $(PY) -m pytest -m 'not slow and not thorough' \
	    -n logical --maxprocesses 4 --dist loadfile \
	    minigpt $(wildcard $(CORE:%=tests/%) $(CORE:%=tests/test_%.py)) \
	    && echo "make check took $$(($$(date +%s) - start)) seconds."

lint: $(READY) ## Check the code's style
	@$(PY) -m ruff check --quiet --output-format concise
	@$(PY) -m ruff format --check --quiet
	@$(PY) scripts/lint_scripts.py

notebooks: $(READY) ## Build and run the lessons, exercises and solutions from their sources
	$(PY) -m minigpt.course.building.notebooks build
	$(PY) -m minigpt.course.building.assignments build

bench: $(READY) ## Time ours beside its peers (minutes; PEERS="--peer nanoGPT=FOLDER")
	$(PY) -m benchmarks $(PEERS)

storyteller: $(READY) ## Train the model that ships with the course (minutes)
	$(PY) scripts/make_storyteller.py

# torch is held back on purpose; everything else becomes the newest that works together.
constraints: $(READY) ## Renew constraints.txt with the newest versions (needs the network)
	$(PY) -m pip install --quiet uv
	{ grep '^#' constraints.txt; echo torch==2.13.0 | $(PY) -m uv pip compile --quiet --universal \
	    --python-version 3.10 --all-extras --no-annotate --no-header pyproject.toml - \
	    | grep -vE "^(nvidia|cuda|triton)|== 'emscripten'"; } > .venv/constraints.txt
	mv .venv/constraints.txt constraints.txt

clean: ## Remove .venv and everything else that can be made again
	rm -rf .venv build *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
