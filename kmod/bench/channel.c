// SPDX-License-Identifier: GPL-2.0-only
/* Records in and out, by whichever method the channel has. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "bench.h"

/* Nothing came of a call, for now: the time limit, a signal. */
bool stopped(ssize_t result)
{
	return result < 0 && (errno == EAGAIN || errno == EINTR);
}

static ssize_t library_result(ssize_t n)
{
	if (n >= 0)
		return n;
	/* The other end just closed its socket: a stream's end. */
	if (n == GNUTLS_E_PREMATURE_TERMINATION)
		return 0;
	if (n == GNUTLS_E_INTERRUPTED)
		errno = EINTR;
	else if (!gnutls_error_is_fatal(n))
		errno = EAGAIN;
	else
		fail("library: %s", gnutls_strerror(n));
	return -1;
}

/*
 * A record, whole: a signal does not end it, a socket that takes nothing for some times STALL_S does. (When a
 * signal comes with a part of a record sent, the library says GNUTLS_E_AGAIN: called again with the same, it sends
 * the rest.)
 */
void channel_put(struct channel *c, const void *buffer, size_t length)
{
	unsigned int stalls = 0;
	size_t sent = 0;
	ssize_t n;

	do {
		if (c->tx == LIBRARY)
			n = library_result(gnutls_record_send(c->tls, (const char *)buffer + sent, length - sent));
		else
			n = send(c->fd, (const char *)buffer + sent, length - sent, MSG_NOSIGNAL);
		if (n >= 0)
			sent += n;
		else if (errno == EAGAIN && ++stalls > 3)
			fail("send: the other end takes nothing");
		else if (!stopped(n))
			fail("send: %s", strerror(errno));
	} while (sent < length);
}

/* What came: its length, 0 at a stream's end, -1 when nothing has, see stopped(). */
ssize_t channel_get(struct channel *c, void *buffer, size_t room)
{
	ssize_t n;

	if (c->rx == LIBRARY)
		return library_result(gnutls_record_recv(c->tls, buffer, room));
	n = recv(c->fd, buffer, room, 0);
	if (n < 0 && !stopped(n))
		fail("recv: %s", strerror(errno));
	return n;
}

/* As channel_get(), into a pipe. */
ssize_t channel_splice_in(struct channel *c, int pipe, size_t room)
{
	ssize_t n = splice(c->fd, NULL, pipe, NULL, room, 0);

	if (n < 0 && errno == EINVAL)
		unsupported("this kernel does not splice from such a socket");
	if (n < 0 && !stopped(n))
		fail("splice from the socket: %s", strerror(errno));
	return n;
}

/* As channel_put(), from a pipe. */
void channel_splice_out(struct channel *c, int pipe, size_t length)
{
	ssize_t n;

	while (length) {
		n = splice(pipe, NULL, c->fd, NULL, length, 0);
		if (n < 0 && errno == EINVAL)
			unsupported("this kernel does not splice into such a socket");
		if (n < 0 && errno != EINTR)
			fail("splice to the socket: %s", strerror(errno)); /* EAGAIN: the other end takes nothing */
		if (n > 0)
			length -= n;
	}
}
