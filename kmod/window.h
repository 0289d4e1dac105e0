/* SPDX-License-Identifier: GPL-2.0 */
/* The window that finds replayed records: pure, builds in user space too. */
#ifndef KTLS_WINDOW_H
#define KTLS_WINDOW_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/string.h>
#include <linux/errno.h>
#else
#include "tests/kernel-types.h"
#endif

/* One word more than the window: a word is cleared before a bit of it is used again. */
#define KTLS_WINDOW_WORDS	16
#define KTLS_WINDOW_BITS	(64 * (KTLS_WINDOW_WORDS - 1))

struct ktls_window {
	u64 next;		/* one above the greatest number accepted */
	u64 floor;		/* below it nothing is accepted */
	u64 bits[KTLS_WINDOW_WORDS];
};

void ktls_window_init(struct ktls_window *window, u64 floor);
void ktls_window_floor(struct ktls_window *window, u64 floor);
int ktls_window_look(const struct ktls_window *window, u64 seq);
int ktls_window_accept(struct ktls_window *window, u64 seq);

#endif
