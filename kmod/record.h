/* SPDX-License-Identifier: GPL-2.0-only */
/* Framing of DTLS 1.2 records: pure functions, which build in user space too. */
#ifndef AF_KTLS_RECORD_H
#define AF_KTLS_RECORD_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/string.h>
#include <linux/errno.h>
#include <asm/byteorder.h>
#else
#include "tests/kernel-types.h"
#endif
#include "uapi/ktls.h"

#define AF_KTLS_HEADER		13	/* type, version, epoch, sequence number, length */
#define AF_KTLS_AAD		13
#define AF_KTLS_NONCE		12
#define AF_KTLS_TAG		16
#define AF_KTLS_MAX_EXPLICIT	8
#define AF_KTLS_SEQ_BITS		48
#define AF_KTLS_SEQ_MAX		((1ULL << AF_KTLS_SEQ_BITS) - 1)

#define AF_KTLS_TYPE_CCS		20
#define AF_KTLS_TYPE_ALERT		21
#define AF_KTLS_TYPE_HANDSHAKE	22
#define AF_KTLS_TYPE_DATA		23
/* RFC 7983: what DTLS may begin with on a port that it shares. */
#define AF_KTLS_TYPE_FIRST		20
#define AF_KTLS_TYPE_LAST		63

/**
 * struct af_ktls_cipher - a cipher as DTLS 1.2 uses it
 * @id: its number in uapi/ktls.h
 * @key: length of the key, in bytes
 * @salt: length of the fixed part of the nonce
 * @explicit: length of the part of the nonce that is sent with a record
 * @algorithm: its name in the kernel's words
 * @name: its name in TLS's words
 */
struct af_ktls_cipher {
	u16 id;
	u8 key;
	u8 salt;
	u8 explicit;
	const char *algorithm;
	const char *name;
};

/**
 * struct af_ktls_record - the header of a record
 * @type: content type
 * @version: version, as sent
 * @length: of what follows the header
 * @seq: sequence number, epoch on top
 */
struct af_ktls_record {
	u8 type;
	u16 version;
	u16 length;
	u64 seq;
};

/**
 * enum af_ktls_verdict - what to do with a record
 * @AF_KTLS_OURS: decrypt it
 * @AF_KTLS_PASS: leave it to the library: another epoch, or a handshake
 * @AF_KTLS_MALFORMED: drop it and what follows it
 */
enum af_ktls_verdict {
	AF_KTLS_OURS,
	AF_KTLS_PASS,
	AF_KTLS_MALFORMED,
};

const struct af_ktls_cipher *af_ktls_cipher_find(u16 id);

static inline u16 af_ktls_epoch(u64 seq)
{
	return seq >> AF_KTLS_SEQ_BITS;
}

static inline size_t af_ktls_overhead(const struct af_ktls_cipher *cipher)
{
	return AF_KTLS_HEADER + cipher->explicit + AF_KTLS_TAG;
}

enum af_ktls_verdict af_ktls_record_parse(const u8 header[AF_KTLS_HEADER], size_t available,
					  u16 epoch, const struct af_ktls_cipher *cipher,
					  struct af_ktls_record *record);
void af_ktls_record_header(u8 header[AF_KTLS_HEADER + AF_KTLS_MAX_EXPLICIT], u8 type, u64 seq,
			   size_t payload, const struct af_ktls_cipher *cipher);
void af_ktls_record_aad(u8 aad[AF_KTLS_AAD], u8 type, u64 seq, size_t payload);
void af_ktls_record_nonce(u8 nonce[AF_KTLS_NONCE], const u8 *salt, u64 seq, const u8 *explicit,
			  const struct af_ktls_cipher *cipher);

#endif
