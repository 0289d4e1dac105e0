/* SPDX-License-Identifier: MIT */
/*
 * DTLS 1.2 records of AEAD suites, sealed beside GnuTLS with the keys of its session: straight from a packet into its place
 * in a train. gnutls_record_send(3) seals the same record, but allocates and copies for each, and takes a lock several times.
 *
 * There is one sequence of numbers, GnuTLS's, since no number may be used twice with a key: sealer_begin takes the next one
 * from the session, and sealer_end gives the session the one after the last that was used. In between nothing else may be
 * sent in that session, nor may another thread use it.
 */
#ifndef SEALER_H
#define SEALER_H

#include "record.h"

/* Begins as zeros. */
struct sealer {
	gnutls_session_t session; /* of which the keys are, and which is open for us; NULL between trains */
	struct record_keys keys;
	uint64_t next;  /* epoch and sequence number of the next record, as they stand in it */
	uint64_t first; /* and of the first one of this train */
};

/* Begin to seal in this session. Returns false where its version or suite is not one of ours: send by GnuTLS. */
bool sealer_begin(struct sealer *s, gnutls_session_t session);

/* Bytes of a record with `size` bytes of plaintext. */
size_t sealer_size(const struct sealer *s, size_t size);

/* Make a record of application data at `to`. Returns false where it cannot; then no number was used. */
bool sealer_seal(struct sealer *s, uint8_t *to, const void *data, size_t size);

/*
 * Give the session back. Returns false where it does not take its number: it must not send anything any more, and what
 * was sealed may go.
 */
bool sealer_end(struct sealer *s);

/* Forget the keys: of a session that ends, or another one. */
void sealer_free(struct sealer *s);

#endif
