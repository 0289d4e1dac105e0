// SPDX-License-Identifier: GPL-2.0-only
/* The control connection: TCP, a JSON object a line. Apart from the data, so that it arrives whatever they do. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

static bool asked;

static struct addrinfo *resolve(const char *host, const char *port, int flags)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags }, *list;
	int err = getaddrinfo(host, port, &hints, &list);

	if (err)
		fail("%s port %s: %s", host ? host : "any address", port, gai_strerror(err));
	return list;
}

int control_connect(const char *host, const char *port)
{
	struct addrinfo *list = resolve(host, port, 0);
	struct timeval timeout = { .tv_sec = STALL_S };
	int fd = -1, on = 1;

	for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, 0);
		/* Bounds connect() as well. */
		if (fd >= 0)
			setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen)) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	if (fd < 0)
		fail("no peer at %s port %s: %s", host, port, strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

int control_listen(const char *host, const char *port)
{
	struct addrinfo *list = resolve(host, port, AI_PASSIVE);
	int on = 1, fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, list->ai_addr, list->ai_addrlen) || listen(fd, 16))
		fail("cannot listen on %s port %s: %s", host, port, strerror(errno));
	freeaddrinfo(list);
	return fd;
}

void control_send(int fd, json_t *message)
{
	char *text = json_dumps(message, JSON_COMPACT);
	size_t length = strlen(text), sent = 0;
	ssize_t n;

	asked = true;
	text[length++] = '\n'; /* in the place of its end */
	while (sent < length) {
		n = send(fd, text + sent, length - sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail("the control connection broke: %s", strerror(errno));
		sent += n;
	}
	free(text);
	json_decref(message);
}

/* The other end ended. Before it had asked for anything it only looked whether somebody is here. */
__attribute__((noreturn)) static void gone(void)
{
	if (!asked)
		exit(0);
	error_control = -1;
	fail("the other end went away");
}

/* The next message, NULL if none begins within the time. An end that is gone ends this one as well. */
json_t *control_receive(int fd, int milliseconds)
{
	static char line[65536];
	static size_t have;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	json_error_t error;
	json_t *message;
	char *end;
	ssize_t n;

	while (!(end = memchr(line, '\n', have))) {
		n = poll(&p, 1, milliseconds);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return NULL;
		n = recv(fd, line + have, sizeof(line) - have, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			gone();
		have += n;
	}
	asked = true;
	message = json_loadb(line, end - line, 0, &error);
	if (!message)
		fail("not a message: %s", error.text);
	have -= end + 1 - line;
	memmove(line, end + 1, have);
	return message;
}

/* The message that has this member; what the other end says of its own failure is passed on. */
json_t *control_expect(int fd, const char *what, double seconds)
{
	json_t *message = control_receive(fd, seconds * 1000);
	const char *error;

	if (!message)
		fail("the other end does not answer");
	error = json_string_value(json_object_get(message, "error"));
	if (error && json_is_true(json_object_get(message, "unsupported")))
		unsupported("peer: %s", error);
	if (error)
		fail("peer: %s", error);
	if (!json_object_get(message, what))
		fail("the other end did not say %s", what);
	return message;
}
