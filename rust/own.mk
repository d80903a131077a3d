# SPDX-License-Identifier: GPL-2.0
# The module without the kernel's own crate: core, the bindings and the crate in own/ are compiled here and
# linked into it. Asks the kernel for no more than any module of C does.

own := $(obj)/own
own_src := $(src)/own
own_core := $(shell $(RUSTC) --print sysroot)/lib/rustlib/src/rust/library/core/src/lib.rs

own_edition := $(shell sed -n 's/^edition = "\(.*\)"/\1/p' $(own_core:src/lib.rs=Cargo.toml))

# The compiler's own description of each machine, and what the kernel's C is compiled with besides.
own_target_x86 := x86_64-unknown-none
# own_knows OPTION,BEFORE: an option of the compiler's, or what it was before that was one.
own_options := $(shell RUSTC_BOOTSTRAP=1 $(RUSTC) -Zhelp | sed -n 's/^ *-Z *\([a-z-]*\)=.*/\1/p')
own_knows = $(if $(filter $(1),$(own_options)),-Z$(1)$(3),$(addprefix -Ctarget-feature=+,$(2)))
own_more_x86 := -Crelocation-model=static -Zplt=yes \
	$(if $(CONFIG_MITIGATION_RETPOLINE)$(CONFIG_RETPOLINE),$(call own_knows,retpoline-external-thunk,\
		retpoline-external-thunk retpoline-indirect-branches retpoline-indirect-calls)) \
	$(if $(CONFIG_MITIGATION_SLS)$(CONFIG_SLS),$(call own_knows,harden-sls,\
		harden-sls-ijmp harden-sls-ret,=all))
own_target := $(own_target_$(SRCARCH))
ifeq ($(own_target),)
$(error nft_offload_rs: the kernel has no crate for Rust, and without one only x86 is known so far)
endif
ifeq ($(wildcard $(own_core)),)
$(error nft_offload_rs: no source of Rust's library: install rust-src)
endif

own_flags = $(filter-out --target=%,$(rust_flags)) --target=$(own_target) $(own_more_$(SRCARCH)) \
	-Zfunction-sections=y -Zunstable-options --sysroot=/dev/null -L$(abspath $(own)) \
	-Coverflow-checks=y
own_rustc = RUSTC_BOOTSTRAP=1 $(RUSTC) $(own_flags)

# own_crate NAME,FILE,MORE,LESS
own_crate = $(filter-out $(4),$(own_rustc)) $(3) --crate-type rlib --crate-name $(1) \
	--emit=obj=$(own)/$(1).o,metadata=$(own)/lib$(1).rmeta $(2)

quiet_cmd_own_core = RUSTC   $@
      cmd_own_core = $(call own_crate,core,$(own_core),--edition=$(own_edition) --cap-lints=allow --cfg no_fp_fmt_parse,--edition=%)
quiet_cmd_own_crate = RUSTC   $@
      cmd_own_crate = NFT_OFFLOAD_BINDINGS=$(abspath $(obj))/bindings_generated.rs \
	$(call own_crate,$(basename $(notdir $@)),$<,$(own_extern))
quiet_cmd_own_macros = RUSTC P $@
      cmd_own_macros = $(RUSTC) --edition=2021 -O --crate-type proc-macro --crate-name macros \
	--extern proc_macro -Clinker=$(HOSTCC) -Clinker-flavor=gcc --emit=link=$@ $<

$(own)/core.o: $(own_core) FORCE
	$(call if_changed,own_core)
$(own)/compiler_builtins.o: $(own_src)/compiler_builtins.rs $(own)/core.o FORCE
	$(call if_changed,own_crate)
$(own)/libmacros.so: $(own_src)/macros.rs FORCE
	$(call if_changed,own_macros)
$(own)/bindings.o: $(own_src)/bindings.rs $(obj)/bindings_generated.rs $(own)/compiler_builtins.o FORCE
	$(call if_changed,own_crate)
$(own)/kernel.o: own_extern := --extern bindings --extern macros
$(own)/kernel.o: $(own_src)/lib.rs $(wildcard $(own_src)/*.rs $(own_src)/*/*.rs) $(own)/bindings.o \
		$(own)/libmacros.so FORCE
	$(call if_changed,own_crate)

quiet_cmd_own_main = RUSTC   $@
      cmd_own_main = $(filter-out --extern kernel pin_init,$(own_rustc)) --extern kernel --extern macros --crate-type rlib \
	-Zcrate-attr=no_std -Zcrate-attr='feature(used_with_arg)' --crate-name nft_offload_main --emit=obj=$@ $<
$(own)/main.o: $(src)/nft_offload_main.rs $(wildcard $(src)/*.rs $(src)/*/*.rs $(src)/*/*/*.rs) $(own)/kernel.o FORCE
	$(call if_changed,own_main)

own_parts := $(addprefix $(own)/,main.o kernel.o bindings.o compiler_builtins.o core.o)
quiet_cmd_own_link = LD [M]  $@
      cmd_own_link = $(LD) $(ld_flags) -r --gc-sections -u init_module -u cleanup_module \
	-T $(own_src)/keep.lds -o $@ $(filter %.o,$(own_parts))
$(obj)/nft_offload_main.o: $(own_parts) $(own_src)/keep.lds FORCE
	$(call if_changed,own_link)
targets += $(addprefix own/,core.o compiler_builtins.o libmacros.so bindings.o kernel.o main.o)
$(own)/%: private part-of-module = y
$(obj)/nft_offload_main.o: private part-of-module = y
OBJECT_FILES_NON_STANDARD_nft_offload_main.o := y
