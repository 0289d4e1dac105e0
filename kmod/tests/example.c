// SPDX-License-Identifier: GPL-2.0-only
/* The example of README.md, as it stands there; `interop` runs it. */
#include <fcntl.h>
#include <gnutls/dtls.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "example.h"
#include "ktls.h"

static struct ktls_key key_of(gnutls_session_t session, int read)
{
	gnutls_datum_t mac, iv, key;
	unsigned char seq[8];
	struct ktls_key k = {};

	if (gnutls_record_get_state(session, read, &mac, &iv, &key, seq) < 0)
		return k;
	memcpy(k.key, key.data, key.size);
	memcpy(k.salt, iv.data, iv.size);
	for (int i = 0; i < 8; i++)
		k.seq = k.seq << 8 | seq[i];
	return k;
}

/*
 * From a DTLS 1.2 session on a connected UDP socket, over which an application record has come already, to a socket
 * of the kernel's. -1: not taken over, and the library goes on; records that were held back meanwhile are lost.
 */
int hand_over(gnutls_session_t session, int udp, int cipher, void (*deliver)(const void *packet, int length))
{
	struct ktls_attach attach = { .fd = udp, .version = KTLS_DTLS_1_2, .cipher = cipher };
	struct ktls_keys keys = { .tx = key_of(session, 0), .rx = key_of(session, 1) };
	int fd = socket(AF_KTLS, SOCK_DGRAM, 0), length;
	char packet[KTLS_MAX_PAYLOAD];
	__u64 floor;

	if (fd < 0 || setsockopt(fd, SOL_KTLS, KTLS_ATTACH, &attach, sizeof(attach)) ||
	    setsockopt(fd, SOL_KTLS, KTLS_KEYS, &keys, sizeof(keys))) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	/* From here the kernel holds our records back. What came before is in the UDP socket: the library reads it. */
	fcntl(udp, F_SETFL, O_NONBLOCK);
	while ((length = gnutls_record_recv(session, packet, sizeof(packet))) != GNUTLS_E_AGAIN && length)
		if (length > 0)
			deliver(packet, length);
		else if (gnutls_error_is_fatal(length))
			break; /* the next send() or recv() may still tell more */
	floor = key_of(session, 1).seq;
	if (setsockopt(fd, SOL_KTLS, KTLS_RX_ENABLE, &floor, sizeof(floor))) {
		close(fd);
		return -1;
	}
	/* Now send() is one record in one datagram, recv() the payload of the next. The library must send nothing any more. */
	return fd;
}
