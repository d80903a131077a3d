/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The instructions by which a guest tells the plugin where it is: 8-byte NOPs, which nobody else
 * has reason to execute with this displacement ("NFO" and a number).
 */
#ifndef NFO_MARKERS_H
#define NFO_MARKERS_H

#define NFO_MARKER_SIZE		8
#define NFO_MARKER_PREFIX	{ 0x0f, 0x1f, 0x84, 0x00, 0x4e, 0x46, 0x4f }

enum nfo_marker {
	NFO_NO_MARKER	= 0,
	NFO_BEGIN	= 1,	/* of a packet */
	NFO_END		= 2,	/* of a packet */
	NFO_RESET	= 3,	/* forget all, a measurement starts */
	NFO_REPORT	= 4,	/* the measurement ends, write its report */
};

#endif
