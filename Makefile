# SPDX-License-Identifier: GPL-2.0
#
# Every target does the set-up it needs by itself, only what is missing, and can be
# interrupted and started again.  `make help` lists the targets.
#
# Variables: KDIR=tree (your own kernel tree, only read),
# FLAVOUR=base|debug|kcsan|bench|gcov|mm (see configs/), BUILD=dir (where everything
# goes; default build/), JOBS=n, and for the guest CPUS, MEM, DEVICES, DEVMEM, ICOUNT,
# IOMMU, MOCK, APPEND, TIMEOUT: see scripts/vm.

.DEFAULT_GOAL := help
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory

export GMEM_T0 := $(shell date +%s)
export KDIR FLAVOUR BUILD JOBS CPUS MEM DEVICES DEVMEM ICOUNT IOMMU MOCK APPEND TIMEOUT TESTS \
	CHECK RECORD
build := $(if $(BUILD),$(BUILD),build)

# A `##` behind a target is its line in `make help`
.PHONY: demo test test-debug test-mm coverage mutants kernel vm kunit selftests check bench footprint \
	series doc clean distclean help

demo: ## see an accelerator work on malloc()ed memory: the place to start
	@scripts/prepare kernel vm
	@scripts/demo

test: ## run the tests; ends in "N passed, N failed, N skipped"
	@scripts/prepare kernel vm test
	@scripts/test

test-debug: ## run KUnit and all selftests on both debug kernels, debug and kcsan; takes long
	@scripts/prepare kernel vm
	@scripts/test kunit-debug selftests-debug kunit-kcsan selftests-kcsan

coverage: ## measure what KUnit and the selftests reach; writes build/coverage/index.html
	@scripts/prepare kernel vm cover
	@scripts/coverage

kernel: ## build the kernel with GMEM in it (FLAVOUR=debug: with KASAN, lockdep; kcsan; ...)
	@scripts/prepare kernel
	@scripts/build-kernel

vm: ## a shell in the guest, or one program: RUN=static-binary [ARGS=...]
	@scripts/prepare kernel vm
	@scripts/vm $(if $(RUN),-- $(RUN) $(ARGS)) || \
		{ status=$$?; echo $$status >$(build)/status.$$PPID; exit $$status; }

# For `make vm` to end with the program's own status
ifneq ($(filter vm,$(MAKECMDGOALS)),)
-load $(build)/exit_status.so
$(build)/exit_status.so: scripts/exit-status.c
	@mkdir -p $(@D)
	@cc -shared -fPIC -O2 -o $@ $< 2>/dev/null || true
endif

kunit: ## run the KUnit suites, in the guest and under UML
	@scripts/prepare kernel vm
	@scripts/test kunit-vm kunit-uml

selftests: ## run the selftests in the guest (FLAVOUR=debug: on the debug kernel; TESTS="a b")
	@scripts/prepare kernel vm
	@scripts/test selftests-$(or $(FLAVOUR),base)

test-mm: ## run the kernel's own mm tests with and without GMEM; prints the differences
	@scripts/prepare kernel vm mm
	@scripts/test-mm

mutants: ## break GMEM in one place after the other, to see which tests notice; takes hours
	@scripts/prepare kernel vm
	@scripts/mutants

check: ## run the static checks: checkpatch, sparse, coccinelle, kernel-doc, ...
	@scripts/prepare kernel check
	@if [ -x scripts/check/run ]; then scripts/check/run; \
	else echo "error: scripts/check/run is missing" >&2; exit 1; fi

bench: ## count what GMEM and its peers cost (CHECK=1: against the record; PROFILE=workload: where)
	@scripts/prepare kernel vm bench
	@$(if $(PROFILE),scripts/bench-profile $(CONTENDER:%=--contender %) $(PROFILE),scripts/bench)

footprint: ## print every line that GMEM adds to files of the kernel
	@graft/graft footprint

series: ## write GMEM as a patch series for git am, to build/series
	@scripts/prepare kernel
	@scripts/series

doc: ## build the documentation with the kernel's own tools, without warnings
	@scripts/prepare kernel doc
	@scripts/doc

clean: ## remove what was built; keep the kernel source
	rm -rf $(build)/out $(build)/user $(build)/log $(build)/results \
		$(build)/series $(build)/doc $(build)/check $(build)/coverage $(build)/mutants \
		$(build)/bench $(build)/bench.json

distclean: ## remove everything, the downloaded kernel too
	rm -rf $(build)

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile
