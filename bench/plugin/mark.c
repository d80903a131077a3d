// SPDX-License-Identifier: GPL-2.0
/*
 * For scripts in the guest: executes the marker that starts a measurement, or the one that ends it.
 *   mark reset|report
 */

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "reset")) {
		asm volatile(".byte 0x0f, 0x1f, 0x84, 0x00, 0x4e, 0x46, 0x4f, 0x03");
		return 0;
	}
	if (argc == 2 && !strcmp(argv[1], "report")) {
		asm volatile(".byte 0x0f, 0x1f, 0x84, 0x00, 0x4e, 0x46, 0x4f, 0x04");
		return 0;
	}
	fprintf(stderr, "usage: mark reset|report\n");
	return 2;
}
