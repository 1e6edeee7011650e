# Each target is a line or two; what they run is the program or cargo.
.PHONY: demo test compiled images-there test-signals test-sabotage test-others setup build dist image images lint fast bench gc

SCENARIOS = mailu radicale davical
TESTS = $(basename $(notdir $(wildcard tests/*.rs seeds/tests/*.rs)))

# A whole Mailu drill on stand-in images, built on the spot where no registry is reachable.
demo: setup build
	./target/debug/restore-drill run mailu

# Every test; those that deploy want Docker. Drills mostly wait, so that three lanes of about the same length go on beside one
# another, each with a state directory and so with slots of its own.
test: setup build
	$(MAKE) -j2 compiled images-there
# The static program is linked in the place of the one that is tested, which comes back.
	$(MAKE) dist PROFILE=dev && $(MAKE) build
	$(MAKE) -j3 test-signals test-sabotage test-others

compiled:
	cargo test --workspace --no-run

images-there:
	for s in $(SCENARIOS); do ./target/debug/restore-drill images $$s || exit 1; done

test-signals:
	RESTORE_DRILL_STATE_DIR=$(CURDIR)/target/state-signals cargo test --no-fail-fast --test signals --test ladder -- --test-threads=1

test-sabotage:
	RESTORE_DRILL_STATE_DIR=$(CURDIR)/target/state-sabotage cargo test --no-fail-fast --test sabotage --test live

test-others:
	cargo test --workspace --no-fail-fast --lib --bins $(patsubst %,--test %,$(filter-out signals ladder sabotage live,$(TESTS)))

# What a bare machine lacks, once.
setup:
	./.ci/setup

build:
	cargo build
	cargo rustc --package bot --bin backup -- -C target-feature=+crt-static

# A static program with all that it needs, in target/dist.
dist:
	./.ci/dist

# The same as an image.
image:
	docker build -q -t $(or $(IMAGE),restore-drill) $(if $(BASE),--build-arg BASE=$(BASE)) -f harness/Dockerfile target/dist/*/

images: build images-there

# The tests that need no Docker.
fast:
	cargo test --workspace --lib --bins
	cargo test -p restore-drill --test labels
	cargo test -p seeds

lint:
	cargo fmt --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
	cargo test --test docs -- every_

# How fast, beside other programs on the same stack; wants isync (mbsync) and python3.
bench: setup images
	cargo run --release --example bench

gc: build
	./target/debug/restore-drill gc
