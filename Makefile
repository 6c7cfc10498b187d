# Two commands for a first-time user: `make demo` and `make test`. The rest is for developers.
CARGO  ?= cargo
REPORT ?= out/demo
# Cargo may be told to build elsewhere; the demo must find what it built.
export CARGO_TARGET_DIR := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),$(CURDIR)/target)
DEMO   := $(CARGO_TARGET_DIR)/demo/ephapse

.PHONY: demo test test-rt proofs tsan accept bench bench-gate bench-peers test-peers python-package lint release c setup clean

## demo: play a recording through the loop for ten seconds [RECORDING=FILE] [FORMAT=i16le,32ch,30000Hz] [DURATION=10s]
demo: setup
	$(CARGO) build --quiet --locked --profile demo -p ephapse
	$(DEMO) demo --report $(REPORT) $(if $(RECORDING),--recording "$(RECORDING)") $(if $(FORMAT),--format "$(FORMAT)") $(if $(DURATION),--duration $(DURATION))

## test: the whole test suite
test: setup
	$(CARGO) test --locked --workspace

## test-rt: the engine on a PREEMPT_RT kernel, in emulation: 20,000 ticks, kills, restarts and stops; wants two free CPUs; what has been seen: tools/rt-vm/README.md
test-rt: setup
	@tools/setup.sh qemu-system-x86 busybox-static cpio python3
	tools/rt-vm/run.sh

## proofs: the ring, its bells and attach in every order that the memory model allows; and every mutation of them is found
proofs:
	RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=$(CARGO_TARGET_DIR)/loom $(CARGO) test --quiet --locked -p ephapse-engine --test loom
	$(CARGO) test --quiet --locked -p ephapse-engine --test mutations -- --ignored --nocapture

# The sanitizer's runtime comes with most toolchains, but asking for it is not yet stable.
TSAN := --cfg tsan -Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer
HOST  = $(shell rustc -vV | sed -n 's/^host: //p')
## tsan: both ends of a ring in one mapping under ThreadSanitizer
tsan: export RUSTC_BOOTSTRAP := 1
tsan:
	@mkdir -p $(CARGO_TARGET_DIR)/tsan
	@if echo 'fn main() {}' | rustc $(TSAN) -o $(CARGO_TARGET_DIR)/tsan/probe - 2>$(CARGO_TARGET_DIR)/tsan/probe.log; then \
	    TSAN_OPTIONS=suppressions=$(CURDIR)/engine/tests/tsan/suppressions.txt RUSTFLAGS="$(TSAN)" CARGO_TARGET_DIR=$(CARGO_TARGET_DIR)/tsan $(CARGO) test --quiet --locked -p ephapse-engine \
	        --target $(HOST) --test ring -- between_two_threads torn_block sleepless a_full_ring; \
	else \
	    echo "tsan: NOT RUN: this toolchain has no ThreadSanitizer ($(CARGO_TARGET_DIR)/tsan/probe.log)"; \
	fi

PEERS_MANIFEST := --manifest-path bench/peers/Cargo.toml

## lint: formatting, clippy and docs, warnings denied; and the rivals' ends, built elsewhere, know what the engine needs
lint: setup
	$(CARGO) update --quiet --workspace --locked $(PEERS_MANIFEST)
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items --quiet

