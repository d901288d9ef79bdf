# Everything is done from here: `make help` tells what. Each target sets up what it needs, and a
# second run finds it done.

MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

include tools/debian-packages.mk

# The project's own Node comes first, for npm too: an old Node makes it choose old versions.
export PATH := $(CURDIR)/tools/node/node_modules/.bin:$(CURDIR)/node_modules/.bin:$(PATH)

# npm writes these last of all, so one that is there says that the installation is whole.
node := tools/node/node_modules/.package-lock.json
modules := node_modules/.package-lock.json
shim := native/cell-shim

tsc := node node_modules/typescript-7/bin/tsc
typed := $(patsubst %/tsconfig.json,%,$(wildcard packages/*/tsconfig.json conformance/tsconfig.json bench/tsconfig.json demo/tsconfig.json))
c_files := $(wildcard $(shim)/*.[ch] $(shim)/*/*.[ch])

# Neither root nor a kernel of its own is needed by these.
unit_tests := $(foreach name,api domain pki client cli auraed,'packages/$(name)/**/*.test.ts')
all_tests := 'packages/**/*.test.ts' 'conformance/**/*.test.ts'
node_test := node --test --test-reporter=spec --test-timeout=120000

.PHONY: help
help: ## say what can be made
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 22

.PHONY: demo
demo: build ## run real programs in cells, from the certificates to the clean end
	@node demo/demo.ts

.PHONY: test
test: build ## run every test, on the real kernel (needs root)
	@tools/debian-packages.sh $(test_packages)
	@$(if $(wildcard $(shim)/Makefile),$(MAKE) -C $(shim) test)
	@$(node_test) $(all_tests)

.PHONY: check
check: format lint types layers contract unit ## run all that needs neither root nor the kernel

.PHONY: build
build: setup ## compile everything, so that bin/auraed and bin/aer run
	@$(if $(wildcard $(shim)/Makefile),$(MAKE) -C $(shim) all)

.PHONY: bench
bench: build ## measure Start, Allocate and memory beside the floor of the kernel
	@node bench/bench.ts

.PHONY: conformance
conformance: build ## check a daemon over the wire
	@$(node_test) 'conformance/**/*.test.ts'

.PHONY: generate
generate: setup ## write packages/api/src/gen anew from api/*.proto
	@buf generate

.PHONY: setup
setup: $(modules) ## install Node, npm packages and the Debian packages of a build
	@tools/debian-packages.sh $(build_packages)

.PHONY: clean
clean: ## remove what was compiled; node_modules stay
	@rm -rf packages/*/dist conformance/dist bench/dist
	@$(if $(wildcard $(shim)/Makefile),$(MAKE) -C $(shim) clean)

# The parts of `make check`, each of which can be made alone.

.PHONY: format
format: setup
	@tools/debian-packages.sh $(check_packages)
	@biome format --log-level=warn
	@clang-format --dry-run --Werror $(c_files)

.PHONY: lint
lint: setup
	@biome lint --error-on-warnings --log-level=warn
	@oxlint --type-aware --quiet

.PHONY: types
types: setup
	@$(tsc) -b $(typed)

.PHONY: layers
layers: setup
	@node tools/check-layers.ts

.PHONY: contract
contract: setup
	@tools/check-contract.sh

.PHONY: unit
unit: setup
	@$(node_test) $(unit_tests)

# What `make check` finds in the format of a file, this repairs.
.PHONY: fix
fix: setup ## format all files, and repair what the linter can
	@biome check --write --log-level=warn
	@clang-format -i $(c_files)

$(node): tools/node/package.json tools/node/package-lock.json
	@echo "Installing Node"
	@cd tools/node && npm ci --silent
	@touch $@

$(modules): $(node) package.json package-lock.json $(wildcard packages/*/package.json conformance/package.json bench/package.json)
	@echo "Installing npm packages"
	@npm ci --silent
	@touch $@
