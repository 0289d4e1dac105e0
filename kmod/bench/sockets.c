// SPDX-License-Identifier: GPL-2.0-only
/* The sockets of the data: between the two addresses that the control connection has. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

static void set_port(struct sockaddr_storage *a, int port)
{
	if (a->ss_family == AF_INET6)
		((struct sockaddr_in6 *)a)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)a)->sin_port = htons(port);
}

static int get_port(const struct sockaddr_storage *a)
{
	return ntohs(a->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)a)->sin6_port :
						((const struct sockaddr_in *)a)->sin_port);
}

void data_wait(int fd, int milliseconds)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (poll(&p, 1, milliseconds) < 0 && errno == EINTR)
		;
}

/* A socket of this end's, on a free port. A stream's end that is the peer listens. */
static int data_open(int control, bool stream, bool peer, int *port)
{
	struct sockaddr_storage a = {};
	socklen_t length = sizeof(a);
	int fd;

	if (getsockname(control, (void *)&a, &length))
		fail("control connection: %s", strerror(errno));
	set_port(&a, 0);
	fd = socket(a.ss_family, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (void *)&a, length) || getsockname(fd, (void *)&a, &length) ||
	    (stream && peer && listen(fd, 1)))
		fail("no socket for the data: %s", strerror(errno));
	*port = get_port(&a);
	return fd;
}

/* To the other end's port; a stream's peer takes the connection in, in the place of the socket that listened. */
static void data_connect(int *fd, int control, bool stream, bool peer, int port)
{
	struct timeval timeout = { .tv_sec = STALL_S };
	struct sockaddr_storage a = {};
	socklen_t length = sizeof(a);
	int connection;

	if (stream && peer) {
		data_wait(*fd, STALL_S * 1000);
		connection = accept4(*fd, NULL, NULL, SOCK_CLOEXEC);
		if (connection < 0)
			fail("nobody connects: %s", strerror(errno));
		close(*fd);
		*fd = connection;
		return;
	}
	setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (getpeername(control, (void *)&a, &length))
		fail("control connection: %s", strerror(errno));
	set_port(&a, port);
	if (connect(*fd, (void *)&a, length))
		fail("no connection for the data: %s", strerror(errno));
}

static void set_buffer(int fd, unsigned int size)
{
	/* The first needs CAP_NET_ADMIN; the second is bounded by net.core.rmem_max. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

/*
 * No call blocks for long. Streams keep the kernel's own buffers, which grow; an echo's do not
 * wait for more to send, as a VPN's do not.
 */
void data_options(const struct channel *c, const struct request *r)
{
	struct timeval receive = { .tv_usec = SILENCE_MS * 1000 }, send = { .tv_sec = STALL_S };
	int fds[] = { c->lower, c->fd }, on = 1;

	if (c->stream && r->scenario == ECHO)
		setsockopt(c->lower, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	for (int i = 0; i < 1 + (c->fd != c->lower); i++) {
		if (!c->stream)
			set_buffer(fds[i], r->buffer);
		if (setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &receive, sizeof(receive)) ||
		    setsockopt(fds[i], SOL_SOCKET, SO_SNDTIMEO, &send, sizeof(send)))
			fail("time limits of a socket: %s", strerror(errno));
	}
}

/* An echo has a second one, unless both its sides are the session's. */
static bool has_plain(const struct request *r)
{
	return r->scenario == ECHO && encrypted(r->protocol) && (r->tx == RAW || r->rx == RAW);
}

/* This end's sockets, and their ports for the other end; 0: none. */
void data_prepare(struct end *e, int *session, int *plain)
{
	bool stream = !datagram(e->request.protocol);

	e->session = (struct channel){ .stream = stream, .tx = RAW, .rx = RAW, .record_size = e->request.payload };
	e->plain = e->session;
	e->session.fd = e->session.lower = data_open(e->control, stream, e->peer, session);
	e->plain.fd = e->plain.lower = -1;
	*plain = 0;
	if (has_plain(&e->request))
		e->plain.lower = data_open(e->control, stream, e->peer, plain);
}

/* Connects them, to the ports that the other end has told. */
void data_join(struct end *e, const json_t *ports)
{
	struct channel *channels[] = { &e->session, &e->plain };
	const char *const names[] = { "session", "plain" };

	for (int i = 0; i < 1 + has_plain(&e->request); i++) {
		struct channel *c = channels[i];

		data_connect(&c->lower, e->control, c->stream, e->peer,
			     json_integer_value(json_object_get(ports, names[i])));
		c->fd = c->lower;
		data_options(c, &e->request);
	}
}
