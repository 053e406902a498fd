# Everything a machine needs is Python >= 3.11 with venv, make, and PyPI. `make` lists the targets.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
PY := .venv/bin/python
UV := .venv/bin/python -m uv
SAM := .venv-sam/bin/python -m samcli

# The installed packages must be the locked ones, whatever the caller's shell has set.
unexport VIRTUAL_ENV
unexport UV_PROJECT_ENVIRONMENT
export SAM_CLI_TELEMETRY := 0

PORT ?= 8086
BIND ?= 127.0.0.1
DEMO ?= 1
STAGE ?= local
# What make build builds for: samconfig.toml's default unless a stage is named.
BUILD_STAGE = $(if $(filter command line environment,$(origin STAGE)),$(STAGE),default)

export PORT BIND DEMO

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

.PHONY: setup
setup: .venv/.ready ## install the locked packages into .venv (every other target does it when needed), and quick checks before each commit
	@git rev-parse --git-dir >/dev/null 2>&1 && [ -z "$$CI" ] && .venv/bin/pre-commit install >/dev/null || true

# -- running ------------------------------------------------------------------

.PHONY: run
run: .venv/.ready ## the whole service on http://localhost:8086, and its main job shown (DEMO=0, PORT=, BIND=)
	@exec $(PY) -m localstack

.PHONY: demo
demo: .venv/.ready ## the show again, against a running stack
	@exec $(PY) -m localstack.demo

.PHONY: trace
trace: .venv/.ready ## every step that a delivery took here, out of the logs: DELIVERY=dlv_...
	@$(PY) -m localstack.trace "$(DELIVERY)"

.PHONY: token
token: .venv/.ready ## a JWT: USER_ID=123 [STAGE=dev] [SCOPE="webhooks admin"] [WORKSPACE_IDS=1,2] [HOURS=1]
	@$(PY) -m localstack.token --stage "$(STAGE)" --user-id "$(USER_ID)" \
		$(if $(SCOPE),--scope "$(SCOPE)") $(if $(WORKSPACE_IDS),--workspace-ids "$(WORKSPACE_IDS)") $(if $(HOURS),--hours "$(HOURS)")

# -- checking -----------------------------------------------------------------

# More processes than cores, since tests of real servers mostly wait. They take longer to start than one file takes to run.
PROCESSES := $(if $(findstring .py,$(ARGS)),-n 0,-n 3 --dist loadfile --no-loadscope-reorder)

.PHONY: test
test: .venv/.ready .venv-sam/.ready ## all tests, in three processes (ARGS="-k name" for some, ARGS="tests/unit/test_ids.py" for a file)
	@$(PY) -m pytest $(PROCESSES) $(ARGS)

.PHONY: unit
unit: .venv/.ready ## the quick unit tests alone (ARGS="--random-order-seed=7" shuffles them)
	@$(PY) -m pytest $(PROCESSES) $(if $(findstring .py,$(ARGS)),,-m "not slow" tests/unit) $(ARGS)

.PHONY: coverage
coverage: .venv/.ready ## which lines of functions and shared the unit and integration tests reach, with branches; names those they do not
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow" $(ARGS) tests/unit tests/integration --cov

.PHONY: test-browser
test-browser: .venv/.ready ## the dashboard in a real Chromium, also with 1,000 webhooks and 10,000 deliveries (apt install chromium npm)
	@SCALE=1 $(PY) -m pytest tests/browser $(ARGS)

.PHONY: left-open
left-open: .venv/.ready ## the dashboard's pages left open for ten minutes of load say in the end what the API answers (SECONDS=)
	@LEFT_OPEN=$(or $(SECONDS),600) $(PY) -m pytest -n 0 tests/browser/test_left_open.py $(ARGS)

.PHONY: screenshots
screenshots: .venv/.ready ## every page of the dashboard in light and dark, wide and narrow, into .local/screenshots
	@$(PY) -m tests.browser.screenshots

.PHONY: test-sam
test-sam: .venv/.ready .venv-sam/.ready ## sam local invoke and start-api for real (Linux, as root: apt install docker.io iptables)
	@SAM_LOCAL=1 $(PY) -m pytest tests/infrastructure/test_sam_local.py $(ARGS)

.PHONY: crossing
crossing: .venv/.ready ## functions of each of the last commits beside today's, both ways; minutes for each (COMMITS=20)
	@failed=""; for n in $$(seq 1 $(or $(COMMITS),20)); do \
		echo "HEAD~$$n $$(git log -1 --format=%s HEAD~$$n)"; \
		UPGRADE_FROM=HEAD~$$n $(PY) -m pytest -q -n 0 tests/infrastructure/test_upgrade.py || failed="$$failed HEAD~$$n"; \
	done; echo "crossed: $(or $(COMMITS),20); failed:$${failed:- none}"; [ -z "$$failed" ]

.PHONY: simulate
simulate: .venv/.ready ## faults at every call in virtual time, from seeds (EVENTS=1000000, SEED=7 repeats one, CALM=1)
	@$(PY) -m tests.simulation $(if $(SEED),--seed $(SEED)) $(if $(EVENTS),--events $(EVENTS)) $(if $(CALM),--calm) $(if $(FIRST),--first $(FIRST))

.PHONY: simulate-mutants
simulate-mutants: .venv/.ready ## plant faults in the delivery logic, one at a time: a test must notice (ARGS="release" for some)
	@$(PY) -m scripts.simulate_mutants $(ARGS)

.PHONY: chaos
chaos: .venv/.ready ## the local stack on a bad day: AWS faults, killed processes, bad receivers (EVENTS=5000, SEED=1)
	@$(PY) -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(EVENTS),--events $(EVENTS))

.PHONY: pull
pull: .venv/.ready ## 50 consumers of pull webhooks die and come back in virtual time (EVENTS=100000, SEED=7); REAL=1: processes, on the local stack
	@PYTHONHASHSEED=0 $(PY) -m $(if $(REAL),tests.e2e.pulling,tests.simulation.pull) $(if $(SEED),--seed $(SEED)) $(if $(EVENTS),--events $(EVENTS))

.PHONY: drill
drill: .venv/.ready .venv-sam/.ready ## a table restored, then a region lost, on local stacks by the commands of docs/operations.md (3 minutes)
	@$(PY) -m tests.drill

.PHONY: listen
listen: .venv/.ready ## 1,000 events through `pyhooks listen`: the network is cut, the receiver goes down, and all arrive (EVENTS=)
	@$(PY) -m tests.cli.breaks $(if $(EVENTS),--events $(EVENTS))

.PHONY: noisy
noisy: .venv/.ready ## bad neighbours beside a quiet tenant, in virtual time and for an hour on the local stack (ARGS=--virtual, ARGS="--local recoveries --seconds 10")
	@PYTHONHASHSEED=0 $(PY) -m tests.noisy $(ARGS)

.PHONY: simulate-scale
simulate-scale: .venv/.ready ## a day's outage, a month, rooms of 100,000, a dead tenant, 10,000 lives (ARGS="outage month --scale 0.1")
	@$(PY) -m tests.simulation.scale $(ARGS)

.PHONY: erasure
erasure: .venv/.ready ## a tenant with 100,000 deliveries in every state is erased, a restored copy included (DELIVERIES=)
	@ERASED_DELIVERIES=$(or $(DELIVERIES),100000) $(PY) -m pytest -n 0 --timeout 7200 tests/simulation/test_erasure.py

.PHONY: filters
filters: .venv/.ready ## 100,000 random filters and events: answer, explanation and index beside a plain reading of the rules (CASES=, SEED=)
	@FILTER_CASES=$(or $(CASES),100000) $(if $(SEED),SEED=$(SEED)) $(PY) -m pytest -n 0 --timeout 3600 tests/unit/matching/test_filter_meaning.py

.PHONY: scrape
scrape: .venv/.ready ## a real Prometheus counts 5,000 deliveries of a stack of its own (needs prometheus: apt install prometheus)
	@PROMETHEUS_DELIVERIES=$(or $(DELIVERIES),5000) $(PY) -m pytest tests/e2e/test_prometheus.py

# The slowest first. Where make can, it prints each check's output in one piece.
CHECKS := types-tests types-shipped template-sam template-cfn lint imports openapi-check alarm-check lock-check

.PHONY: alarms
alarms: .venv/.ready ## each alarm goes off by what it is for, and no page by what customers do (Prometheus' too: apt install prometheus)
	@$(PY) -m pytest -n 0 tests/infrastructure/test_alarms.py $(ARGS)

.PHONY: check
check: ## all checks, two at a time (make -k check goes on after one that fails)
	@$(MAKE) -j 2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target) $(CHECKS)

.PHONY: lint
lint: .venv/.ready # format and style
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .

.PHONY: types types-shipped types-tests
types: types-shipped types-tests

types-shipped: .venv/.ready # strict
	$(PY) -m basedpyright

types-tests: .venv/.ready # standard, for tests and scripts
	$(PY) -m basedpyright -p tests/pyrightconfig.json

.PHONY: imports
imports: .venv/.ready # who may import whom: pyproject.toml, tool.importlinter
	.venv/bin/lint-imports

.PHONY: template template-cfn template-sam
template: template-cfn template-sam # template.yaml by cfn-lint and by SAM itself; no AWS account is asked

template-cfn: .venv/.ready
	.venv/bin/cfn-lint template.yaml

template-sam: .venv-sam/.ready
	AWS_DEFAULT_REGION=us-east-1 $(SAM) validate --lint --template template.yaml

.PHONY: alarm-check
alarm-check: .venv/.ready # CloudWatch's alarms and Prometheus' rules are what monitoring/alarms.yml says
	@$(PY) -m scripts.alarm_rules --check

.PHONY: openapi-check
openapi-check: .venv/.ready # docs/openapi.json is what the api's code says
	$(PY) -m scripts.openapi --check

.PHONY: round-trip
round-trip: .venv/.ready ## 10,000 generated events by HTTP and bus: delivered as written, or refused (EVENTS=...)
	@ROUND_TRIP_EVENTS=$(or $(EVENTS),10000) $(PY) -m pytest -n 0 tests/unit/events/test_round_trip.py

# -- security: docs/security.md has the figures --------------------------------

.PHONY: guard-mutants
guard-mutants: .venv/.ready ## take each guard out, one at a time: a test must notice (ARGS="tokens" for some)
	@$(PY) -m scripts.guard_mutants $(ARGS)

.PHONY: fuzz-api
fuzz-api: .venv/.ready ## generated requests against a stack of its own and docs/openapi.json (EXAMPLES=20 an operation)
	@$(PY) -m tests.security.fuzz_api --examples $(or $(EXAMPLES),20)

.PHONY: audit
audit: .venv/.ready ## known vulnerabilities of all locked packages; needs PyPI's advisory service (ARGS=--strict)
	@$(PY) scripts/audit_packages.py $(ARGS)

.PHONY: sbom
sbom: .venv/.ready ## dist/sbom.cdx.json: the CycloneDX bill of materials of what ships
	@$(PY) scripts/bill_of_materials.py dist/sbom.cdx.json && echo dist/sbom.cdx.json

.PHONY: secrets-scan
secrets-scan: .venv/.ready ## credentials in files under version control
	@$(PY) scripts/find_secrets.py

.PHONY: fmt
fmt: .venv/.ready ## format and fix what can be fixed
	$(PY) -m ruff check --fix-only --quiet .
	$(PY) -m ruff format .

.PHONY: alarm-rules
alarm-rules: .venv/.ready ## write CloudWatch's alarms and Prometheus' rules anew, from monitoring/alarms.yml
	@$(PY) -m scripts.alarm_rules

.PHONY: openapi
openapi: .venv/.ready ## write docs/openapi.json anew
	$(PY) -m scripts.openapi

.PHONY: docs
docs: .venv/.ready ## the site of docs/ in dist/docs, which make run shows at /docs; a link that leads nowhere fails
	@$(PY) -m scripts.site.build

