# Every target sets itself up on a machine that has only Python (3.11.4 or newer) and make.
# CORES: how many cores to use. VENV: where the environment lives. PYTHON: which interpreter makes it.
PYTHON ?= python3
VENV   ?= .venv
CORES  ?= all
CONFIG ?=

BIN       := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SITE_TOOLS := $(VENV)/.site-tools
SNAKEMAKE := PATH="$(abspath $(BIN)):$$PATH" snakemake

.PHONY: run smoke test check docs links wheel report clean help

help:
	@echo "make run     install, run the pipeline with config.yaml, write report.html"
	@echo "make smoke   the same with the smallest sizes (preset=smoke): some minutes"
	@echo "make test    install, run the test suite"
	@echo "make check   install, run linters (ruff, import-linter, ty, snakefmt, snakemake --lint)"
	@echo "make docs    install, check the generated pages, build the site into build/site; tutorials are executed the first time"
	@echo "             (MADAD_TUTORIALS=off shows them without results)"
	@echo "make links   look up the external links of the documentation"
	@echo "make wheel   build the wheel, install it into a fresh environment, run it in an empty folder"
	@echo "make report  write report.html from the results at hand"
	@echo "options:     CORES=2  VENV=.venv  PYTHON=python3  CONFIG='preset=smoke'"

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 4) and "madad needs Python 3.11.4 or newer; name one with PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

run: $(INSTALLED)
	$(BIN)/madad run --cores $(CORES) $(if $(CONFIG),--config $(CONFIG))
	$(BIN)/madad report report.html $(if $(CONFIG),--config $(CONFIG))

smoke:
	$(MAKE) run CONFIG='preset=smoke'

report: $(INSTALLED)
	$(SNAKEMAKE) --report report.html $(if $(CONFIG),--config $(CONFIG))

test: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 --dist loadgroup

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PATH="$(abspath $(BIN)):$$PATH" lint-imports
	$(BIN)/ty check madad --python $(VENV)
	$(BIN)/snakefmt --check Snakefile rules
	$(SNAKEMAKE) --lint

$(SITE_TOOLS): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

docs: $(SITE_TOOLS)
	$(BIN)/python -m pytest -m "not slow" tests/documentation tests/reporting/documentation tests/evaluation/results/test_metric_table.py
	PATH="$(abspath $(BIN)):$$PATH" sphinx-build -q -W --keep-going -d build/doctrees docs build/site

links: $(SITE_TOOLS)
	PATH="$(abspath $(BIN)):$$PATH" MADAD_TUTORIALS=off sphinx-build -q -b linkcheck -d build/doctrees-links docs build/links

wheel:
	rm -rf build dist $(VENV)-wheel
	$(PYTHON) -m venv $(VENV)-wheel
	$(VENV)-wheel/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	$(VENV)-wheel/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt dist/*.whl
	$(VENV)-wheel/bin/madad --version
	$(VENV)-wheel/bin/python -I tests/documentation/installed_files.py madad
	mkdir -p build/empty && cd build/empty && "$(abspath $(VENV)-wheel/bin/madad)" run --cores $(CORES) --config preset=smoke

clean:
	rm -rf $(VENV) $(VENV)-wheel build dist results report.html .snakemake
