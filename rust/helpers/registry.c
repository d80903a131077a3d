// SPDX-License-Identifier: GPL-2.0

void nfo_xa_init(struct xarray *xa)
{
	xa_init_flags(xa, XA_FLAGS_ALLOC | XA_FLAGS_LOCK_BH | XA_FLAGS_ACCOUNT);
}

int nfo_xa_alloc(struct xarray *xa, u32 *number, void *entry)
{
	return xa_alloc_bh(xa, number, entry, XA_LIMIT(0, BIT(30) - 1), GFP_KERNEL);
}

void *nfo_xa_erase(struct xarray *xa, unsigned long number)
{
	return xa_erase_bh(xa, number);
}

void nfo_xa_mark(struct xarray *xa, unsigned long number)
{
	xa_lock_bh(xa);
	__xa_set_mark(xa, number, XA_MARK_1);
	xa_unlock_bh(xa);
}

void nfo_xa_lock(struct xarray *xa)
{
	xa_lock_bh(xa);
}

void nfo_xa_unlock(struct xarray *xa)
{
	xa_unlock_bh(xa);
}

void *nfo_xa_find(struct xarray *xa, unsigned long *number, bool marked)
{
	return xa_find(xa, number, UINT_MAX, marked ? XA_MARK_1 : XA_PRESENT);
}
