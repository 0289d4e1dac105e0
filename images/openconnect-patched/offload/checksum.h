/* SPDX-License-Identifier: MIT */
/*
 * The Internet checksum (RFC 1071), in the machine's own byte order, which the folded result undoes: it is put in its place as
 * it is, and a number that is added comes in network order.
 */
#ifndef CHECKSUM_H
#define CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* The sum, unfolded, of what was summed up so far and of the 16 bit words at `at`; an odd byte is the last one. */
uint64_t checksum_sum(const uint8_t *at, size_t size, uint64_t sum);

/* 0xffff over what has a right checksum in it. */
uint16_t checksum_folded(uint64_t sum);

#endif
