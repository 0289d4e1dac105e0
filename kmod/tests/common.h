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

static int checks, failures;

#define CHECK(condition) do { \
	checks++; \
	errno = 0; \
	if (!(condition)) { \
		failures++; \
		printf("%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, strerror(errno)); \
	} \
} while (0)
/* The call fails, with this errno. */
#define FAILS(call, error) CHECK((call) < 0 && errno == (error))

/* Two sockets on the loopback, connected to each other. */
static inline void pair(int family, int fds[2])
{
	struct sockaddr_storage a[2] = {};
	socklen_t length[2] = { sizeof(a[0]), sizeof(a[0]) };
	int i;

	for (i = 0; i < 2; i++) {
		struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

		fds[i] = socket(family, SOCK_DGRAM, 0);
		if (fds[i] < 0 || bind(fds[i], family == AF_INET ? (void *)&v4 : (void *)&v6,
				       family == AF_INET ? sizeof(v4) : sizeof(v6)) ||
		    getsockname(fds[i], (void *)&a[i], &length[i])) {
			perror("pair");
			exit(2);
		}
	}
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

static inline int readable(int fd, int milliseconds)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, milliseconds) == 1 && p.revents & POLLIN;
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
