/* SPDX-License-Identifier: MIT */
#include "carrier.h"

#include "bytes.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef SOL_UDP
#define SOL_UDP 17
#endif

#define ALERT 21
#define HANDSHAKE 22
#define CLOSE_NOTIFY 0
#define FATAL 2

static int suite(gnutls_session_t session)
{
	switch (gnutls_cipher_get(session)) {
	case GNUTLS_CIPHER_AES_128_GCM:
		return KTLS_AES_GCM_128;
	case GNUTLS_CIPHER_AES_256_GCM:
		return KTLS_AES_GCM_256;
	case GNUTLS_CIPHER_CHACHA20_POLY1305:
		return KTLS_CHACHA20_POLY1305;
	default:
		return 0;
	}
}

/* What the kernel needs of one direction. */
static bool key(struct ktls_key *to, gnutls_session_t session, bool read)
{
	gnutls_datum_t iv, secret;
	uint8_t number[RECORD_NUMBER];
	size_t salt = suite(session) == KTLS_CHACHA20_POLY1305 ? RECORD_NONCE : RECORD_NONCE - RECORD_NUMBER;

	memset(to, 0, sizeof(*to));
	if (gnutls_record_get_state(session, read, NULL, &iv, &secret, number) < 0 || secret.size > sizeof(to->key) ||
	    iv.size < salt)
		return false;
	memcpy(to->key, secret.data, secret.size);
	memcpy(to->salt, iv.data, salt);
	to->seq = get64(number);
	return true;
}

/* Trains are GRO's, which the kernel does not want before it has the socket. */
static void merge(int udp, int on)
{
	setsockopt(udp, SOL_UDP, UDP_GRO, &on, sizeof(on));
}

/* The socket is the program's again; what waits for the library stays. */
static void leave(struct carrier *c)
{
	int error = errno;

	if (c->fd >= 0)
		close(c->fd);
	merge(c->udp, 1);
	c->on = false;
	errno = error;
}

static bool hand_over(struct carrier *c, gnutls_session_t session, struct opener *o, int tun)
{
	struct ktls_attach attach = { .fd = c->udp, .version = KTLS_DTLS_1_2, .cipher = suite(session) };
	struct ktls_tunnel tunnel = { .fd = tun, .framing = KTLS_ANYCONNECT };
	struct ktls_keys keys;
	__u64 floor;
	bool taken;
	int error;

	errno = EPROTONOSUPPORT;
	if (!attach.cipher || !o->keys.set || !key(&keys.tx, session, false) || !key(&keys.rx, session, true))
		return false;
	/* Whatever the library or the opener may have taken is not taken again. */
	floor = opener_next(o);
	if (keys.rx.seq > floor)
		floor = keys.rx.seq;
	c->epoch = floor >> 48;
	taken = !setsockopt(c->fd, SOL_KTLS, KTLS_ATTACH, &attach, sizeof(attach)) &&
		!setsockopt(c->fd, SOL_KTLS, KTLS_KEYS, &keys, sizeof(keys));
	gnutls_memset(&keys, 0, sizeof(keys));
	if (!taken)
		return false;
	if (!setsockopt(c->fd, SOL_KTLS, KTLS_RX_ENABLE, &floor, sizeof(floor)) &&
	    !setsockopt(c->fd, SOL_KTLS, KTLS_TUNNEL, &tunnel, sizeof(tunnel)))
		return true;
	error = errno;
	errno = carrier_end(c, session, o) ? error : EPIPE;
	c->fd = -1;
	return false;
}

