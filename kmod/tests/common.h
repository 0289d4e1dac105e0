/* SPDX-License-Identifier: GPL-2.0 */
/* What the programs that need the module share. */
#ifndef COMMON_H
#define COMMON_H

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ktls.h"

/* Counted by several threads in some tests. */
static _Atomic int checks, failures;

#define CHECK(condition) do { \
	checks++; \
	errno = 0; \
	if (!(condition)) { \
		failures++; \
		printf("%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, strerror(errno)); \
	} \
} while (0)
/* The call fails, with this errno. */
#define FAILS(call, error) do { \
	int wanted = (error); \
	CHECK((call) < 0 && errno == wanted); \
} while (0)

/* A socket bound to the loopback, and its address. */
static inline int bound(int family, int type, struct sockaddr_storage *address, socklen_t *length)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(family, type, 0);

	*length = sizeof(*address);
	if (fd < 0 || bind(fd, family == AF_INET ? (void *)&v4 : (void *)&v6, family == AF_INET ? sizeof(v4) : sizeof(v6)) ||
	    getsockname(fd, (void *)address, length)) {
		perror("bound");
		exit(2);
	}
	return fd;
}

/* Two TCP sockets on the loopback, connected to each other. */
static inline void stream_pair(int family, int fds[2])
{
	struct sockaddr_storage address;
	socklen_t length;
	int listener = bound(family, SOCK_STREAM, &address, &length);

	fds[0] = socket(family, SOCK_STREAM, 0);
	if (listen(listener, 1) || connect(fds[0], (void *)&address, length) ||
	    (fds[1] = accept(listener, NULL, NULL)) < 0) {
		perror("stream_pair");
		exit(2);
	}
	close(listener);
}

/* Two UDP sockets on the loopback, connected to each other. */
static inline void pair(int family, int fds[2])
{
	struct sockaddr_storage a[2];
	socklen_t length[2];
	int i;

	for (i = 0; i < 2; i++)
		fds[i] = bound(family, SOCK_DGRAM, &a[i], &length[i]);
	for (i = 0; i < 2; i++)
		if (connect(fds[i], (void *)&a[!i], length[!i])) {
			perror("connect");
			exit(2);
		}
}

static inline int option(int fd, int name, const void *value, socklen_t length)
{
	return setsockopt(fd, SOL_KTLS, name, value, length);
}

static inline int attach(int fd, int lower, int version, int cipher)
{
	struct ktls_attach a = { .fd = lower, .version = version, .cipher = cipher };

	return option(fd, KTLS_ATTACH, &a, sizeof(a));
}

static inline int fd_type(int fd)
{
	int type = 0;
	socklen_t length = sizeof(type);

	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length);
	return type;
}

static inline int readable(int fd, int milliseconds)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, milliseconds) == 1 && p.revents & POLLIN;
}

/* The last line of every program. */
static inline int over(const char *name)
{
	printf("%s: %d checks, %d failures\n", name, checks, failures);
	return failures != 0;
}

static inline struct ktls_stats stats(int fd)
{
	struct ktls_stats s = {};
	socklen_t length = sizeof(s);

	if (getsockopt(fd, SOL_KTLS, KTLS_STATS, &s, &length))
		perror("KTLS_STATS");
	return s;
}

#endif
