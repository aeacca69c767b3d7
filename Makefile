# make run      installs what running needs, then learns from BBC News and releases a model
# make test     installs the rest, then runs every check and every test
# make demo     shows the closed loop: drift, retraining, release (after make run)
# make vectors  installs what the architecture `pretrained` needs: sentence vectors
# make gpu      installs TensorFlow with its CUDA libraries, for an NVIDIA GPU under Linux

VENV := .venv
BIN := $(VENV)/bin
# CPython 3.11, 3.12 or 3.13; PYTHON=... names another one. The free-threaded build has no wheels.
SUITABLE := -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info < (3, 14) and sys.implementation.name == "cpython" and "t" not in sys.abiflags))' 2>/dev/null
VERSION := -c 'import sys; print(*sys.version_info[:2], sep=".")' 2>/dev/null
BASE := -c 'import sys; print(sys._base_executable)' 2>/dev/null
# The Python of the virtual environment, else the first that suits.
ifeq ($(origin PYTHON),undefined)
PYTHON := $(shell for p in "$$($(BIN)/python $(BASE))" python3.12 python3.11 python3.13 python3; do $$p $(SUITABLE) && echo $$p && break; done)
endif
NEEDS := newsloop needs CPython 3.11, 3.12 or 3.13

# What Python has compiled is kept, whatever the shell says: tests start some hundred commands.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run demo test check setup vectors gpu lock clean anew

run: setup
	@$(BIN)/newsloop run

demo: setup
	@$(BIN)/newsloop demo

# Many tests wait for servers: two workers leave a part of two cores idle. Each further one imports
# all libraries once more.
WORKERS := 3
# Every test runs without a network but the loopback, see tests/offline.py.
test: check
	@bash tests/servers.sh
	@$(BIN)/python tests/offline.py $(BIN)/python -m pytest --numprocesses $(WORKERS) \
		--dist loadfile --no-loadscope-reorder

check: $(VENV)/.tests-installed
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

setup: $(VENV)/.installed

vectors: setup
	@$(call install,requirements/vectors.txt)

gpu: setup
	@$(GPU)

# pip installs uv, and uv the rest: a tenth of the time that pip takes. Both check the same hashes.
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check
FROM_LOCK := --require-hashes --no-deps --requirement
define install
echo "Installing $$(grep -c == $(1)) packages of $(1) into $(VENV) ..."; \
VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --system-certs $(FROM_LOCK) $(1) || { \
	echo "uv could not install the packages; pip tries, which takes some minutes ..." >&2; \
	$(PIP) $(FROM_LOCK) $(1); }
endef
# Both packages have the same files, so one must go first.
GPU = VIRTUAL_ENV=$(VENV) $(BIN)/uv pip uninstall --quiet tensorflow-cpu; $(call install,requirements/gpu.txt)

# An environment of another version than PYTHON is made anew.
ifneq ($(shell $(BIN)/python $(VERSION)),$(shell $(PYTHON) $(VERSION)))
$(VENV)/.installed: anew
endif
# What was added to the environment is there again after an upgrade. Before 0.3, all had the vectors.
PACKAGES := $(VENV)/lib/python*/site-packages
HAD_VECTORS := $(wildcard $(PACKAGES)/keras_hub)
HAD_GPU := $(wildcard $(PACKAGES)/nvidia/cudnn)

$(VENV)/.installed: requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "$(NEEDS), and found none of them: install one, or name it by PYTHON=..." >&2; exit 1; }
	@$(PYTHON) $(SUITABLE) || { echo "$(NEEDS), and PYTHON=$(PYTHON) is none of them: name another one." >&2; exit 1; }
	@command -v git >/dev/null || { echo "newsloop needs git, and found none: install it first" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.txt > $(VENV)/uv.txt
	@$(PIP) $(FROM_LOCK) $(VENV)/uv.txt
	@echo "newsloop takes about 3 GB of disk; a minute or two ..."
	@$(call install,requirements.txt)
	@$(if $(HAD_VECTORS),$(call install,requirements/vectors.txt))
	@$(if $(HAD_GPU),$(GPU))
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.tests-installed: $(VENV)/.installed requirements/vectors.txt requirements/test.txt
	@$(call install,requirements/vectors.txt)
	@$(call install,requirements/test.txt)
	@touch $@

# Writes the locks anew from the .in files. The others hold only what requirements.txt lacks, in
# versions that fit it. Left out are libraries that are asked for and never imported, 105 MB.
UNUSED := --excludes requirements/unused.txt
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header $(UNUSED)
LOCKED = $$(sed -n '/^tensorflow=/!s/^\([a-z0-9._-]*\)==.*/--no-emit-package \1/p' requirements.txt)
BESIDE = $(COMPILE) --constraints requirements.txt $(LOCKED) --output-file
lock:
	@$(COMPILE) --output-file requirements.txt requirements.in
	@$(BESIDE) requirements/vectors.txt --no-emit-package tensorflow requirements/vectors.in
	@$(BESIDE) requirements/test.txt --constraints requirements/vectors.txt requirements/test.in
	@$(BESIDE) requirements/gpu.txt requirements/gpu.in
	@$(BESIDE) requirements/tagger.txt requirements/tagger.in

clean:
	@-test -x $(BIN)/newsloop && $(BIN)/newsloop down
	rm -rf $(VENV)
