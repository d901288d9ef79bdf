# Everything is done from here: `make help` tells what. Each target sets up what it needs first, and
# a second run finds it done.

MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

include tools/debian-packages.mk

SECONDS ?= 60

# The project's own Node comes first, for npm too: run by an old one, npm chooses old versions.
our_node := $(CURDIR)/tools/node/node_modules/.bin
machine_path := $(subst $(our_node):,,$(PATH))
export PATH := $(our_node):$(CURDIR)/node_modules/.bin:$(machine_path)

# npm writes these files last, so one that is there says that its installation is whole.
node := tools/node/node_modules/.package-lock.json
modules := node_modules/.package-lock.json

shim := native/cell-shim
# Who checks the shim reads all of it, so it stays small: 1,500 lines are the aim, and this number may
# only fall (docs/adr/0007-size-of-the-shim.md).
shim_lines_at_most := 2500
c_files := $(wildcard $(shim)/*.[ch] $(shim)/*/*.[ch] bench/*.c conformance/writer/*.c)

# Version 6 is called tsc too, so 7 is called by its path. It does not notice when the base of a
# configuration changes, so it starts anew each time: a second or two.
tsc := node node_modules/typescript-7/bin/tsc

# A test that does not end fails by its own time-out; a file that does not end, since something was
# left open in it, is named when the whole run is interrupted.
run_tests = timeout --foreground --signal=INT --kill-after=10 $(1) \
	node --test --test-reporter=spec --test-timeout=120000
# What lies beside main.ts starts real daemons, which `make test` does.
unit_tests := $(foreach name,api auraed/src/* cli client domain pki,'packages/$(name)/**/*.test.ts') 'tools/*.test.ts'

##@ Use

.PHONY: help
help: ## say what can be made
	@awk -F ':.*## ' '/^##@ /{print substr($$0, 5)} /^[a-z]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

.PHONY: demo
demo: build ## run real programs in cells, from making the certificates to the clean end
	@node demo/demo.ts

.PHONY: build
build: setup ## compile what has to be, so that bin/auraed and bin/aer run
	@$(MAKE) -s -C $(shim) all

##@ Check

.PHONY: test
test: build ## run every test, on the real kernel (needs root)
	@tools/debian-packages.sh $(check_packages) $(test_packages)
	@$(MAKE) -s -C $(shim) check test
	@$(call run_tests,20m) 'packages/**/*.test.ts' 'conformance/**/*.test.ts' 'tools/*.test.ts'

.PHONY: check
check: format size lint types layers contract promises coverage unit ## run all checks that need neither root nor the kernel

.PHONY: format
format: setup ## check the format of every file
	@tools/debian-packages.sh $(check_packages)
	@biome check --linter-enabled=false --log-level=warn
	@clang-format --dry-run --Werror $(c_files)

.PHONY: size
size: ## check that the shim has not grown
	@lines=$$(cat $(shim)/*.[ch] | wc -l); [ $$lines -le $(shim_lines_at_most) ] || { \
		echo "$(shim) has $$lines lines, and may have $(shim_lines_at_most)" >&2; exit 1; }

.PHONY: lint
lint: setup ## look for what the style guide forbids
	@biome lint --error-on-warnings --log-level=warn
	@oxlint --type-aware --deny-warnings --quiet

.PHONY: types
types: setup ## check the types
	@$(tsc) -b --force

.PHONY: layers
layers: setup ## check that imports follow the arrows of ARCHITECTURE.md
	@node tools/check-layers.ts

.PHONY: contract
contract: setup ## check the protos, what the seed promised, and that generated code is current
	@tools/check-contract.sh

.PHONY: promises
promises: setup ## check that every promise of SPECIFICATION.md names tests that exist
	@node tools/check-specification.ts

.PHONY: coverage
coverage: setup ## say which faults no test makes happen, and check that each planted bug applies
	@node tools/check-faults.ts
	@node tools/check-mutants.ts

.PHONY: unit
unit: setup ## run the tests that need neither root nor the kernel
	@$(call run_tests,3m) --test-concurrency=2 $(unit_tests)

.PHONY: conformance
conformance: build ## check bin/auraed over the wire and by what the kernel shows (needs root)
	@$(MAKE) -s -C $(shim) failpoints
	@$(call run_tests,20m) 'conformance/**/*.test.ts'

.PHONY: faults
faults: build ## run the tests of the faults of docs/faults.md alone, REPEAT times (needs root)
	@$(MAKE) -s -C $(shim) check test
	@for round in $$(seq $(or $(REPEAT),1)); do \
		$(call run_tests,20m) --test-name-pattern='/\(faults? [0-9]/' 'packages/**/*.test.ts' 'conformance/**/*.test.ts' || exit 1; \
	done

.PHONY: mutants
mutants: build ## plant each bug of conformance/mutants, and see that the tests of its fault fail (needs root)
	@node tools/check-mutants.ts --run $(ONLY)

.PHONY: torture
torture: build ## kill daemons at random for SECONDS, and see that nothing is lost; SEED replays (needs root)
	@tools/debian-packages.sh $(check_packages) $(test_packages)
	@$(MAKE) -s -C $(shim) failpoints
	@SECONDS=$(or $(SECONDS),60) SEED=$(SEED) node conformance/torture/torture.ts

.PHONY: bench
bench: build ## measure Start, Allocate, memory and restarts, beside the floor of the kernel
	@node bench/bench.ts
	@node bench/restart.ts

.PHONY: fuzz
fuzz: build ## feed every parser of the shim with what nobody sends: SECONDS=600
	@tools/debian-packages.sh $(test_packages)
	@$(MAKE) -s -C $(shim) fuzz SECONDS=$(SECONDS)

##@ Work

.PHONY: setup
setup: $(modules) ## install Node, the npm packages, and the Debian packages of a build
	@tools/debian-packages.sh $(build_packages)

.PHONY: generate
generate: setup ## write packages/api/src/gen anew from api/*.proto
	@buf generate

.PHONY: keep
keep: build ## keep the shim of a release, and what it writes, as test data: VERSION=1.2.3 (needs root)
	@node packages/linux/src/testing/keep-release.ts $(VERSION)

.PHONY: fix
fix: setup ## format every file, and repair what the linters can
	@tools/debian-packages.sh $(check_packages)
	@biome check --write --log-level=warn
	@clang-format -i $(c_files)

.PHONY: clean
clean: ## remove what was compiled; what was installed stays
	@rm -rf packages/*/dist conformance/dist conformance/writer/build bench/dist demo/dist tools/dist $(shim)/test/dist
	@$(MAKE) -s -C $(shim) clean

npm_ci := npm ci --loglevel=error --no-progress >/dev/null

$(node): tools/node/package.json tools/node/package-lock.json
	@echo "Installing Node"
	@cd tools/node && $(npm_ci)
	@$(our_node)/node -e 0 || { echo "npm has no Node for this machine: Aurae runs on Linux, x64 or arm64" >&2; exit 1; }
	@touch $@

# The lockfile alone says what is installed, since packages of ours are links. npm looks for the
# machine's settings (a mirror, a certificate) beside the Node that runs it: tell it where they are.
$(modules): $(node) package-lock.json .npmrc
	@echo "Installing npm packages"
	@npm_config_globalconfig=$$(PATH=$(machine_path) npm config get globalconfig) $(npm_ci)
	@touch $@
