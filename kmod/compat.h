/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the kernels that this builds for differ: 6.12 to 7.3. */
#ifndef AF_KTLS_COMPAT_H
#define AF_KTLS_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#error "af_ktls needs Linux 6.12 or later"
#endif

#include <linux/tls.h>

/* hrtimer_init() is gone since 6.16, hrtimer_setup() came with 6.13. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define af_ktls_timer_setup(timer, call) do { \
	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT); \
	(timer)->function = (call); \
} while (0)
#else
#define af_ktls_timer_setup(timer, call) \
	hrtimer_setup(timer, call, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT)
#endif

/* As of 7.x; where there is none, symbol_get() finds none. */
struct file;
void tun_wake_queue(struct file *file, int consumed);

/* Linux 6.12 answers -ENOPROTOOPT: see af_ktls_stream_record_size(). */
#ifndef TLS_TX_MAX_PAYLOAD_LEN
#define TLS_TX_MAX_PAYLOAD_LEN	5
#endif

#endif
