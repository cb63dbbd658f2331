# Builds, tests and installs cordbmem: the kernel module, the library and the command-line program.
# 'make help' lists the targets. What a target needs from Debian, it installs by itself (as root).
# SPDX-License-Identifier: MIT

VERSION := 0.1.0
SONAME := libcordbmem.so.0
KERNELS := 6.1 6.12
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib

CFLAGS ?= -O2 -g
OBJCOPY ?= objcopy
CXXFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wconversion -Werror
INCLUDES := -Iuserlib/include -Iuapi
COMPILE = $(CC) -std=c17 -D_GNU_SOURCE $(CFLAGS) $(WARNINGS) $(INCLUDES) $(EXTRA) -MMD -MP
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

# As many jobs as there are processors, if nothing else is asked for.
ifeq (,$(filter -j% --jobs%,$(MAKEFLAGS))$(filter clean distclean,$(MAKECMDGOALS)))
MAKEFLAGS += -j$(shell nproc)
endif

all: lib tools modules

help:
	@echo 'make all            lib, tools and modules'
	@echo 'make modules        build/kmod/KERNEL/cordbmem.ko for $(KERNELS); modules-6.1 for one'
	@echo 'make lib tools      build/libcordbmem.{a,so} and build/cordbmem'
	@echo 'make demo           shows in a VM what it is for'
	@echo 'make test           every test: on this machine and in VMs'
	@echo 'make test-debug     the kernel tests, and failing allocations, on a kernel that finds errors; debug-kernel builds it'
	@echo 'make check-unit     only the tests that need no VM'
	@echo 'make bench          counts instructions per call into build/bench.json'
	@echo 'make lint           checkpatch, sparse, clang-format, clang-tidy, shellcheck'
	@echo 'make format         lays out the C of user space as lint wants it'
	@echo 'make load unload    the module, on the kernel this machine runs'
	@echo 'make install        lib, headers, pkg-config file and program; PREFIX=$(PREFIX), DESTDIR='
	@echo 'make clean          what was built; distclean: what was downloaded, too'

# One short line per file; make V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) '$(@:build/%=%)')

# ---- what comes from Debian ----

PACKAGES = build/stamps/packages-
$(PACKAGES)%: scripts/setup-packages
	@scripts/setup-packages $*
	@mkdir -p $(@D) && touch $@

KERNEL_TREES := $(KERNELS:%=build/kernels/%/release)
kernels: $(KERNEL_TREES)
$(KERNEL_TREES): build/kernels/%/release: | $(PACKAGES)kmod
	@scripts/setup-kernel $*

LINUX_SOURCE := build/linux-source/done
$(LINUX_SOURCE): | $(PACKAGES)kmod
	@scripts/setup-linux-source

# ---- the module ----

modules: $(KERNELS:%=modules-%)
$(KERNELS:%=modules-%): modules-%: build/kernels/%/release | $(PACKAGES)kmod
	+@scripts/build-module $*

# (Not "load unload": a line that begins with load is a directive of make.)
unload load:
	+@scripts/module-here $@

# Built once, of what scripts/debug.config says.
debug-kernel: | $(PACKAGES)kmod $(PACKAGES)kernel
	@scripts/setup-debug-kernel
modules-debug: debug-kernel
	+@scripts/build-module debug

# ---- user space ----

