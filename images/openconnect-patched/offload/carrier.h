/* SPDX-License-Identifier: MIT */
/*
 * Let the kernel carry a session's packets: between a TUN device and a UDP socket, without this process, by the module AF_KTLS
 * (Linux). The session's keys and numbers are handed over, and taken back with the numbers that the kernel used.
 *
 *   carrier_start()   packets are the kernel's
 *   carrier_take()    what is not a packet, and what is the library's
 *   carrier_end()     packets are the program's again
 *
 * In between neither GnuTLS nor a sealer must send in the session: a number would be used twice. It must not be started before an authentic
 * record of application data came from the peer, or a lost last flight of the handshake may yet be sent again; nor while
 * records wait in a train. Only sessions that opener.h knows: it tells which records were taken.
 */
#ifndef CARRIER_H
#define CARRIER_H

#include "opener.h"

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "ktls.h"

/* Begins as zeros. */
struct carrier {
	bool on; /* packets are the kernel's */
	int fd;  /* AF_KTLS: poll, receive and send here in place of the UDP socket */
	int udp; /* that socket */
	uint16_t epoch;         /* of the keys */
	struct ktls_stats seen; /* at the last carrier_news() */
	time_t asked;           /* when the library was last given something */
	uint8_t raw[2048];      /* that record */
	size_t waits;           /* its bytes, until it is read */
};

/* What the kernel did since the last time. */
struct carrier_news {
	uint64_t records, sent; /* authentic records that came, records that left */
	uint64_t packets_in, bytes_in;   /* to the TUN device */
	uint64_t packets_out, bytes_out; /* from it */
};

/*
 * Hand over. Returns false, with errno, where the kernel has no such module, or none for us, or not this suite or device:
 * packets are the program's. EPIPE: and the session must not send any more.
 */
bool carrier_start(struct carrier *c, gnutls_session_t session, struct opener *o, int udp, int tun);

/* Take back. Returns false where the session does not take its numbers: it must not send any more. */
bool carrier_end(struct carrier *c, gnutls_session_t session, struct opener *o);

enum carrier_answer {
	CARRIER_NOTHING, /* no more */
	CARRIER_DATA,    /* application data in `data`, `*size` bytes */
	CARRIER_LIBRARY, /* call carrier_end(), then gnutls_record_recv, whose pull function asks carrier_pull() first */
	CARRIER_CLOSED,  /* the peer has closed the session, or given it up */
	CARRIER_NARROW,  /* what was sent did not fit the path, and was lost */
	CARRIER_OVER     /* the kernel cannot go on, errno says why: call carrier_end() */
};

enum carrier_answer carrier_take(struct carrier *c, void *data, size_t *size);

/* The record that carrier_take() had for the library: its bytes, or 0. */
size_t carrier_pull(struct carrier *c, void *data, size_t size);

/* One record of application data, as send(2). */
ssize_t carrier_send(struct carrier *c, const void *data, size_t size);

void carrier_news(struct carrier *c, struct carrier_news *news);

#endif
