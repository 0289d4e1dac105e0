// SPDX-License-Identifier: GPL-2.0-only
/* Sockets come, are connected, joined and keyed, and go. */
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/time.h>

#include "fuzz.h"

#define EPOCH (1ULL << 48)

struct slot slots[SLOTS];

/* Every number is closed once: by whoever takes it out. */
void replace(struct slot *slot, enum place kind, int end, int fd)
{
	int old = atomic_exchange(&slot->fd[kind][end], fd);

	if (old >= 0)
		close(old);
}

/* No socket of ours waits long, whatever is asked of it. */
static int made(int fd)
{
	struct timeval wait = { .tv_usec = WAIT_US };
	int one = 1;

	if (fd < 0)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
	return fd;
}

static socklen_t address_of(struct sockaddr_storage *address, int family, const char *text, int port)
{
	struct sockaddr_in6 *six = (void *)address;
	struct sockaddr_in *four = (void *)address;

	memset(address, 0, sizeof(*address));
	address->ss_family = family;
	if (family == AF_INET) {
		four->sin_port = htons(port);
		inet_pton(family, text, &four->sin_addr);
		return sizeof(*four);
	}
	six->sin6_port = htons(port);
	if (family == AF_INET6)
		inet_pton(family, text, &six->sin6_addr);
	return sizeof(*six);
}

/* Where a UDP socket may be connected to, of either family, mapped or not; AF_UNSPEC disconnects. */
static const struct {
	int family;
	const char *text;
} peers[] = {
	{ AF_INET6, "::ffff:127.0.0.1" }, { AF_INET6, "::1" }, { AF_INET6, "::ffff:127.255.255.255" },
	{ AF_INET6, "::1" }, { AF_INET6, "::ffff:127.255.255.255" }, { AF_INET, "127.0.0.1" },
	{ AF_INET, "127.255.255.255" }, { AF_INET6, "::" }, { AF_INET6, "::ffff:224.0.0.1" },
	{ AF_UNSPEC, "" }, { AF_INET, "192.0.2.1" }, { AF_INET6, "2001:db8::1" },
};

static int connect_to(int fd, int which, int port)
{
	struct sockaddr_storage address;
	socklen_t length = address_of(&address, peers[which].family, peers[which].text, port);

	return connect(fd, (void *)&address, length);
}

static int port_of(int fd)
{
	struct sockaddr_in6 address; /* the port is where an IPv4 address has it */
	socklen_t length = sizeof(address);

	return getsockname(fd, (void *)&address, &length) ? 0 : ntohs(address.sin6_port);
}

/* Two UDP sockets, the addresses of which are not bound, so that each may be connected anywhere. */
static bool new_udp(struct self *me, struct slot *slot)
{
	int family = any(me, 4) ? AF_INET6 : AF_INET, fds[2], end, failed = 0;
	int which = family == AF_INET ? 5 : any(me, 2);
	struct sockaddr_storage address;
	socklen_t length = address_of(&address, family, family == AF_INET ? "0.0.0.0" : "::", 0);

	for (end = 0; end < 2; end++) {
		fds[end] = made(socket(family, SOCK_DGRAM, 0));
		failed |= fds[end] < 0 || bind(fds[end], (void *)&address, length);
		slot->port[end] = port_of(fds[end]);
	}
	for (end = 0; end < 2; end++) {
		failed |= connect_to(fds[end], which, slot->port[!end]);
		replace(slot, UDP, end, fds[end]);
	}
	return !failed;
}

bool make_udp(struct self *me)
{
	return new_udp(me, a_slot(me));
}

static bool new_tcp(struct self *me, struct slot *slot)
{
	int family = any(me, 2) ? AF_INET6 : AF_INET, ends[2] = { -1, -1 };
	struct sockaddr_storage address;
	socklen_t length = address_of(&address, family, family == AF_INET ? "127.0.0.1" : "::1", 0);
	int listener = made(socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0));

	if (!bind(listener, (void *)&address, length) && !listen(listener, 1) &&
	    !getsockname(listener, (void *)&address, &length)) {
		ends[0] = made(socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0));
		connect(ends[0], (void *)&address, length);
		ends[1] = made(accept4(listener, NULL, NULL, any(me, 2) ? SOCK_NONBLOCK : 0));
		if (any(me, 2))
			fcntl(ends[0], F_SETFL, 0);
	}
	if (listener >= 0)
		close(listener);
	replace(slot, TCP, 0, ends[0]);
	replace(slot, TCP, 1, ends[1]);
	return ends[1] >= 0;
}

bool make_tcp(struct self *me)
{
	return new_tcp(me, a_slot(me));
}

static int new_ktls(struct self *me, enum place kind)
{
	int type = kind == STREAM ? SOCK_STREAM : SOCK_DGRAM;

	return made(socket(AF_KTLS, type | (any(me, 4) ? 0 : SOCK_NONBLOCK), 0));
}

bool make_ktls(struct self *me)
{
	enum place kind = any(me, 3) ? DGRAM : STREAM;
	int fd = new_ktls(me, kind);

	replace(a_slot(me), kind, any(me, 2), fd);
	return fd >= 0;
}

