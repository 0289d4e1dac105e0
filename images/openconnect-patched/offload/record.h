/* SPDX-License-Identifier: MIT */
/*
 * What sealer.h and opener.h share: a DTLS 1.2 record of an AEAD suite (RFC 6347 4.1, RFC 5288, RFC 6655, RFC 7905), and the
 * keys of one direction of a session.
 */
#ifndef RECORD_H
#define RECORD_H

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_HEADER 13           /* bytes: type, version, number, length of what follows */
#define RECORD_NUMBER 8            /* bytes of epoch and sequence number, from the third byte on */
#define RECORD_APPLICATION_DATA 23 /* a type */
#define RECORD_VERSION 0xfefd      /* DTLS 1.2 */
#define RECORD_NONCE 12            /* bytes */
#define RECORD_PLAIN_MAX 16384     /* bytes of plaintext (RFC 5246 6.2.1) */
#define RECORD_SEQUENCE_MAX 0xffffffffffffULL /* the last one of an epoch */

/* Begins as zeros. */
struct record_keys {
	gnutls_aead_cipher_hd_t cipher;
	bool set;
	uint8_t key[32], iv[RECORD_NONCE]; /* those of `cipher`: the session's may have changed, or be another session's */
	size_t key_size;
	size_t salt; /* bytes of `iv` that the keys gave: 4, or all 12 where the nonce is not sent */
	size_t tag;  /* bytes */
};

/* Take keys that the session has given. Returns false, and has none, where its version or suite is not one of ours. */
bool record_keys_set(struct record_keys *k, gnutls_session_t session, const gnutls_datum_t *key, const gnutls_datum_t *iv);

/* Are they these? */
bool record_keys_are(const struct record_keys *k, const gnutls_datum_t *key, const gnutls_datum_t *iv);

void record_keys_free(struct record_keys *k);

/* Bytes of nonce that stand in a record, behind its header. */
size_t record_explicit(const struct record_keys *k);

/*
 * What the cipher wants beside the data: the nonce, and the additional data of a record of `size` bytes of plaintext, whose
 * header, with the nonce that it may send, is complete.
 */
void record_inputs(const struct record_keys *k, const uint8_t *record, size_t size, uint8_t nonce[RECORD_NONCE],
		   uint8_t additional[RECORD_HEADER]);

#endif
