# make reproduce    install, run the pipeline, print the comparison
# make test         install, run the fast tests        make test-all   also the slow pipeline and mutation tests
# make reliability  kills, full disks, bombs, large runs and 100,000 damaged files; writes reports/reliability.md (hours)
# make ui           open MLflow in the browser         make track      copy the results to MLflow again
# make lint         check with ruff, bandit, pip-audit make format     format with ruff
# make bench        benchmarks                         make lock       update requirements.lock
# make clean        remove everything that can be regenerated, except DVC's cache
#
# Variables: DATASETS="digits mnist"  MODELS="pca ae"  SEEDS="0 1 2"  STUDIES="depth"  PAPERS="hinton2006"
#                                                                     run this selection in the folder own/, see README
#            FOLDER=.                                                 the folder of reproduce, ui and track: own with a selection, else .
#            TORCH_INDEX=https://download.pytorch.org/whl/cpu         the smaller CPU build of torch on Linux
#            PYTHON=python3.12                                        the Python used to create .venv (3.11 or newer)
#            JOBS=4                                                   stages at a time (default: one per core), or test processes (2)
PYTHON ?= python3
TORCH_INDEX ?=
JOBS ?=
VENV := .venv
BIN := $(VENV)/bin
BENCH := .venv-bench
INDEX := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
SELECT := $(if $(DATASETS),--datasets "$(DATASETS)") $(if $(MODELS),--models "$(MODELS)") $(if $(SEEDS),--seeds "$(SEEDS)") $(if $(STUDIES),--studies "$(STUDIES)") $(if $(PAPERS),--papers "$(PAPERS)")
FOLDER ?= $(if $(strip $(SELECT)),own,.)
export PATH := $(CURDIR)/$(BIN):$(PATH)
test test-all reliability: export OMP_NUM_THREADS = 1
.PHONY: reproduce test test-all reliability lint format ui track bench clean lock
.DEFAULT_GOAL := reproduce

$(BIN)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.exit(sys.version_info < (3, 11) and f"error: PYTHON must be 3.11 or newer, got {v}")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.lock $(INDEX)
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

reproduce: $(BIN)/.ready
	@$(if $(filter-out .,$(FOLDER)),aebench workspace $(FOLDER))
	@$(if $(strip $(SELECT)),cd $(FOLDER) && aebench select $(SELECT))
	@cd $(FOLDER) && aebench run $(if $(JOBS),-j $(JOBS))

test: $(BIN)/.ready
	pytest -n $(or $(JOBS),2) --dist loadfile -m "not slow and not reliability"

test-all: $(BIN)/.ready
	pytest -n $(or $(JOBS),2) --dist loadfile -m "not reliability"

reliability: export AEBENCH_RELIABILITY = reports/reliability.md
reliability: export AEBENCH_KILLS ?= 50
reliability: $(BIN)/.ready
	pytest -m reliability tests

lint: $(BIN)/.ready
	ruff check .
	ruff format --check .
	bandit -q -c pyproject.toml -r aebench stages
	@if python -c 'from urllib.request import urlopen as u; u("https://pypi.org/pypi/pip/25.0/json", timeout=5)' 2>/dev/null; \
	then pip-audit --no-deps --disable-pip -r requirements.lock; \
	else echo "pip-audit: skipped, since its database at pypi.org cannot be reached"; fi

format: $(BIN)/.ready
	ruff check --fix .
	ruff format .

ui: $(BIN)/.ready
	cd $(FOLDER) && mlflow ui --backend-store-uri $${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db} --host 127.0.0.1 --port $${PORT:-5000}

track: $(BIN)/.ready
	cd $(FOLDER) && python -m stages.track

$(BENCH)/.ready: requirements.lock benchmarks/requirements.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install -q --disable-pip-version-check -r requirements.lock -r benchmarks/requirements.txt $(INDEX)
	$(BENCH)/bin/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

bench: $(BENCH)/.ready
	$(BENCH)/bin/python -m benchmarks

clean:
	rm -rf $(VENV) $(BENCH) data runs .checkpoints mlflow.db mlartifacts .pytest_cache .ruff_cache

lock:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q pip-tools
	$(BIN)/pip-compile -q --strip-extras --extra pipeline --extra dev --no-emit-index-url --no-emit-find-links --no-annotate -o requirements.lock pyproject.toml
	sed -i 's/^torch==\([0-9.]*\)+cpu$$/torch==\1/' requirements.lock