LIB_OBJECTS := $(patsubst %.c,build/obj/%.o,$(wildcard userlib/src/*.c))
# The JSON parser is a library of Debian's.
LIB_LIBS := -ljansson -pthread
LIB_SANITIZED := $(LIB_OBJECTS:build/obj/%=build/sanitized/%)
TOOL_OBJECTS := $(patsubst %.c,build/obj/%.o,$(wildcard tools/*.c))

build/obj/%.o: %.c | $(PACKAGES)build
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(COMPILE) -c -o $@ $<
build/sanitized/%.o: %.c | $(PACKAGES)build $(PACKAGES)test
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(COMPILE) $(SANITIZE) -c -o $@ $<
# C++ only where a C++ debugger's view of the COM objects is tested; those have no type_info.
build/sanitized/%.o: %.cc | $(PACKAGES)build $(PACKAGES)test
	@mkdir -p $(@D)
	$(call say,CXX)
	$(Q)$(CXX) -std=c++17 $(CXXFLAGS) $(WARNINGS) $(INCLUDES) $(SANITIZE) -fno-exceptions -fno-rtti -MMD -MP -c -o $@ $<
build/obj/userlib/%.o build/sanitized/userlib/%.o: EXTRA = -fPIC -fvisibility=hidden -pthread

# An empty list of sources is an error where it is needed, not a library of nothing.
need = $(if $(strip $(1)),,$(error $@: there is nothing to build it from in $(2)))

lib: build/libcordbmem.a build/libcordbmem.so build/libcordbmem.pc
# One object in which only what the headers declare is global: a static library has no version script.
build/libcordbmem.a: $(LIB_OBJECTS)
	$(call need,$^,userlib/src)
	@rm -f $@
	$(call say,AR)
	$(Q)$(LD) -r -o $(@:.a=.o) $^ && $(OBJCOPY) --localize-hidden $(@:.a=.o) && $(AR) rcs $@ $(@:.a=.o)
build/libcordbmem.so.$(VERSION): $(LIB_OBJECTS) userlib/libcordbmem.map
	$(call need,$(LIB_OBJECTS),userlib/src)
	$(call say,LD)
	$(Q)$(CC) -shared $(LDFLAGS) -Wl,-soname,$(SONAME) -Wl,--version-script=userlib/libcordbmem.map -Wl,-z,defs \
		-o $@ $(LIB_OBJECTS) $(LIB_LIBS)
build/$(SONAME): build/libcordbmem.so.$(VERSION)
	@ln -sf $(<F) $@
build/libcordbmem.so: build/$(SONAME)
	@ln -sf $(<F) $@
# Made each time, since PREFIX may differ from the last.
build/libcordbmem.pc: userlib/libcordbmem.pc.in FORCE
	@mkdir -p $(@D)
	@sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@VERSION@|$(VERSION)|' $< >$@

# Linked statically with the library, so that it runs from anywhere.
tools: build/cordbmem
# These are the library's, but none of its interface; tools/raw.c is what the last two read with.
build/cordbmem: $(TOOL_OBJECTS) $(addprefix build/obj/userlib/src/,maps.o descriptor.o elf_module.o) build/libcordbmem.a
	$(call need,$(TOOL_OBJECTS),tools)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIB_LIBS)

# ---- tests ----

# In tests/unit and tests/kernel a test_*.c is a program, and every other file is linked into each of them.
tests_in = $(wildcard tests/$(1)/test_*.c)
helpers_in = $(filter-out $(call tests_in,$(1)),$(wildcard tests/$(1)/*.c))
UNIT_TESTS := $(patsubst %.c,build/%,$(call tests_in,unit))
UNIT_HELPERS := $(patsubst %.c,build/sanitized/%.o,$(call helpers_in,unit))
KERNEL_TESTS := $(patsubst %.c,build/%,$(call tests_in,kernel) $(call tests_in,library))
KERNEL_HELPERS := $(patsubst %.c,build/obj/%.o,$(call helpers_in,kernel) tests/die.c)
FUZZERS := build/tests/fuzz/fuzz_ioctl
# It needs no VM, but the forged runtime of the unit tests and their sanitizers.
HOST_FUZZERS := build/tests/fuzz/fuzz_coreclr
BENCH_OBJECTS := $(patsubst %.c,build/obj/%.o,$(wildcard bench/*.c))
# They are kernel tests of another kernel, and have the same helpers.
DEBUG_TESTS := $(patsubst %.c,build/%,$(call tests_in,debug))
DEBUG_HELPERS := $(patsubst %.c,build/obj/%.o,$(call helpers_in,debug))
CORECLR_TESTS := $(patsubst %.c,build/%,$(call tests_in,coreclr))
CORECLR_HELPERS := $(patsubst %.c,build/obj/%.o,$(call helpers_in,coreclr) tests/die.c)

build/obj/tools/%.o: EXTRA = -Iuserlib/src
build/sanitized/tests/%.o: EXTRA = -Iuserlib/src -pthread
build/sanitized/tests/fuzz/%.o: EXTRA = -Iuserlib/src -Itests/unit -pthread
build/obj/tests/kernel/%.o build/obj/tests/library/%.o build/obj/tests/debug/%.o: EXTRA = -isystem $(dir $(LINUX_SOURCE))tools/testing/selftests -pthread
build/obj/tests/coreclr/%.o: EXTRA = -isystem $(dir $(LINUX_SOURCE))tools/testing/selftests -pthread
build/obj/bench/coreclr.o build/obj/bench/allocation.o: EXTRA = -Itests/coreclr
$(CORECLR_TESTS:build/%=build/obj/%.o): | $(LINUX_SOURCE) $(PACKAGES)test
$(KERNEL_TESTS:build/%=build/obj/%.o) $(KERNEL_HELPERS) $(DEBUG_TESTS:build/%=build/obj/%.o): | $(LINUX_SOURCE) $(PACKAGES)test

$(UNIT_TESTS): build/%: build/sanitized/%.o $(UNIT_HELPERS) $(LIB_SANITIZED)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS) $(SANITIZE) -o $@ $^ -lcmocka $(LIB_LIBS)
build/tests/unit/test_com: build/sanitized/tests/unit/com_client.o
$(DEBUG_TESTS): $(DEBUG_HELPERS)
$(KERNEL_TESTS) $(DEBUG_TESTS): build/%: build/obj/%.o $(KERNEL_HELPERS) build/libcordbmem.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -luring -lcap $(LIB_LIBS)
$(CORECLR_TESTS): build/%: build/obj/%.o $(CORECLR_HELPERS) build/libcordbmem.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -ldl $(LIB_LIBS)
$(FUZZERS): build/%: build/obj/%.o build/libcordbmem.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIB_LIBS)

$(HOST_FUZZERS): build/%: build/sanitized/%.o $(UNIT_HELPERS) $(LIB_SANITIZED)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS) $(SANITIZE) -o $@ $^ -lcmocka $(LIB_LIBS)
# The parts of a fuzzer; what lies in tests/fuzz itself is a program.
build/tests/fuzz/fuzz_ioctl: $(patsubst %.c,build/obj/%.o,$(wildcard tests/fuzz/ioctl/*.c))
build/tests/fuzz/fuzz_coreclr: $(patsubst %.c,build/sanitized/%.o,$(wildcard tests/fuzz/coreclr/*.c))
build/bench/coreclr: build/obj/bench/coreclr.o build/obj/bench/allocation.o build/obj/bench/report.o $(CORECLR_HELPERS) build/libcordbmem.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -ldl $(LIB_LIBS)
build/bench/bench: $(filter-out %/coreclr.o %/allocation.o,$(BENCH_OBJECTS)) build/libcordbmem.a
	$(call need,$(BENCH_OBJECTS),bench)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIB_LIBS)

unit-tests: $(UNIT_TESTS)
kernel-tests: $(KERNEL_TESTS) $(FUZZERS) $(HOST_FUZZERS)
debug-tests: $(DEBUG_TESTS)
coreclr-tests: $(CORECLR_TESTS)

check-unit: unit-tests tools
	@tests/run unit
test: all unit-tests kernel-tests coreclr-tests | $(PACKAGES)vm
	@KERNELS='$(KERNELS)' tests/run
# All of it takes longer there, most of all the unit tests with their own sanitizers. Its logs are its own, too.
test-debug: modules-debug lib tools unit-tests kernel-tests debug-tests | $(PACKAGES)vm
	@KERNELS=debug TEST_SECONDS=1200 VM_SECONDS=7200 TEST_LOGS=build/test-logs-debug tests/run kernel fuzz-kernel debug
demo: all | $(PACKAGES)vm
	@scripts/demo
bench: all build/bench/bench build/bench/coreclr | $(PACKAGES)vm
	@bench/run
lint: kernels $(LINUX_SOURCE) | $(PACKAGES)kmod $(PACKAGES)lint
	@KERNELS='$(KERNELS)' scripts/lint

format: | $(PACKAGES)lint
	@scripts/lint --fix-format

# ---- installing and removing ----

install: lib tools
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/bin
	install -d $(DESTDIR)$(PREFIX)/include/cordbmem $(DESTDIR)$(PREFIX)/include/linux
	install -m 644 build/libcordbmem.a $(DESTDIR)$(LIBDIR)
	install -m 755 build/libcordbmem.so.$(VERSION) $(DESTDIR)$(LIBDIR)
	ln -sf libcordbmem.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libcordbmem.so
	install -m 644 build/libcordbmem.pc $(DESTDIR)$(LIBDIR)/pkgconfig
	install -m 644 userlib/include/cordbmem/*.h $(DESTDIR)$(PREFIX)/include/cordbmem
	install -m 644 uapi/linux/cordbmem.h $(DESTDIR)$(PREFIX)/include/linux
	install -m 755 build/cordbmem $(DESTDIR)$(PREFIX)/bin
	@if [ -z '$(DESTDIR)' ] && [ "$$(id -u)" = 0 ]; then /sbin/ldconfig; fi

# The downloads stay: they are 250 MB and change only with Debian's releases.
clean:
	find build -mindepth 1 -maxdepth 1 ! -name kernels ! -name linux-source ! -name coreclr -exec rm -rf {} +
distclean:
	rm -rf build

FORCE:
.PHONY: all help kernels modules $(KERNELS:%=modules-%) load unload lib tools unit-tests kernel-tests coreclr-tests
.PHONY: debug-kernel modules-debug debug-tests test-debug check-unit test demo bench lint format install clean distclean FORCE
.DELETE_ON_ERROR:
.SECONDARY:

-include $(shell find build/obj build/sanitized -name '*.d' 2>/dev/null)
