// SPDX-License-Identifier: GPL-2.0-only
/* What a program can do wrong with an AF_KTLS socket that is in use: each has its errno, and the session lives on. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "bench.h"
#include "ktls.h"

static unsigned int checks, failures;

static void expect(long result, int wanted, const char *what)
{
	int got = result < 0 ? errno : 0;

	checks++;
	if (got == wanted)
		return;
	failures++;
	fprintf(stderr, "ktls-bench: %s: %s, not %s\n", what, strerror(got), strerror(wanted));
}

#define FAILS(call, error) expect(call, error, #call)

static int option(int fd, int name, const void *value, socklen_t length)
{
	return setsockopt(fd, SOL_KTLS, name, value, length);
}

/* A second socket: not attached, and then attached to what it must not be. */
static void stranger(const struct channel *c, int family)
{
	const __u16 version = c->stream ? KTLS_TLS_1_2 : KTLS_DTLS_1_2;
	struct ktls_attach a = { .fd = -1, .version = version, .cipher = KTLS_AES_GCM_128 };
	int fd = socket(family, c->stream ? SOCK_STREAM : SOCK_DGRAM, 0), file = open("/proc/self/exe", O_RDONLY);
	int other = socket(AF_INET, c->stream ? SOCK_DGRAM : SOCK_STREAM, 0);
	struct ktls_keys keys = {};
	char byte = 0;

	FAILS(socket(family, SOCK_RAW, 0), ESOCKTNOSUPPORT);
	FAILS(socket(family, SOCK_DGRAM, IPPROTO_UDP), EPROTONOSUPPORT);
	FAILS(send(fd, &byte, 1, 0), ENOTCONN);
	FAILS(recv(fd, &byte, 1, 0), ENOTCONN);
	FAILS(option(fd, KTLS_KEYS, &keys, sizeof(keys)), ENOTCONN);
	FAILS(option(fd, KTLS_ATTACH, &a, sizeof(a)), EBADF);
	a.fd = file;
	FAILS(option(fd, KTLS_ATTACH, &a, sizeof(a)), ENOTSOCK);
	a.fd = other;
	FAILS(option(fd, KTLS_ATTACH, &a, sizeof(a)), EPROTOTYPE);
	a.fd = c->fd;
	FAILS(option(fd, KTLS_ATTACH, &a, sizeof(a)), EAFNOSUPPORT);
	a.fd = c->lower;
	FAILS(option(fd, KTLS_ATTACH, &a, sizeof(a)), EBUSY);
	a.cipher = 99;
	FAILS(option(fd, KTLS_ATTACH, &a, sizeof(a)), EPROTONOSUPPORT);
	FAILS(option(fd, KTLS_ATTACH, &a, sizeof(a) - 1), EINVAL);
	FAILS(option(fd, KTLS_ATTACH, (void *)8, sizeof(a)), EFAULT);
	close(other);
	close(file);
	close(fd);
}

static void options(const struct channel *c, unsigned int restored)
{
	struct ktls_attach a = { .fd = c->lower, .version = KTLS_DTLS_1_2, .cipher = KTLS_AES_GCM_128 };
	struct ktls_keys keys = {};
	socklen_t length = sizeof(keys.tx);
	__u32 size = 0;

	FAILS(option(c->fd, KTLS_ATTACH, &a, sizeof(a)), EISCONN);
	FAILS(option(c->fd, KTLS_KEYS, &keys, sizeof(keys)), EALREADY);
	FAILS(option(c->fd, KTLS_TX_KEY, &keys.tx, sizeof(keys.tx)), EALREADY);
	FAILS(option(c->fd, 0, &keys, sizeof(keys)), ENOPROTOOPT);
	FAILS(setsockopt(c->fd, SOL_IP, KTLS_KEYS, &keys, sizeof(keys)), ENOPROTOOPT);
	FAILS(getsockopt(c->fd, SOL_KTLS, KTLS_TX_KEY, &keys.tx, &length), ENOPROTOOPT);
	FAILS(getsockopt(c->fd, SOL_KTLS, KTLS_STATS, (void *)8, &length), EFAULT);
	FAILS(option(c->fd, KTLS_RECORD_SIZE, &size, sizeof(size)), EINVAL);
	size = KTLS_MAX_PAYLOAD + 1;
	FAILS(option(c->fd, KTLS_RECORD_SIZE, &size, sizeof(size)), EINVAL);
	size = 1;
	FAILS(option(c->fd, KTLS_RECORD_SIZE, &size, 1), EINVAL);
	size = restored;
	FAILS(option(c->fd, KTLS_RECORD_SIZE, &size, sizeof(size)), 0);
	if (c->stream) {
		FAILS(option(c->fd, KTLS_DETACH, NULL, 0), EOPNOTSUPP);
	} else {
		__u64 floor = 0;

		FAILS(option(c->fd, KTLS_RX_ENABLE, &floor, sizeof(floor)), EALREADY);
	}
}

static void calls(const struct channel *c)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	static char big[KTLS_MAX_PAYLOAD + 1];
	off_t offset = 0;

	FAILS(bind(c->fd, (void *)&a, sizeof(a)), EOPNOTSUPP);
	FAILS(connect(c->fd, (void *)&a, sizeof(a)), EOPNOTSUPP);
	FAILS(listen(c->fd, 1), EOPNOTSUPP);
	FAILS(accept(c->fd, NULL, NULL), EOPNOTSUPP);
	FAILS(shutdown(c->fd, 7), EINVAL);
	FAILS(sendfile(c->fd, -1, &offset, 1), EBADF);
	FAILS(sendto(c->fd, big, 1, 0, (void *)&a, sizeof(a)), EISCONN);
	FAILS(send(c->fd, (void *)8, 100, 0), EFAULT);
	FAILS(recv(c->fd, big, 1, MSG_DONTWAIT), EAGAIN);
	FAILS(send(c->fd, big, 1, MSG_OOB), EOPNOTSUPP);
	if (!c->stream)
		FAILS(send(c->fd, big, sizeof(big), 0), EMSGSIZE);
}

void handling_run(struct end *e, unsigned int *all, unsigned int *wrong)
{
	const struct channel *c = &e->session;
	int family = AF_KTLS;
	socklen_t length = sizeof(family);

	if (getsockopt(c->fd, SOL_SOCKET, SO_DOMAIN, &family, &length))
		fail("the socket's family: %s", strerror(errno));
	stranger(c, family);
	options(c, c->record_size);
	calls(c);
	*all += checks;
	*wrong += failures;
}
