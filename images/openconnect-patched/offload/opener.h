/* SPDX-License-Identifier: MIT */
/*
 * DTLS 1.2 records of AEAD suites, opened beside GnuTLS with the keys of its session, in their place in a train.
 * gnutls_record_recv(3) opens the same record, but allocates and copies for each, and takes a lock several times.
 *
 * No record may be delivered twice, whoever opens it, and GnuTLS and the opener each remember only what they took
 * themselves. So each number of an epoch belongs to one of them alone. When the opener takes an epoch's keys, GnuTLS may
 * have delivered some of its records already, all of them below a number that is known from what it was given, the session,
 * and the size of GnuTLS's window: application data below it remain GnuTLS's for good, and so does all that is not application data. Application data
 * from there on are the opener's, with a window of its own (RFC 6347 4.1.2.6), and GnuTLS must not be given them, whatever
 * it asks for. It gets what it reads from opener_pull, or as opener_leaves says: from the handshake on one record at a time,
 * since it keeps the rest of a datagram for later.
 *
 * Nothing of the session is set, so that any GnuTLS will do; its own window must be on, as it is by default.
 */
#ifndef OPENER_H
#define OPENER_H

#include "record.h"
#include "train.h"

#define OPENER_WORDS 16                       /* a power of 2 */
#define OPENER_WINDOW ((OPENER_WORDS - 1) * 64) /* numbers below the next one that are told apart */

/* Begins as zeros: everything is GnuTLS's, but for what is malformed. */
struct opener {
	struct record_keys keys;
	uint16_t epoch; /* of the keys */
	uint64_t shown; /* above all numbers, epoch on top, that GnuTLS was given */
	uint64_t floor; /* the least number of the epoch that is ours */
	uint64_t next;  /* above all that were taken */
	uint64_t seen[OPENER_WORDS]; /* a ring of bits: numbers that were taken */
	bool closed;    /* the session takes no more */
	int error;      /* errno of a call that received nothing, for GnuTLS to see */
};

enum opener_answer {
	OPENER_LEAVES, /* the record is GnuTLS's */
	OPENER_OPENED,
	OPENER_DROPS   /* forged, replayed, too old to tell, empty or malformed: it costs itself alone, as in GnuTLS */
};

/*
 * Take the keys that an established session receives with, if they are new, and of our kind. Until it is called, records of
 * new keys are GnuTLS's, too. opener_take calls it whenever it reads the socket.
 */
void opener_update(struct opener *o, gnutls_session_t session);

/*
 * Open the first record of a datagram, or of what is left of one. `*size` becomes that record's bytes, which are all where
 * the opener cannot tell. If it is opened, `*data` and `*length` are the plaintext, in its place.
 */
enum opener_answer opener_open(struct opener *o, uint8_t *datagram, size_t *size, uint8_t **data, size_t *length);

/* Bytes of the first record of a datagram if it is GnuTLS's: give it that record, and no more. Otherwise 0: nothing. */
size_t opener_leaves(struct opener *o, const uint8_t *datagram, size_t size);

/*
 * Open records of a train, whose socket is read where none waits, until one has data: returns their bytes, and `*data` in the
 * train's memory until the socket is read again. Returns 0 where it is GnuTLS's turn: call gnutls_record_recv once.
 */
size_t opener_take(struct opener *o, gnutls_session_t session, struct train *t, int fd, uint8_t **data);

/*
 * GnuTLS's pull function, as recv(2) of one record that is its own. What is ours is passed over: it is asked for in a handshake
 * at most.
 */
ssize_t opener_pull(struct opener *o, struct train *t, int fd, void *data, size_t size);

/* Has anything been taken with these keys? Then the peer has them, too. */
bool opener_took(const struct opener *o);

/* For whoever takes records in our place: the number above all that were taken, the epoch in its upper 16 bits; and, when that
 * is over, the number above all that the other took. What is below it is taken, as far as we know. */
uint64_t opener_next(const struct opener *o);
void opener_resume(struct opener *o, uint64_t next);

/* gnutls_record_recv has returned 0: the peer has closed the session, and nothing that follows counts. */
void opener_close(struct opener *o);

/*
 * Forget the keys and what was taken: of a session that ends. Never of one that goes on, where each record that was taken
 * could be replayed.
 */
void opener_free(struct opener *o);

#endif
