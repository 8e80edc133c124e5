# Two commands set everything up by themselves: `make demo` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
CONSTRAINTS := constraints.txt

# uv does not read pip's find-links: hand over what pip was given, so that locally provided wheels are found.
ifdef PIP_FIND_LINKS
export UV_FIND_LINKS := $(PIP_FIND_LINKS)
endif

UV := $(shell command -v uv 2>/dev/null || echo $(BIN)/uv)
SETUP_DONE := $(VENV)/.setup-done

# What the whole suite needs beyond the default install. `make test EXTRAS=` skips what needs them.
EXTRAS ?= inspect,torch

.PHONY: setup setup-test demo test fuzz check lint types imports format constraints clean

setup: $(SETUP_DONE)

setup-test: setup
	test -z '$(EXTRAS)' || $(UV) pip install --quiet --python $(BIN)/python --constraint $(CONSTRAINTS) --editable '.[dev,$(EXTRAS)]'

$(SETUP_DONE): pyproject.toml $(CONSTRAINTS) hatch_build.py src/weighbridge/probes/checkpoint/weights/native.c
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	command -v uv >/dev/null 2>&1 || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --constraint $(CONSTRAINTS) --editable '.[dev]'
	$(BIN)/python -m compileall -q src # where Python may not write bytecode itself, every start would compile anew
	touch $@

# Ends with success whatever the verdict (0 no material increase, 1 material increase, 3 undecided), which it prints.
demo: setup
	$(BIN)/weighbridge assess demo:guarded --against demo:smollm2 --against demo:gemma3-270m \
	    --protocol demo --threat spear-phishing --out dossiers/demo; \
	code=$$?; case $$code in 0|1|3) exit 0;; *) exit $$code;; esac

T ?= tests
test: setup-test
	$(BIN)/python -m pytest $(T)

# Damaged model files against their readers, from a fixed seed.
FUZZ_SECONDS ?= 120
fuzz: setup-test
	$(UV) pip install --quiet --python $(BIN)/python --constraint $(CONSTRAINTS) --editable '.[dev,fuzz]'
	$(BIN)/python scripts/fuzz_readers.py --seconds $(FUZZ_SECONDS) --seed 1

check: lint types imports

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Renews the tested versions: names and versions only.
constraints: setup-test
	$(UV) pip freeze --quiet --python $(BIN)/python --exclude-editable | grep -E '^[A-Za-z0-9._-]+==' | sed 's/+[a-z0-9.]*$$//' > $(CONSTRAINTS).new
	mv $(CONSTRAINTS).new $(CONSTRAINTS)

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache
