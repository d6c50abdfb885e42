# Run `make` for the list of targets.

# The processor of the functions. arm64 costs a fifth less on Lambda and is built by cargo-lambda, x86_64 by cargo alone.
ARCH ?= x86_64
# CROSS=1 builds x86_64 by cargo-lambda too, against an older glibc than this system's.
CROSS ?=
# More template parameters for `make deploy`: PARAMETERS="LogRetentionDays=90 ThrottleRate=200".
PARAMETERS ?=

TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
VENV_LINT := .venv-lint
TOOLS := .tools
VENV_WATCH := .venv-watch
VENV_TEST := .venv-test
VENV_E2E := .venv-e2e
# Give SAM=sam to use an installed one; then no virtual environment is made.
SAM ?= $(VENV_LINT)/bin/sam
SAM_READY := $(if $(filter $(VENV_LINT)/bin/sam,$(SAM)),$(VENV_LINT)/.ready)
CARGO_DENY_VERSION := 0.20.2
CARGO_LAMBDA_VERSION := 1.9.2
# What cargo-lambda links with.
ZIG_VERSION := 0.17.1
# The library that the tests receive deliveries with.
STANDARDWEBHOOKS_VERSION := 1.1.0
# Their names hold the versions, so that new ones are installed.
TEST_READY := $(VENV_TEST)/.ready-$(STANDARDWEBHOOKS_VERSION)
WATCH_READY := $(VENV_WATCH)/.ready-$(CARGO_LAMBDA_VERSION)-$(ZIG_VERSION)

# Lambda's functions: every package but those that run on a laptop only. One set of packages, so that features are
# resolved once and nothing is built twice.
FUNCTIONS := --workspace --exclude local --exclude tests --bins

# The functions that are tested as Lambda runs them.
TESTED_FUNCTIONS := api-keys botmother-send-event chatbot-call-api chatbot-create-user chatbot-get-user chatbot-watch-message

# cargo alone links for the system it runs on, so elsewhere cargo-lambda builds x86_64 as well.
HOST := $(shell uname -s)-$(shell uname -m)
HOST_ARCH := $(if $(filter %-aarch64 %-arm64,$(HOST)),arm64,x86_64)
WITH_CARGO_LAMBDA := $(strip $(filter-out x86_64,$(ARCH)) $(CROSS) $(filter-out Linux-x86_64,$(HOST)))

export SAM_CLI_TELEMETRY := 0

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run sandbox watch test e2e lint cargo-deny build package deploy clean
.PHONY: need-cargo need-cc need-python3 need-linux need-architecture local-binary sandbox-binary test-binaries target-arm64 target-x86_64

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: need-python3 local-binary ## Run everything in one process on http://127.0.0.1:9000 (PORT, DATA_DIR: see README.md)
	@exec "$(TARGET_DIR)/debug/local"

sandbox: sandbox-binary ## Play the platforms on http://127.0.0.1:9100, to try everything without an account (SANDBOX_PORT)
	@exec "$(TARGET_DIR)/debug/sandbox"

watch: local-binary $(WATCH_READY) ## Run the functions under cargo lambda watch, on a database beside it
	@PATH="$(CURDIR)/$(VENV_WATCH)/bin:$$PATH" scripts/watch "$(TARGET_DIR)/debug/local"

test: need-python3 test-binaries $(TEST_READY) ## Run all tests (with cargo-nextest where it is installed)
	@if cargo nextest --version >/dev/null 2>&1; then \
		set -x; cargo nextest run --workspace; \
	else \
		set -x; cargo test --workspace; \
	fi

e2e: need-linux sandbox-binary $(SAM_READY) $(VENV_E2E)/.ready ## Build, deploy into an emulated AWS, and test what is deployed (some minutes)
	@$(MAKE) build ARCH=$(HOST_ARCH)
	SAM="$(SAM)" SANDBOX="$(abspath $(TARGET_DIR))/debug/sandbox" $(VENV_E2E)/bin/pytest -v tests/e2e