bool carrier_start(struct carrier *c, gnutls_session_t session, struct opener *o, int udp, int tun)
{
	memset(c, 0, sizeof(*c));
	c->udp = udp;
	c->fd = socket(AF_KTLS, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return false;
	merge(udp, 0);
	c->on = hand_over(c, session, o, tun);
	if (!c->on)
		leave(c);
	return c->on;
}

bool carrier_end(struct carrier *c, gnutls_session_t session, struct opener *o)
{
	struct ktls_sequences s = { 0, 0 };
	socklen_t size = sizeof(s);
	uint8_t number[RECORD_NUMBER];
	bool known;

	/* Final once it is detached: then no record of ours is on its way any more. */
	known = !setsockopt(c->fd, SOL_KTLS, KTLS_DETACH, NULL, 0) &&
		!getsockopt(c->fd, SOL_KTLS, KTLS_SEQUENCES, &s, &size);
	leave(c);
	if (!known)
		return false;
	opener_resume(o, s.rx);
	put64(number, s.tx);
	return gnutls_record_set_state(session, 0, number) >= 0;
}

/*
 * Is a record for the library? Its handshakes in this epoch: the peer wants new keys. Those of others are stale, since the peer
 * has sent application data in this one. Anybody can send one that is not authentic: no more than one a second.
 */
static bool asks(struct carrier *c, const uint8_t *record, size_t size)
{
	time_t now = time(NULL);

	if (size < RECORD_HEADER || size > sizeof(c->raw) || record[0] != HANDSHAKE || get16(record + 3) != c->epoch ||
	    now == c->asked)
		return false;
	c->asked = now;
	memcpy(c->raw, record, size);
	c->waits = size;
	return true;
}

/* Errors that say something of the path, and end nothing: anybody can forge them. */
static bool passing(int error)
{
	return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH || error == EINTR;
}

/* Records that are nobody's and are passed over in one call: a flood of them must not keep the program. */
#define PASSED_OVER 64

enum carrier_answer carrier_take(struct carrier *c, void *data, size_t *size)
{
	char control[CMSG_SPACE(1)];
	struct iovec iov = { data, *size };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	const uint8_t *bytes = data;
	struct cmsghdr *header;
	unsigned int over = 0;
	ssize_t got;
	uint8_t type;

again:
	if (over++ == PASSED_OVER)
		return CARRIER_NOTHING;
	iov.iov_len = *size;
	message.msg_controllen = sizeof(control);
	got = recvmsg(c->fd, &message, 0);
	if (got < 0 && passing(errno))
		goto again;
	if (got < 0 && errno == EMSGSIZE)
		return CARRIER_NARROW;
	if (got < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? CARRIER_NOTHING : CARRIER_OVER;
	header = CMSG_FIRSTHDR(&message);
	type = header ? *CMSG_DATA(header) : RECORD_APPLICATION_DATA;
	if (type == RECORD_APPLICATION_DATA && got) {
		*size = got;
		return CARRIER_DATA;
	}
	if (type == KTLS_RAW && asks(c, data, got))
		return CARRIER_LIBRARY;
	if (type == ALERT && got == 2 && (bytes[0] == FATAL || bytes[1] == CLOSE_NOTIFY))
		return CARRIER_CLOSED;
	goto again;
}

size_t carrier_pull(struct carrier *c, void *data, size_t size)
{
	size_t got = c->waits <= size ? c->waits : 0;

	memcpy(data, c->raw, got);
	c->waits = 0;
	return got;
}

ssize_t carrier_send(struct carrier *c, const void *data, size_t size)
{
	return send(c->fd, data, size, MSG_NOSIGNAL);
}

void carrier_news(struct carrier *c, struct carrier_news *news)
{
	struct ktls_stats now = c->seen;
	socklen_t size = sizeof(now);

	getsockopt(c->fd, SOL_KTLS, KTLS_STATS, &now, &size);
	news->records = now.rx_records - c->seen.rx_records;
	news->sent = now.tx_records - c->seen.tx_records;
	news->packets_in = now.tunnel_rx_packets - c->seen.tunnel_rx_packets;
	news->bytes_in = now.tunnel_rx_bytes - c->seen.tunnel_rx_bytes;
	news->packets_out = now.tunnel_tx_packets - c->seen.tunnel_tx_packets;
	news->bytes_out = now.tunnel_tx_bytes - c->seen.tunnel_tx_bytes;
	c->seen = now;
}
