# The one entry to building, testing and measuring. `make help` lists what there is.

BUILD ?= build
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 60
SOAK_SECONDS ?= 600
SOAK_REQUESTS ?= 1000000
ROUNDS ?= 5
SECONDS_ ?= 3
PREFIX ?= /usr/local
export FUZZ_SECONDS JOBS

# A home directory that cannot be written (a service user, some sudo setups) would make ccache fail
# every compilation.
ifneq ($(shell test -w "$$HOME" && echo yes),yes)
export CCACHE_DISABLE := 1
endif

.DEFAULT_GOAL := help
.PHONY: help deps build test demo experiment policies tune gateways pictures bench bench-rivals bench-tls bench-curves bench-gateways fuzz tidy format asan tsan test-vllm bench-vllm install clean configure soak render deb test-kubernetes conformance boards test-boards boards-schema dashboard test-dashboard

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps:  ## install the Debian 12 packages that are missing
	@tools/install-deps build

configure: deps
	@tools/check-writable $(BUILD)
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release >$(BUILD)/configure.log 2>&1 || \
	  { cat $(BUILD)/configure.log; exit 1; }

build: configure  ## build build/penstock
	@cmake --build $(BUILD) -j$(JOBS) --target penstock

test: configure  ## build everything and run every test
	@cmake --build $(BUILD) -j$(JOBS)
	@ctest --test-dir $(BUILD) --output-on-failure --no-tests=error -j2

install: build  ## into PREFIX (/usr/local) below DESTDIR: binary, man pages, completions, systemd unit
	@DESTDIR=$(DESTDIR) cmake --install $(BUILD) --prefix $(PREFIX) | grep -v '^-- Install configuration'

