# Two commands are enough: `make reproduce` and `make test`. Both set everything up in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install reproduce test soak check clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "fedaffect needs Python 3.11, 3.12 or 3.13; try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(STAMP)

reproduce: install ## The poster's Table 1 beside ours; report in results/reproduce
	$(BIN)/fedaffect-sim reproduce --out results/reproduce

test: install ## Every behaviour once
	$(BIN)/python -m pytest -n 2 --dist loadfile -m 'not soak'

soak: install ## Repetitions and the statistical acceptance figures
	$(BIN)/python -m pytest -m soak

check: install ## Lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p shared -p client -p server -p simulations

clean: ## Remove everything that was built
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
