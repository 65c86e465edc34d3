# `make book` builds the book and `make test` tests all of it; `make` alone lists the rest.
# Each command installs what it needs into .venv first, and again when a file of requirements changes.

PYTHON      ?=
VENV        ?= .venv
PORT        ?= 8000
JOBS        ?= 1
# Empty, the choice of torch's build is left to pip's own settings: make book TORCH_INDEX=
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
# More options for pytest, for example: make unit PYTEST="-k roofline"
PYTEST      ?=

BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed
STRIP := --keep-id --extra-keys "metadata.widgets metadata.language_info.version cell.metadata.execution"

export JOBS
export TORCH_INDEX

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help book test ready unit chapters site lint format strip serve lab bench lighthouse screenshots picture budgets \
        links install browser lock fork clean distclean

help: ## list these commands
	@echo "The Compute Gap. Commands (make COMMAND):"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile

book: site ## run the chapters that changed and build the site
	@$(BIN)/python tools/doctor.py site

test: $(STAMP) ready lint site ## run everything: lint, chapters, site, and all tests
	@echo "Testing the package, the chapters' results, the repository, and every page in a browser"
	@CHROMIUM="$$($(BIN)/python tools/doctor.py browser)" $(BIN)/python -m pytest $(PYTEST)

# Said before anything long begins.
ready: $(STAMP)
	@$(BIN)/python tools/doctor.py browser >/dev/null

unit: $(STAMP) ## run the tests that need no run chapters, no built site and no browser
	$(BIN)/python -m pytest -m "not site and not executed" $(PYTEST)

chapters: $(STAMP) ## run every chapter whose code changed, once, and keep the results
	@$(BIN)/python tools/run_chapters.py

site: chapters ## build the site from the kept results; warnings are errors
	@echo "Building the site"
	@$(BIN)/jupyter-book build . -W --keep-going -n

lint: $(STAMP) ## check style, spelling, and that notebooks carry no outputs
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/nbstripout --verify $(STRIP) chapters/*.ipynb

format: $(STAMP) ## mend what ruff can mend by itself
	$(BIN)/ruff check --fix .

strip: $(STAMP) ## take the outputs out of the chapters before a commit
	$(BIN)/nbstripout $(STRIP) chapters/*.ipynb

serve: book ## build if needed and serve the site on this machine
	@$(BIN)/python tools/serve.py --port $(PORT)

lab: $(VENV)/.lab ## open the chapters in JupyterLab
	$(BIN)/jupyter lab --notebook-dir=. $(if $(filter 0,$(shell id -u)),--allow-root) --LabApp.default_url=/lab/tree/chapters

bench: $(VENV)/.bench ## measure the explorables beside HoloViews, Panel and Plotly
	@$(BIN)/python tools/bench.py

lighthouse: site ## score the built pages with Lighthouse on a phone's settings (needs node)
	@$(BIN)/python tools/lighthouse.py

screenshots: site ## take pictures of each page: light, dark, phone
	@$(BIN)/python tools/screenshots.py

picture: site ## take the picture in the README again
	@$(BIN)/python tools/picture.py

budgets: chapters ## print seconds and memory of each chapter, and fail if one is over budget
	@$(BIN)/python tools/run_chapters.py --report

links: chapters ## ask every link to another site whether it still answers (needs internet)
	$(BIN)/jupyter-book build . --builder linkcheck --path-output build/links

install: $(STAMP) ## install what the book needs into .venv

browser: $(STAMP) ## install a Chromium for the tests of the site
	@sh tools/install_browser.sh $(BIN)/python

lock: $(STAMP) ## resolve the versions again into constraints.txt (UPGRADE=--upgrade for newer ones)
	$(BIN)/python tools/lock.py $(UPGRADE)

fork: ## put your repository's address everywhere: make fork REPO=name/repository
	@python="$$(sh tools/find_python.sh '$(PYTHON)')" && "$$python" tools/fork.py '$(REPO)'

clean: ## remove the built site and the kept results
	rm -rf _build build

distclean: clean ## remove the virtual environment as well
	rm -rf $(VENV)

$(STAMP): requirements.txt constraints.txt pyproject.toml
	@python="$$(sh tools/find_python.sh '$(PYTHON)')" && \
	"$$python" tools/doctor.py venv && \
	echo "Installing into $(VENV) with $$python: some two hundred packages, a minute or a few" && \
	{ $(BIN)/python -m pip --version >/dev/null 2>&1 || "$$python" -m venv --clear $(VENV); } && \
	flags="$$($(BIN)/python tools/doctor.py torch-flags)" && \
	$(BIN)/python -m pip install $$flags -r requirements.txt -c constraints.txt -e .
	@touch $@

$(VENV)/.lab $(VENV)/.bench: $(VENV)/.%: $(STAMP)
	$(BIN)/python -m pip install -c constraints.txt -e '.[$*]'
	@touch $@
