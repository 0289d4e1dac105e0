/* SPDX-License-Identifier: GPL-2.0-only */
/* What the pure files need of the kernel's headers, in user space. */
#ifndef AF_KTLS_KERNEL_TYPES_H
#define AF_KTLS_KERNEL_TYPES_H

#include <endian.h>
#include <errno.h>
#include <linux/types.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define cpu_to_be16 htobe16
#define be16_to_cpu be16toh
#define cpu_to_be64 htobe64
#define be64_to_cpu be64toh

#endif