lint: need-cargo need-cc $(SAM_READY) ## Check formatting, clippy, the template and, with cargo-deny, the dependencies
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	$(SAM) validate --lint --template template.yaml --region us-east-1
	@export PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH"; if cargo deny --version >/dev/null 2>&1; then \
		set -x; cargo deny check bans licenses sources; \
	else \
		echo "skipped: cargo-deny is not installed, so licences and bans of dependencies were not checked." >&2; \
		echo "         To check them: make cargo-deny" >&2; \
	fi

cargo-deny: need-cargo need-cc ## Install cargo-deny for make lint, into .tools (some minutes, once)
	@PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" cargo deny --version 2>/dev/null || \
		cargo install --quiet --locked --root $(TOOLS) cargo-deny@$(CARGO_DENY_VERSION)

build: need-architecture need-cargo need-cc $(if $(WITH_CARGO_LAMBDA),$(WATCH_READY) target-$(ARCH)) ## Build all functions in release into target/lambda (ARCH=x86_64 or arm64)
ifneq ($(WITH_CARGO_LAMBDA),)
	PATH="$(CURDIR)/$(VENV_WATCH)/bin:$$PATH" cargo lambda build --release $(if $(filter arm64,$(ARCH)),--arm64,--x86-64) $(FUNCTIONS) --lambda-dir target/lambda
	@scripts/lay-out-functions $(ARCH)
else
	cargo build --release $(FUNCTIONS)
	@scripts/lay-out-functions $(ARCH) "$(TARGET_DIR)/release"
endif

package: build $(SAM_READY) ## Build, and make the template that is deployed (.aws-sam/build)
	$(SAM) build --template template.yaml

deploy: package ## Build and deploy to your AWS account (settings: samconfig.toml, PARAMETERS="Name=value ...")
	$(SAM) deploy --parameter-overrides Architecture=$(ARCH) $(PARAMETERS)

clean: need-cargo ## Remove what was built (.data and the virtual environments stay)
	cargo clean
	rm -rf target/lambda .aws-sam

# These are built as part of the workspace and in debug: the tests use the same artefacts, so that either is quick
# after the other. `cargo run -p local` would resolve other features and build the dependencies once more.
local-binary: need-cargo need-cc
	cargo build --workspace --bin local

sandbox-binary: need-cargo need-cc
	cargo build --workspace --bin sandbox

# What the tests start as processes.
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

need-linux:
	@case "$(HOST)" in Linux-*) ;; *) echo "the functions are run as processes here, and they are Linux binaries" >&2; exit 1 ;; esac

need-architecture:
	@case "$(ARCH)" in x86_64|arm64) ;; *) echo "ARCH is '$(ARCH)', expected x86_64 or arm64" >&2; exit 1 ;; esac

# Without rustup the toolchain is the system's, and whether it can build for the target shows in the build.
target-arm64:
	@! command -v rustup >/dev/null || rustup target add aarch64-unknown-linux-gnu

target-x86_64:
	@! command -v rustup >/dev/null || rustup target add x86_64-unknown-linux-gnu

# $(call venv,folder,what to install)
define venv
	@rm -rf $(1)
	@python3 -m venv $(1) || { rm -rf $(1); \
		echo "could not make $(1): python3 lacks its venv module (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo "installing $(2) into $(1), once"
	@$(1)/bin/pip install --quiet --disable-pip-version-check $(2) || { \
		echo "could not install $(2) into $(1): pip says why above; it needs a package index to install from" >&2; exit 1; }
	@touch $@
endef

$(VENV_LINT)/.ready: requirements-lint.txt | need-python3
	$(call venv,$(VENV_LINT),-r requirements-lint.txt)

$(VENV_E2E)/.ready: requirements-e2e.txt | need-python3
	$(call venv,$(VENV_E2E),-r requirements-e2e.txt)

$(WATCH_READY): | need-python3
	$(call venv,$(VENV_WATCH),cargo-lambda==$(CARGO_LAMBDA_VERSION) ziglang==$(ZIG_VERSION))

$(TEST_READY): | need-python3
	$(call venv,$(VENV_TEST),standardwebhooks==$(STANDARDWEBHOOKS_VERSION))