## accept: what takes longer than the test suite may: a minute of blocks, a minute of 61 MB/s recorded, an hour at 1 ms, the loop with its recorder
## stopped and with a full disk, the instrument's proof, the rivals' ends, the
## installed Python package, exports read by h5py and the vendor's library and their memory at 1 and 2 GB, the Cyton's twin read by
## BrainFlow and 10^7 wrong bytes through its parser, a minute of a stage in
## Python, the newcomer's path from its first command on, a new stage in Rust from nothing, the proofs of the ring at length,
## hundreds of kills, a launcher killed at each of its steps twenty times, a thousand signals to anybody at any time, every injected
## fault named by `why` at its tick from twenty seeds, the demo that breaks, and the tests of real processes three times over
accept: setup
	$(CARGO) build --quiet --locked --profile demo -p ephapse
	tools/accept/minute.sh $(DEMO)
	tools/accept/wide.sh $(DEMO)
	$(DEMO) bench prove
	$(MAKE) test-peers
	$(MAKE) python-package
	$(VENV)/bin/pip install --quiet --disable-pip-version-check h5py McsPyDataTools
	EPHAPSE_PYTHON=$(VENV)/bin/python $(CARGO) test --locked --workspace --test other_readers -- --show-output
	EPHAPSE_PYTHON=$(VENV)/bin/python $(CARGO) test --locked --workspace --test executables round_trip -- --show-output
	$(VENV)/bin/pip install --quiet --disable-pip-version-check brainflow
	EPHAPSE_PYTHON=$(VENV)/bin/python $(CARGO) test --locked --workspace --test cyton brainflow -- --show-output
	EPHAPSE_FUZZ_BYTES=10000000 $(CARGO) test --locked --workspace --lib cyton::parser
	EPHAPSE_EXPORT_GB=1 $(CARGO) test --locked --workspace --test executables memory_does_not_grow -- --show-output
	$(MAKE) proofs
	$(MAKE) tsan
	EPHAPSE_KILLS=2000 $(CARGO) test --locked --workspace --test kills -- --nocapture
	EPHAPSE_REPLAYS=100 $(CARGO) test --locked --workspace --test replays every_mishap
	EPHAPSE_REPLAYS=100 $(CARGO) test --locked --workspace --test executables replays
	EPHAPSE_SCHEDULES=10000 $(CARGO) test --locked --workspace --test schedule
	EPHAPSE_FUZZ_S=60 $(CARGO) test --locked --workspace --test damaged_segments --test damaged_graphs
	EPHAPSE_CASES=5000 $(CARGO) test --locked --workspace --test interlock
	EPHAPSE_ITEMS=1000000000 $(CARGO) test --locked --profile demo -p ephapse-engine --test two_processes -- --nocapture
	EPHAPSE_KILLS=200 $(CARGO) test --locked --workspace --test executables restarts
	EPHAPSE_KILLS=200 EPHAPSE_KILLS_OF_ALL=200 $(CARGO) test --locked --workspace --test recorder -- killed
	EPHAPSE_KILLS=20 $(CARGO) test --locked --workspace --test executables launcher_kills -- --show-output
	EPHAPSE_RANDOM_KILLS=1000 $(CARGO) test --locked --workspace --test executables random_kills
	EPHAPSE_SEEDS=20 $(CARGO) test --locked --workspace --test executables why_on_purpose -- --show-output
	$(DEMO) demo --break --report $(CARGO_TARGET_DIR)/break
	$(CARGO) test --locked --workspace --test executables newcomer -- --ignored
	EPHAPSE_PYTHON=$(VENV)/bin/python EPHAPSE_PYTHON_S=60 $(CARGO) test --locked --workspace --test executables python_stage -- --show-output
	for round in 1 2 3; do \
	    echo "round $$round of 3"; $(CARGO) test --quiet --locked --workspace --test executables --test conformance --test accounts || exit 1; \
	done
	tools/accept/hour.py $(DEMO)
	tools/accept/recorder_away.py $(DEMO)

## bench: every latency and rate that the README promises, with the rivals in the same run [ROUNDS=15] [BENCH=ring|wake|tick|dsp|prove]
bench: setup bench-peers
	@tools/setup.sh rt-tests
	$(CARGO) build --quiet --locked --profile demo -p ephapse
	$(DEMO) bench $(or $(BENCH),all) --bounds --rounds $(or $(ROUNDS),15) --peers $(CARGO_TARGET_DIR)/peers/release/ephapse-peers

## bench-gate: instructions of the hot paths, none above bench/gate/baseline.json by more than 3 % [ACCEPT=1 stores them]
bench-gate:
	@tools/setup.sh valgrind
	$(CARGO) build --quiet --locked --profile demo -p ephapse-bench --example gate
	$(CARGO_TARGET_DIR)/demo/examples/gate $(if $(ACCEPT),--accept)

PEERS  := --locked $(PEERS_MANIFEST)
# A Python that has numpy already needs no second one.
NUMPY   = $(shell python3 -c 'import numpy' 2>/dev/null || echo python3-numpy)
bench-peers test-peers: export CARGO_TARGET_DIR := $(CARGO_TARGET_DIR)/peers

## bench-peers: the rivals' ends of `ephapse bench ring`, with what they need: a Redis server, Python with numpy
bench-peers:
	@tools/setup.sh redis-server $(NUMPY)
	$(CARGO) build --quiet --release $(PEERS)

## test-peers: formatting, lints and tests of the rivals' ends, and whether each is as fast as its own benchmark
test-peers: bench-peers
	$(CARGO) fmt --check --manifest-path bench/peers/Cargo.toml
	$(CARGO) clippy --all-targets $(PEERS) -- -D warnings
	$(CARGO) test $(PEERS)
	$(CARGO_TARGET_DIR)/release/ephapse-peers --self-check

VENV   := $(CARGO_TARGET_DIR)/python-venv
PIP     = $(shell python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv)

## python-package: `pip install` of the Python package from the tree into a fresh environment, and all its tests there, with
## a minute of a ticked stage at 1 kHz
python-package: setup
	@tools/setup.sh python3 $(PIP)
	rm -rf $(VENV)
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check ./engine/bindings/python
	EPHAPSE_PYTHON=$(VENV)/bin/python EPHAPSE_TICKS=60000 $(CARGO) test --locked -p ephapse-python -- --show-output

## release: optimised across crates
release: setup
	$(CARGO) build --locked --release -p ephapse

## c: libephapse for programs in C and C++, target/release/libephapse.{a,so}; the header is engine/bindings/c/include/ephapse.h
c: setup
	$(CARGO) build --locked --release -p ephapse-c

setup:
	@tools/setup.sh

clean:
	$(CARGO) clean