.PHONY: diagrams
diagrams: .venv/.ready ## draw the diagrams of docs/ that were changed (apt install chromium; needs npm's registry)
	@$(PY) -m scripts.site.diagrams

.PHONY: clients
clients: .venv/.ready ## the Python and TypeScript clients, made from docs/openapi.json into dist/clients (ARGS=python for one; needs npm's registry)
	@$(PY) -m scripts.clients $(ARGS)

.PHONY: pyhooks
pyhooks: .venv/.ready ## the command line into dist/cli: a wheel, and its locked requirements
	@rm -rf dist/cli && $(UV) build --quiet --wheel --out-dir dist/cli cli
	@cp cli/requirements.txt dist/cli && ls dist/cli/*.whl

# -- measuring ----------------------------------------------------------------

.PHONY: bench
bench: .venv/.ready ## CPU of every function beside a reference loop and a naive build; table, JSON, plot (ROUNDS=15, QUICK=1)
	@$(UV) sync --frozen --quiet --inexact --group bench --python $(PY)
	@$(PY) -m tests.benchmarks $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(QUICK),--quick)

.PHONY: bench-cost
bench-cost: .venv/.ready ## dollars a delivery, counted over the real handlers (at your rate: RATE=50 DOOR=http KB=2 TRIES=1.1 LATENCY=0.3 PARAMETERS="EventDays=7"; MATRIX=1)
	@$(PY) -m tests.benchmarks.cost $(if $(RATE),--rate $(RATE)) $(if $(DOOR),--door $(DOOR)) $(if $(KB),--kb $(KB)) \
	  $(if $(TRIES),--tries $(TRIES)) $(if $(LATENCY),--latency $(LATENCY)) $(if $(PARAMETERS),--parameters "$(PARAMETERS)") \
	  $(if $(MATRIX),--matrix)

.PHONY: bench-scale
bench-scale: .venv/.ready ## what 10,000 deliveries a second take, from `make bench-cost` and AWS's quotas
	@$(PY) -m tests.benchmarks.scale

.PHONY: bench-latency
bench-latency: .venv/.ready ## from publishing to the receiver on the local stack, beside a chain of no-op functions (RATE=20, SECONDS=20)
	@$(PY) -m tests.benchmarks.latency $(if $(RATE),--rate $(RATE)) $(if $(SECONDS),--seconds $(SECONDS))

.PHONY: bench-limits
bench-limits: .venv/.ready ## ingest with every documented limit of filters and events used up at once: peak memory, slowest event
	@$(PY) -m tests.benchmarks.limits

.PHONY: bench-growth
bench-growth: .venv/.ready ## an event of up to 100,000 tenants, and lists of up to a million deliveries; tables, JSON, plot
	@$(UV) sync --frozen --quiet --inexact --group bench --python $(PY)
	@$(PY) -m tests.benchmarks.growth $(ARGS)

.PHONY: bench-start
bench-start: .venv/.ready ## cold start: CPU of each function's init, with and without .pyc, and the libraries it imports
	@$(PY) -m tests.benchmarks.cold_start

# -- building and deploying ---------------------------------------------------

.PHONY: build
build: .venv/.ready .venv-sam/.ready ## what AWS gets, by sam build, with its sizes (ARCH=x86_64, PYTHON_RUNTIME=python3.12, STAGE=prod)
	@$(PY) -m scripts.building sam --stage "$(BUILD_STAGE)" $(if $(ARCH),--arch "$(ARCH)") $(if $(PYTHON_RUNTIME),--runtime "$(PYTHON_RUNTIME)")

.PHONY: deploy
deploy: .venv/.ready .venv-sam/.ready ## build, then deploy with the shell's AWS credentials: STAGE=dev, small or prod [PARAMETERS="LogLevel=DEBUG"]
	@case "$(STAGE)$(if $(ENDPOINT),+endpoint)" in dev|small|prod|local+endpoint) ;; \
		*) echo 'Which stage? make deploy STAGE=dev (or STAGE=local ENDPOINT=http://localhost:4566)' >&2; exit 2;; esac
	@$(PY) -m scripts.building sam --stage "$(STAGE)"
	@$(if $(ENDPOINT),AWS_ENDPOINT_URL="$(ENDPOINT)" AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1) \
		$(PY) -m scripts.deploying --stage "$(STAGE)" --parameters $(PARAMETERS) -- $(ARGS)

.PHONY: doctor
doctor: .venv/.ready ## reads a deployment and says what to mend: STAGE=dev (STAGE=local, the running local stack, by default)
	@$(PY) -m scripts.doctor --stage "$(STAGE)"

.PHONY: erase-again
erase-again: .venv/.ready ## erases from a restored table what was erased before: FROM=<the table that was in use> STAGE=dev
	@$(PY) -m scripts.erase_again --stage "$(STAGE)" --from "$(FROM)"

.PHONY: put-back
put-back: .venv/.ready ## messages that no version could read: what is there, or with PUT_BACK=1 back to their queue (STAGE=dev)
	@$(PY) -m scripts.put_back --stage "$(STAGE)" $(if $(PUT_BACK),--send)

# sam build comes back to this file for each function and layer of the template, below its logical id.
build-%: .venv/.ready
	@$(PY) -m scripts.building artifact $*

# -- packages -----------------------------------------------------------------

EXPORT := export --quiet --frozen --no-header --no-annotate --no-emit-project
LAYER_EXPORT := $(EXPORT) --no-default-groups
BOOTSTRAP_EXPORT := $(EXPORT) --only-group bootstrap
CLI_EXPORT := $(EXPORT) --only-group cli --no-emit-package pyairtable-webhooks-cli

.PHONY: lock
lock: .venv/.ready ## resolve anew within pyproject.toml's bounds (UPGRADE=1 takes newer versions) and export
	$(UV) lock $(if $(UPGRADE),--upgrade)
	$(UV) $(LAYER_EXPORT) --output-file layers/dependencies/requirements.txt
	$(UV) $(BOOTSTRAP_EXPORT) --output-file requirements/uv.txt
	$(UV) $(CLI_EXPORT) --output-file cli/requirements.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		$(if $(UPGRADE),--upgrade) requirements/sam.in --output-file requirements/sam.txt

.PHONY: lock-check
lock-check: .venv/.ready # uv.lock fits pyproject.toml, and what is exported from it is up to date
	$(UV) lock --check --quiet
	@$(UV) $(LAYER_EXPORT) | diff - layers/dependencies/requirements.txt \
		&& $(UV) $(BOOTSTRAP_EXPORT) | diff - requirements/uv.txt \
		&& $(UV) $(CLI_EXPORT) | diff - cli/requirements.txt \
		|| { echo 'The exported requirements are not those of uv.lock: run `make lock`.' >&2; exit 1; }

.PHONY: clean
clean: ## remove environments, caches and the local stack's data
	rm -rf .venv .venv-sam .local .aws-sam .hypothesis .import_linter_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.ready: pyproject.toml cli/pyproject.toml uv.lock requirements/uv.txt
	@[ -n "$(PYTHON)" ] || { echo 'Python 3.11 or newer with venv is needed (Debian: apt install python3-venv). Name another with `make PYTHON=/path/to/python3`.' >&2; exit 1; }
	@[ -x $(PY) ] && $(PY) -c '' 2>/dev/null || { echo 'Setting up .venv' >&2 && rm -rf .venv && $(PYTHON) -m venv .venv; }
	@$(PY) -m uv --version 2>/dev/null | grep -q "^uv $$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements/uv.txt) *" \
		|| $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@$(UV) sync --frozen --quiet --python $(PY)
	@touch $@

.venv-sam/.ready: requirements/sam.txt .venv/.ready
	@echo 'Setting up .venv-sam (sam-cli)' >&2
	@$(UV) venv --quiet --clear --python $(PY) .venv-sam
	@$(UV) pip sync --quiet --require-hashes --python .venv-sam/bin/python requirements/sam.txt
	@touch $@
