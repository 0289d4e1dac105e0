/* SPDX-License-Identifier: GPL-2.0-only */
/* The window that finds replayed records: pure, builds in user space too. */
#ifndef AF_KTLS_WINDOW_H
#define AF_KTLS_WINDOW_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/string.h>
#include <linux/errno.h>
#else
#include "tests/kernel-types.h"
#endif

/* One word more than the window: a word is cleared before a bit of it is used again. */
#define AF_KTLS_WINDOW_WORDS	16
#define AF_KTLS_WINDOW_BITS	(64 * (AF_KTLS_WINDOW_WORDS - 1))

/**
 * struct af_ktls_window - the numbers that were accepted
 * @next: one above the greatest number accepted
 * @floor: below it nothing is accepted
 * @bits: a ring, a bit for each number
 */
struct af_ktls_window {
	u64 next;
	u64 floor;
	u64 bits[AF_KTLS_WINDOW_WORDS];
};

void af_ktls_window_init(struct af_ktls_window *window, u64 floor);
void af_ktls_window_floor(struct af_ktls_window *window, u64 floor);
int af_ktls_window_look(const struct af_ktls_window *window, u64 seq);
int af_ktls_window_accept(struct af_ktls_window *window, u64 seq);

#endif
