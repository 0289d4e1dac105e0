/* SPDX-License-Identifier: GPL-2.0 */
/* Framing of DTLS 1.2 records: pure functions, which build in user space too. */
#ifndef KTLS_RECORD_H
#define KTLS_RECORD_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/string.h>
#include <linux/errno.h>
#else
#include "tests/kernel-types.h"
#endif
#include "uapi/ktls.h"

#define KTLS_HEADER		13	/* type, version, epoch, sequence number, length */
#define KTLS_AAD		13
#define KTLS_NONCE		12
#define KTLS_TAG		16
#define KTLS_MAX_EXPLICIT	8
#define KTLS_SEQ_BITS		48
#define KTLS_SEQ_MAX		((1ULL << KTLS_SEQ_BITS) - 1)

#define KTLS_TYPE_CCS		20
#define KTLS_TYPE_ALERT		21
#define KTLS_TYPE_HANDSHAKE	22
#define KTLS_TYPE_DATA		23
/* RFC 7983: what DTLS may begin with on a port that it shares. */
#define KTLS_TYPE_FIRST		20
#define KTLS_TYPE_LAST		63

struct ktls_cipher {
	u16 id;
	u8 key;			/* lengths in bytes */
	u8 salt;
	u8 explicit;		/* part of the nonce that is sent with a record */
	const char *algorithm;	/* in the kernel's words */
};

struct ktls_record {
	u8 type;
	u16 version;
	u16 length;		/* of what follows the header */
	u64 seq;		/* epoch on top */
};

enum ktls_verdict {
	KTLS_OURS,		/* decrypt it */
	KTLS_PASS,		/* leave it to the library: another epoch, or a handshake */
	KTLS_MALFORMED,
};

const struct ktls_cipher *ktls_cipher_find(u16 id);

static inline u16 ktls_epoch(u64 seq)
{
	return seq >> KTLS_SEQ_BITS;
}

static inline size_t ktls_overhead(const struct ktls_cipher *cipher)
{
	return KTLS_HEADER + cipher->explicit + KTLS_TAG;
}

enum ktls_verdict ktls_record_parse(const u8 header[KTLS_HEADER], size_t available, u16 epoch,
				    const struct ktls_cipher *cipher, struct ktls_record *record);
void ktls_record_header(u8 header[KTLS_HEADER + KTLS_MAX_EXPLICIT], u8 type, u64 seq, size_t payload,
			const struct ktls_cipher *cipher);
void ktls_record_aad(u8 aad[KTLS_AAD], u8 type, u64 seq, size_t payload);
void ktls_record_nonce(u8 nonce[KTLS_NONCE], const u8 *salt, u64 seq, const u8 *explicit,
		       const struct ktls_cipher *cipher);

#endif
