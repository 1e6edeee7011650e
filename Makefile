# Each target is a line or two; what they run is the program or cargo.
.PHONY: help demo test compiled images-there test-signals test-faults test-others setup build dist image images lint spelling licences fast faults bench soak gc

SCENARIOS = mailu radicale davical
TESTS = $(basename $(notdir $(wildcard tests/*.rs seeds/tests/*.rs harness/*/tests/*.rs)))

# The first target, so that `make` alone shows it.
help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: setup build ## Run a whole Mailu drill; where no image registry can be reached, on stand-in images built here
	./target/debug/restore-drill run mailu

# Drills mostly wait, so the tests run in three lanes of about the same length, side by side. Each lane has its own state directory,
# and so its own slots.
test: setup build ## Run every test; needs Docker
	$(MAKE) -j2 compiled images-there
# The static program is linked in the place of the one that is tested, which comes back.
	$(MAKE) dist PROFILE=dev && $(MAKE) build
	$(MAKE) -j3 test-signals test-faults test-others

compiled:
	cargo test --workspace --no-run

images-there:
	for s in $(SCENARIOS); do ./target/debug/restore-drill images $$s || exit 1; done

test-signals:
	RESTORE_DRILL_STATE_DIR=$(CURDIR)/target/state-signals cargo test --workspace --no-fail-fast --test signals --test ladder -- --test-threads=1

test-faults:
	RESTORE_DRILL_STATE_DIR=$(CURDIR)/target/state-faults cargo test --workspace --no-fail-fast --test faults --test live

test-others:
	cargo test --workspace --no-fail-fast --lib --bins $(patsubst %,--test %,$(filter-out signals ladder faults live catalogue,$(TESTS)))

faults: setup images ## Inject every fault of Mailu, some 40 minutes; `make test` injects those of the other scenarios
	cargo test --workspace --test catalogue

setup: ## Install what this machine lacks, with apt-get
	./.ci/setup

build: ## Build the program for development
	cargo build
	cargo rustc --package bot --bin backup -- -C target-feature=+crt-static
	cargo rustc --package inside --bin inside -- -C target-feature=+crt-static

dist: ## Build a static program with everything it needs, in target/dist
	./.ci/dist

image: ## Make an image of what dist built; IMAGE is its name, BASE what it is built on
	docker build -q -t $(or $(IMAGE),restore-drill) $(if $(BASE),--build-arg BASE=$(BASE)) -f harness/Dockerfile target/dist/*/

images: build images-there ## Build the stand-in images of every scenario

fast: ## Run the tests that need no Docker
	cargo test --workspace --lib --bins
	cargo test -p restore-drill --test labels --test command_line
	cargo test -p seeds

lint: spelling licences ## Check formatting, code, documentation, spelling and licences
	cargo fmt --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
	cargo test --test docs -- every_
	cargo test --test architecture

# Without the network: the database of advisories is not asked for.
licences: ## Check the licences and sources of all dependencies
	@command -v cargo-deny >/dev/null || { echo "make: cargo-deny is not installed; run 'cargo install cargo-deny --locked'" >&2; exit 1; }
	cargo deny --offline check licenses bans sources

spelling: ## Check the spelling of text, comments and messages
	@command -v codespell >/dev/null || { echo "make: codespell is not installed; run 'apt-get install codespell' or 'pip install codespell'" >&2; exit 1; }
	codespell

bench: setup images ## Measure performance beside other programs; needs isync (mbsync) and python3
	cargo run --release --example bench

soak: images ## Run 60 fault-free drills under load, which must all hold; takes hours
	cargo run --example soak -- --runs $(or $(RUNS),60)

gc: build ## Remove what killed runs left on the engine
	./target/debug/restore-drill gc
