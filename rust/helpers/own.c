// SPDX-License-Identifier: GPL-2.0
/* For the crate in place of the kernel's own. */

void *nfo_kmalloc(size_t size, unsigned int flags)
{
	return kmalloc(size, (__force gfp_t)flags);
}

void *nfo_kvmalloc(size_t size, unsigned int flags)
{
	return kvmalloc(size, (__force gfp_t)flags);
}

void nfo_print(u8 level, int len, const char *text)
{
	printk("%c%c" KBUILD_MODNAME ": %.*s", KERN_SOH_ASCII, level, len, text);
}

void nfo_bug(void)
{
	BUG();
}
