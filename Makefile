# SPDX-License-Identifier: GPL-2.0
# Front door. Everything is built in a Debian root in the cache, so the host needs only root and
# apt-get. In Kbuild's own reading of this directory the file Kbuild is used, not this one.

.PHONY: help demo test test-debug test-hw bench bench-check check kunit test-arm64 module setup format \
	clean distclean install uninstall sign openwrt-check deb release release-check \
	in-tree in-tree-undo test-in-tree test-kernels
help:
	@echo 'make demo      stock kernel, real traffic through the module, and what happened'
	@echo 'make test      everything that proves it works'
	@echo 'make test-debug  under kernels with KASAN, lockdep, leak detection, failing allocations, KCSAN'
	@echo 'make test-hw   flows in hardware: rules, traffic, drivers, faults, scale'
	@echo 'make test-arm64  the module in the stock kernel of arm64, and unit tests there, emulated'
	@echo 'make bench     C and ours in the same boots: instructions, time, memory; a report with charts'
	@echo 'make bench-check  instructions per packet have not grown since bench/baseline.json'
	@echo 'make check     format, lints, layers, shell scripts'
	@echo 'make kunit     unit tests in the kernel, in User-mode Linux and on x86_64'
	@echo 'make module KDIR=...  the module against any prepared kernel tree'
	@echo 'make sign KEY=... CERTIFICATE=...  signs that module, for Secure Boot'
	@echo 'make install   that module into its kernel, and what makes rulesets load it; make uninstall'
	@echo 'make deb       Debian packages for the stock kernel, and for all later ones by DKMS'
	@echo 'make release   the source and the packages, in build/release'
	@echo 'make openwrt-check OPENWRT=...  the package through the rules of an OpenWrt tree'
	@echo 'make in-tree KERNEL=...  the module into the sources of a kernel; make in-tree-undo: out again'
	@echo 'make test-in-tree  the module as part of a kernel: built as a module and into it, and kunit.py'
	@echo 'make test-kernels  other kernels: 7.3 and 6.12, built and run'
	@echo 'make clean     what was built of this checkout; make distclean: the whole cache'

demo: ; @scripts/run-demo
test: ; @scripts/run-tests
test-debug: ; @scripts/run-tests debug
test-hw: ; @scripts/run-tests hw
test-arm64: ; @scripts/run-tests arm64
bench: ; @scripts/run-bench
bench-check: ; @scripts/run-bench --check
check: ; @scripts/run-check
kunit: ; @scripts/run-tests kunit
openwrt-check: ; @scripts/openwrt-check '$(OPENWRT)'
setup: ; @scripts/setup
format: ; @scripts/run-check --format

# On one's own machine: any tree that `make prepare modules_prepare` was run in, with CONFIG_RUST=y.
OUT ?= $(CURDIR)/build
module:
	$(if $(KDIR),,$(error say which kernel: make module KDIR=/path/to/prepared/tree))
	+@scripts/kbuild '$(KDIR)' '$(abspath $(OUT))'

# All three also on machines without anything of ours but the checkout; DESTDIR is for packagers.
KO = $(abspath $(OUT))/rust/nft_offload_rs.ko
install: ; @DESTDIR='$(DESTDIR)' packaging/install '$(KO)'
uninstall: ; @DESTDIR='$(DESTDIR)' packaging/uninstall
KEY ?= nft-offload-rs.key
CERTIFICATE ?= nft-offload-rs.der
sign: ; @packaging/sign '$(KO)' '$(KEY)' '$(CERTIFICATE)' $(if $(KDIR),'$(KDIR)')

deb: ; @scripts/build-deb
release: ; @scripts/build-release
release-check: ; @scripts/build-release --check

# The module as part of a kernel, and how that is proven.
in-tree: ; @scripts/in-tree '$(KERNEL)'
in-tree-undo: ; @scripts/in-tree --undo '$(KERNEL)'
test-in-tree: ; @scripts/test-in-tree

# The other kernels that it is for.
test-kernels: ; @scripts/run-tests kernels

clean: ; @scripts/clean
distclean: ; @scripts/clean --all
