# make run    sets everything up, then learns from BBC News and releases a model
# make test   sets everything up, then runs every check and every test
# make demo   shows the closed loop: drift, retraining, release (after make run)

VENV := .venv
BIN := $(VENV)/bin
# Python 3.11 or 3.12; PYTHON=... names another one.
SUITABLE := -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null
PYTHON ?= $(shell for p in python3.12 python3.11 python3; do $$p $(SUITABLE) && echo $$p && break; done)

# What Python has compiled is kept, whatever the shell says: tests start some hundred commands.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run demo test check setup lock clean

run: setup
	@$(BIN)/newsloop run

demo: setup
	@$(BIN)/newsloop demo

# Many tests wait for servers: two workers leave a part of two cores idle. Each further one imports
# all libraries once more.
WORKERS := 3
# Every test runs without a network but the loopback, see tests/offline.py.
test: setup check
	@bash tests/servers.sh
	@$(BIN)/python tests/offline.py $(BIN)/python -m pytest --numprocesses $(WORKERS) \
		--dist loadfile --no-loadscope-reorder

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

setup: $(VENV)/.installed

# pip installs uv, and uv the rest: a tenth of the time that pip takes. Both check the same hashes.
$(VENV)/.installed: requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "newsloop needs Python 3.11 or 3.12, and found neither: install one, or name it by PYTHON=..." >&2; exit 1; }
	@$(PYTHON) $(SUITABLE) || { echo "newsloop needs Python 3.11 or 3.12, and PYTHON=$(PYTHON) is neither: name another one." >&2; exit 1; }
	@command -v git >/dev/null || { echo "newsloop needs git, and found none: install it first" >&2; exit 1; }
	@echo "Installing $$(grep -c == requirements.txt) packages into $(VENV), about 3 GB; a minute or two ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.txt > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes --no-deps -r $(VENV)/uv.txt
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --system-certs --require-hashes --no-deps -r requirements.txt || { \
		echo "uv could not install the packages; pip tries, which takes some minutes ..." >&2; \
		$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.txt; }
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Writes the lock anew from requirements.in and requirements-models.in.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header
lock:
	@$(COMPILE) --output-file requirements.txt requirements.in
	@$(COMPILE) --no-deps requirements-models.in >> requirements.txt

clean:
	@-test -x $(BIN)/newsloop && $(BIN)/newsloop down
	rm -rf $(VENV)
