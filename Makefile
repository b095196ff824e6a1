# Shiplog: one way to build, test and look at it. Every target installs what it needs first.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

LIBRARIES := libsqlite3-dev libgit2-dev libcurl4-openssl-dev libyaml-dev zlib1g-dev
TOOLS := git openssh-client pkg-config ca-certificates
TEST_TOOLS := age chromium openssl sqlite3 python3-venv
RELEASE := .build/release/shiplog
DEBUG := .build/debug/shiplog
VENV := .venv
BENCH_VENV := .venv-bench
CRASH_KILLS ?= 200
BENCH_ROWS ?= 10000 1000000
PYTHON := $(VENV)/bin/python
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
# Our own targets build without a warning; the packages they stand on are not ours to judge.
export SHIPLOG_STRICT := 1

.PHONY: help setup setup-test build demo test test-swift test-python crash verify format schema conformance bench install clean

help: ## show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: ## install the Debian packages that building needs
	@missing=; for p in $(LIBRARIES) $(TOOLS); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
	  echo "installing$$missing"; \
	  $(SUDO) apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing; \
	fi
	@command -v swift >/dev/null || { echo "shiplog needs a Swift 6.2 or newer toolchain: https://www.swift.org/install/linux/" >&2; exit 1; }

setup-test: setup ## install what the tests need besides
	@missing=; for p in $(TEST_TOOLS); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
	  echo "installing$$missing"; \
	  $(SUDO) apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing; \
	fi
	@if [ ! -x $(PYTHON) ] || ! cmp -s Tests/requirements.txt $(VENV)/requirements.txt; then \
	  python3 -m venv $(VENV); \
	  $(PYTHON) -m pip install --quiet --disable-pip-version-check -r Tests/requirements.txt; \
	  cp Tests/requirements.txt $(VENV)/requirements.txt; \
	fi

build: setup ## build the release
	swift build -c release --product shiplog

demo: build ## build, then watch the whole product at work (DEMO_FLAGS=--once to end by itself)
	$(RELEASE) demo $(DEMO_FLAGS)

test: test-swift test-python ## every test, those of the browser and of kubectl included

test-swift: setup-test
	swift build --build-tests
	swift test --skip-build --experimental-maximum-parallelization-width 8

# The same build as the tests': without --build-tests everything would be compiled once more.
test-python: setup-test
	swift build --build-tests
	SHIPLOG_BIN=$(abspath $(DEBUG)) PATH="$(abspath $(VENV))/bin:$$PATH" $(PYTHON) -m pytest -q Tests $(PYTEST_FLAGS)

verify: setup ## fail on warnings, on sources that are not formatted, and on a schema/ that is not what the code makes
	swift format lint --strict --recursive --parallel Package.swift Sources Tests Benchmarks migrations
	swift build --build-tests
	$(MAKE) schema
	@if [ -n "$$(git status --porcelain -- schema)" ]; then \
	  echo "schema/ is not what the code makes of it:" >&2; git --no-pager diff --stat -- schema >&2; exit 1; fi

format: ## format the Swift sources
	swift format --in-place --recursive --parallel Package.swift Sources Tests Benchmarks migrations

schema: setup ## regenerate schema/ from the migrations
	swift build --build-tests
	SHIPLOG_REGENERATE=1 swift test --skip-build --filter LedgerStoreTests.SchemaGoldenTests

crash: setup-test ## kill the server 200 times under load (CRASH_KILLS=n, SHIPLOG_CRASH_SEED=n repeats a run)
	swift build --build-tests
	SHIPLOG_CRASH_KILLS=$(CRASH_KILLS) SHIPLOG_BIN=$(abspath $(DEBUG)) $(PYTHON) -m pytest -q -s Tests/Crash/test_crash.py

conformance: setup ## the same scenarios against your own cluster: make conformance KUBECONFIG=...
	@[ -n "$${KUBECONFIG:-}" ] || { echo "usage: make conformance KUBECONFIG=path" >&2; exit 64; }
	swift build --build-tests
	SHIPLOG_CONFORMANCE_KUBECONFIG="$$(realpath "$$KUBECONFIG")" swift test --skip-build --filter Conformance

bench: setup ## measure, as ratios against a peer in the same run (BENCH_ROWS="10000 1000000 10000000" for more history)
	swift build -c release --product Benchmark
	swift build -c release --product shiplog
	@if [ ! -x $(BENCH_VENV)/bin/python ]; then \
	  $(SUDO) apt-get update -qq; $(SUDO) apt-get install -y -qq --no-install-recommends python3-venv >/dev/null; \
	  python3 -m venv $(BENCH_VENV); \
	  $(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r Benchmarks/requirements.txt; \
	fi
	@PATH="$(abspath $(BENCH_VENV))/bin:$$PATH" $(BENCH_VENV)/bin/python Benchmarks/run.py .build/release/Benchmark $(BENCH_ROWS)

install: build ## install the program and its page below PREFIX (default /usr/local)
	install -D -m 0755 $(RELEASE) $(DESTDIR)$(or $(PREFIX),/usr/local)/bin/shiplog
	mkdir -p $(DESTDIR)$(or $(PREFIX),/usr/local)/share/shiplog
	cp -R web examples $(DESTDIR)$(or $(PREFIX),/usr/local)/share/shiplog/

clean: ## remove what building made
	rm -rf .build $(VENV) $(BENCH_VENV)
