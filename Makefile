# make demo: from nothing to a synthetic cohort, three SQL answers, pictures, a report, and Fig. 3 and 4.   make test: every check that CI runs.
# PYTHON=python3.12 make ... chooses the Python (3.11 to 3.13) that .venv is made with.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
DEMO := demo
REN := $(BIN)/ren-features

.PHONY: demo notebooks test lint format benchmark docs clean

demo: .venv/analysis.done
	rm -rf $(DEMO)
	$(REN) synth $(DEMO) --patients 40 --seed 1 --faults 4
	$(REN) build $(DEMO)/cohort.csv --store $(DEMO)/ren.duckdb --jobs 2 --previews
	@echo "\n1. Mean density by lobe and diagnosis: which lobes are ill?"
	$(REN) query "SELECT region, label_has_ILD AS ild, count(*) AS scans, round(avg(original_firstorder_Mean)) AS mean_hu FROM lobe_features WHERE quality_ok GROUP BY ALL ORDER BY ALL" --store $(DEMO)/ren.duckdb
	@echo "\n2. How do lower lobes change from a patient's first scan to the last?"
	$(REN) query "WITH change AS (SELECT patient_id, region, any_value(label_has_ILD) AS ild, arg_max(original_firstorder_Mean, scan_date) - arg_min(original_firstorder_Mean, scan_date) AS hu FROM lobe_features WHERE region IN ('LLL', 'RLL') AND quality_ok GROUP BY ALL HAVING count(*) > 1) SELECT region, ild, count(*) AS patients, round(median(hu)) AS median_change_hu, round(max(hu)) AS largest_change_hu FROM change GROUP BY ALL ORDER BY ALL" --store $(DEMO)/ren.duckdb
	@echo "\n3. What is unusual?"
	$(REN) query "SELECT severity, rule, string_agg(DISTINCT region, ' ' ORDER BY region) AS regions, count(DISTINCT scan_id) AS scans FROM quality GROUP BY ALL ORDER BY ALL" --store $(DEMO)/ren.duckdb
	@echo
	$(REN) report --store $(DEMO)/ren.duckdb -o $(DEMO)/report.html
	@echo "\n4. Which lobes tell who is ill? Experts on radiomics, tested on patients whom they have not seen."
	$(BIN)/ren-models split --store $(DEMO)/ren.duckdb --task has_ILD
	$(BIN)/ren-models radiomics --store $(DEMO)/ren.duckdb --task has_ILD
	$(BIN)/ren-analysis fig3 --store $(DEMO)/ren.duckdb --task has_ILD -o $(DEMO)/figures
	$(BIN)/ren-analysis fig4 --store $(DEMO)/ren.duckdb --task has_ILD -o $(DEMO)/figures
	@echo "\nPictures: $(DEMO)/disease.png shows a scan with its lobes and the disease that was put into it, $(DEMO)/contact_sheet.png ten patients."
	@echo "Figures: $(DEMO)/figures/fig3.png and fig4.png; beside them SVG, the numbers as CSV, and the captions."
	@echo "Open $(DEMO)/report.html in a browser. The store is $(DEMO)/ren.duckdb: ask it more with  $(REN) query \"...\" --store $(DEMO)/ren.duckdb"

# Outputs that are committed with the notebooks are those of the demo.
notebooks: .venv/test.done demo
	cd notebooks && for name in *.ipynb; do ../$(BIN)/jupyter execute --inplace $$name; done

test: lint
	$(BIN)/pytest -n 2

lint: .venv/test.done
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/test.done
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

benchmark: .venv/test.done
	$(BIN)/python -m tests.benchmarks.radiomics --quick
	$(BIN)/python -m tests.benchmarks.scan
	$(BIN)/python -m tests.benchmarks.experts

# The site is build/site/index.html; it needs no network, to be built or to be read.
docs: .venv/test.done
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

# Installation happens when these files change, and not otherwise.
.venv/core.done: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and f"Python 3.11 to 3.13 is needed, $(PYTHON) is {sys.version.split()[0]}: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) setuptools wheel
	$(PIP) --no-build-isolation --editable .
	touch $@

.venv/analysis.done: .venv/core.done
	$(PIP) --no-build-isolation --editable ".[analysis]"
	touch $@

.venv/test.done: .venv/analysis.done
	PYTHONPATH=$(CURDIR)/tools/pyradiomics_build $(PIP) --no-build-isolation pyradiomics==3.0.1
	$(PIP) torch
	$(PIP) --no-build-isolation --editable ".[analysis,dev,docs,segment]"
	touch $@

clean:
	rm -rf .venv build $(DEMO) *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