/* A cipher for each version, so that the two ends mostly agree; now and then a wrong one. */
static int version_of(struct self *me, enum place kind, int cipher)
{
	if (!any(me, 32))
		return any(me, 65536);
	return kind == DGRAM ? KTLS_DTLS_1_2 : cipher & 1 ? KTLS_TLS_1_2 : KTLS_TLS_1_3;
}

static int a_cipher(struct self *me)
{
	return any(me, 32) ? 1 + (int)any(me, 3) : (int)any(me, 6);
}

/* One key for both directions and ends, so that what one sends the other reads, and itself when it is played back. */
static struct ktls_key a_key(struct self *me, enum place kind, int cipher)
{
	struct ktls_key key = { .seq = kind == DGRAM ? EPOCH : 0 };

	memset(key.key, 0x42, cipher == KTLS_AES_GCM_128 ? 16 : 32);
	memset(key.salt, 0x17, kind == STREAM && !(cipher & 1) ? 12 : cipher == KTLS_CHACHA20_POLY1305 ? 12 : 4);
	if (!any(me, 64))
		key.seq |= (1ULL << 48) - 1 - any(me, 4); /* the last numbers of an epoch */
	return key;
}

static bool join(struct self *me, int fd, int lower, enum place kind, int cipher)
{
	return !attach(fd, lower, version_of(me, kind, cipher), cipher);
}

bool call_attach(struct self *me)
{
	enum place kind = any(me, 3) ? DGRAM : STREAM;
	struct slot *slot = a_slot(me);
	int end = any(me, 2), lower = slot->fd[kind == DGRAM ? UDP : TCP][end];

	/* Now and then to what it cannot be: another kind, itself. */
	return join(me, slot->fd[kind][end], any(me, 16) ? lower : any_socket(me), kind, a_cipher(me));
}

static bool give_keys(struct self *me, int fd, enum place kind, int cipher)
{
	struct ktls_keys keys = { a_key(me, kind, cipher), a_key(me, kind, cipher) };

	switch (any(me, 4)) {
	case 0:		return !option(fd, KTLS_TX_KEY, &keys.tx, sizeof(keys.tx));
	case 1:		return !option(fd, KTLS_RX_KEY, &keys.rx, sizeof(keys.rx));
	default:	return !option(fd, KTLS_KEYS, &keys, sizeof(keys));
	}
}

bool call_keys(struct self *me)
{
	enum place kind = any(me, 3) ? DGRAM : STREAM;

	return give_keys(me, a_fd(me, kind), kind, a_cipher(me));
}

bool call_enable(struct self *me)
{
	__u64 floor = EPOCH | (any(me, 4) ? 0 : any(me, 100));

	return !option(a_fd(me, DGRAM), KTLS_RX_ENABLE, &floor, sizeof(floor));
}

/*
 * All of it, so that there is traffic: both ends, or one, and then the other end sees what is sent. Now and then it is
 * left without a key, or not enabled, for others to go on with.
 */
bool make_ready(struct self *me)
{
	int steps = any(me, 4) ? 3 : 1 + any(me, 2);
	struct slot *slot = a_slot(me);
	enum place kind = any(me, 3) ? DGRAM : STREAM, below = kind == DGRAM ? UDP : TCP;
	int cipher = 1 + any(me, 3), end, ends = 1 + !!any(me, 3);
	bool done = kind == DGRAM ? new_udp(me, slot) : new_tcp(me, slot);
	__u64 floor = EPOCH;

	for (end = 0; end < ends; end++) {
		struct ktls_key key = a_key(me, kind, cipher);
		struct ktls_keys keys = { key, key };
		int fd = new_ktls(me, kind);

		done &= join(me, fd, slot->fd[below][end], kind, cipher);
		if (steps > 1)
			done &= !option(fd, KTLS_KEYS, &keys, sizeof(keys));
		if (steps > 2 && kind == DGRAM)
			done &= !option(fd, KTLS_RX_ENABLE, &floor, sizeof(floor));
		replace(slot, kind, end, fd);
	}
	return done;
}

bool call_detach(struct self *me)
{
	return !option(a_ktls(me), KTLS_DETACH, NULL, 0);
}

bool call_shutdown(struct self *me)
{
	return !shutdown(any_socket(me), any(me, 3));
}

bool call_close(struct self *me)
{
	struct slot *slot = a_slot(me);
	int old = atomic_exchange(&slot->fd[any(me, KINDS)][any(me, 2)], -1);

	return old >= 0 && !close(old);
}

/* The socket underneath goes elsewhere while others send through it: mostly to and fro between the families. */
bool call_reconnect(struct self *me)
{
	struct slot *slot = a_slot(me);
	int end = any(me, 2), count = 1 + any(me, BURST), fd = slot->fd[UDP][end], port = slot->port[!end];
	bool done = false;

	while (count--)
		done |= !connect_to(fd, any(me, any(me, 4) ? 5 : ARRAY_SIZE(peers)), port);
	if (!any(me, 4))
		connect_to(slot->fd[TCP][end], any(me, ARRAY_SIZE(peers)), port);
	return done;
}
