// SPDX-License-Identifier: GPL-2.0

/*
 * Rust's parameters of modules cannot be changed, or seen, once the module is loaded; and how they are
 * read is not the same in all kernels.
 */
bool nfo_direct_transmit;
module_param_named(direct_transmit, nfo_direct_transmit, bool, 0644);
MODULE_PARM_DESC(direct_transmit,
		 "New flowtables hand packets to devices without a queue directly (default: off)");

unsigned int nfo_batch;
module_param_named(batch, nfo_batch, uint, 0644);
MODULE_PARM_DESC(batch,
		 "New flowtables forward packets by the batch when they have so many flows (default: 0, never)");

/* For those who load the module, and not to be seen. */
unsigned int nfo_hardware_after;
module_param_named(hardware_after, nfo_hardware_after, uint, 0);
MODULE_PARM_DESC(hardware_after, "Packets of a flow before it is offered to hardware");
