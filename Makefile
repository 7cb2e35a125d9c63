# The two commands of the README: `make demo` and `make test`; `make docs` and `make dist`. Each makes its own virtual
# environment first.
PYTHON ?= python3
VENV ?= .venv

.PHONY: demo test test-avx2 test-web test-cluster check docs dist

demo: $(VENV)/demo.stamp
	$(VENV)/bin/chronomask segment examples/sample.mp4 --out out/demo --overwrite
	@echo "Open out/demo/overlay.mp4 to see the result."

test: $(VENV)/test.stamp
	$(VENV)/bin/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile

# The page in a browser: Chromium or Chrome of the system, or what CHROMIUM names; skipped where there is none.
test-web: $(VENV)/web-test.stamp
	$(VENV)/bin/python -m pytest -m browser tests/web

# Two nodes of a Ray cluster, on this machine.
test-cluster: $(VENV)/cluster-test.stamp
	$(VENV)/bin/python -m pytest -m cluster tests/fleet

test-avx2: $(VENV)/test.stamp
	ONEDNN_MAX_CPU_ISA=AVX2 $(VENV)/bin/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile -m network

check: $(VENV)/test.stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ty check --python $(VENV) src benchmarks examples

docs: $(VENV)/docs.stamp
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/python -m mkdocs build --strict
	@echo "Open out/site/index.html."

dist: $(VENV)/dist.stamp
	$(VENV)/bin/python -m build --outdir out/dist
	$(VENV)/bin/python -m twine check --strict out/dist/*

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/test.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	@touch $@

$(VENV)/docs.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	@touch $@

$(VENV)/dist.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt build twine
	@touch $@

$(VENV)/web-test.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[web-test]'
	@touch $@

$(VENV)/cluster-test.stamp: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[test,cluster]'
	@touch $@