deb: build  ## a Debian package, BUILD/deb/penstock_*.deb
	@tools/install-deps deb
	@tools/build-deb $(BUILD) $(BUILD)/deb
	@lintian --fail-on error $(BUILD)/deb/*.deb

demo: build  ## gateway and simulated replicas on an example; ONCE=1 stops afterwards; PD=sglang, PD=vllm; TLS=1; QUEUE=1; RELEASE=1; BENCH=1; PEERS=3
	@PENSTOCK=$(BUILD)/penstock ONCE=$(ONCE) PD=$(PD) TLS=$(TLS) QUEUE=$(QUEUE) RELEASE=$(RELEASE) BENCH=$(BENCH) PEERS=$(PEERS) tools/demo

experiment: build  ## PREFIX_CACHE beside a plain Service on conversations, into docs/results/ (twelve minutes)
	@PENSTOCK=$(BUILD)/penstock tools/demo_bench.py docs/results

policies: build  ## routing strategies in replay, as tables into docs/results/policies (15 minutes); ALL=1: everything (hours, resumes)
	@PENSTOCK=$(BUILD)/penstock tools/policies.py

tune: build  ## better constants of routing strategies, in replay: BUDGET (40) of each, into OUT (BUILD/tune); hours, resumes
	@PENSTOCK=$(BUILD)/penstock OUT=$(or $(OUT),$(BUILD)/tune) tools/tune.py

gateways: build  ## what several gateways lose, alone and sharing, into docs/results/gateways (half an hour, resumes)
	@PENSTOCK=$(BUILD)/penstock tools/gateways.py

pictures: build  ## docs/pictures/ from runs of the demos QUEUE=1 and RELEASE=1 (four minutes)
	@PENSTOCK=$(BUILD)/penstock tools/demo_pictures.py docs/pictures

dashboard:  ## dashboard/dist/ from its sources (needs Node 20.19 and npm)
	@tools/dashboard build

test-dashboard: build  ## the dashboard: unit tests, dist/, every view in Chromium; PICTURES=docs/pictures (needs Node)
	@tools/install-deps dashboard
	@PENSTOCK=$(abspath $(BUILD))/penstock tools/dashboard test $(PICTURES)

bench: configure  ## micro-benchmarks of every folder
	@cmake --build $(BUILD) -j$(JOBS) --target benchmarks
	@BUILD=$(BUILD) tools/bench

RIVALS = PENSTOCK=$(abspath $(BUILD))/penstock python3 -B bench/rivals.py --rounds $(ROUNDS) \
  --seconds $(SECONDS_) $(if $(CASES),--cases $(CASES))

bench-rivals: build  ## beside nginx and haproxy: ROUNDS (5) of SECONDS_ (3) for each of CASES (all)
	@tools/install-deps bench
	@$(RIVALS)

bench-tls: build  ## TLS beside nginx: ROUNDS (5) of SECONDS_ (3)
	@tools/install-deps bench
	@PENSTOCK=$(abspath $(BUILD))/penstock python3 -B bench/tls.py --rounds $(ROUNDS) --seconds $(SECONDS_)

bench-curves: build  ## the same over size, endpoints, connections (busy, idle), workers; into BUILD/curves
	@tools/install-deps bench
	@$(RIVALS) --curves $(BUILD)/curves

bench-gateways: configure  ## what several gateways side by side cost, in virtual time
	@cmake --build $(BUILD) -j$(JOBS) --target penstock_bench
	@$(BUILD)/penstock_bench

fuzz: deps  ## every fuzz target for FUZZ_SECONDS (60) each
	@tools/install-deps tidy
	@tools/check-writable build-fuzz
	@tools/fuzz build-fuzz

tidy: configure  ## layers, sizes, words, locks; clang-tidy on what differs from main (ALL=1: on everything)
	@tools/install-deps tidy
	@tools/tidy
	@tools/clang-tidy $(BUILD) $(if $(ALL),--all)

format:  ## clang-format on every C++ file
	@tools/install-deps tidy
	@git ls-files -co --exclude-standard '*.cc' '*.h' | xargs clang-format-19 -i

asan: deps  ## unit tests under the address and undefined-behaviour sanitizers
	@tools/sanitize build-asan address,undefined

tsan: deps  ## unit tests under the thread sanitizer
	@tools/sanitize build-tsan thread

test-vllm: build  ## against real vLLM servers on the CPU, alike and as a pair (5.8 GB, several minutes)
	@PENSTOCK=$(abspath $(BUILD))/penstock test/vllm/run

bench-vllm: build  ## `penstock bench` beside `vllm bench serve`, by turns against a real vLLM server (5.8 GB, half an hour); ARGS of bench/beside_vllm.py
	@PENSTOCK=$(abspath $(BUILD))/penstock test/vllm/beside $(ARGS)

test-kubernetes: build  ## chart (needs Go), rights and scenarios on a real API server (needs root); KUBECTL=COMMAND: not the scenarios
	@PENSTOCK=$(abspath $(BUILD))/penstock test/kubernetes/run

conformance: build  ## the official suites on a real API server, into docs/conformance (root, Go 1.26; 15 minutes the first time)
	@PENSTOCK=$(abspath $(BUILD))/penstock test/kubernetes/conformance

boards:  ## deploy/grafana/boards from tools/boards
	@tools/make-boards

test-boards: build  ## every query of the Grafana boards and Prometheus rules, by a real Prometheus (two minutes)
	@tools/install-deps boards
	@python3 -B test/boards/rules_test.py
	@PENSTOCK=$(abspath $(BUILD))/penstock python3 -B test/boards/boards_test.py

boards-schema:  ## the boards against Grafana's schema (needs npm)
	@tools/check-boards-schema $(BUILD)/grafana-schema

render: boards  ## deploy/install.yaml and deploy/kustomize/ from the Helm chart, and boards and rules into it (needs Go)
	@tools/render-chart

soak: build  ## everything at once: SOAK_REQUESTS (1000000) in virtual time, SOAK_SECONDS (600) over sockets, then gateways that are killed
	@cmake --build $(BUILD) -j$(JOBS) --target bench_test
	@FLEET_REQUESTS=$(SOAK_REQUESTS) $(if $(FLEET_SEED),FLEET_SEED=$(FLEET_SEED)) $(BUILD)/bench_test \
	  --gtest_filter='VirtualFleet.UnderEverything*'
	@PENSTOCK=$(abspath $(BUILD))/penstock test/soak/soak.py --seconds $(SOAK_SECONDS)
	@PENSTOCK=$(abspath $(BUILD))/penstock test/soak/gateways.py

clean:  ## remove what was built here
	@rm -rf $(BUILD) build-asan build-tsan build-fuzz
