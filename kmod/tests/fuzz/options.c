// SPDX-License-Identifier: GPL-2.0-only
/* Options of both levels, set and got, with values that fit and values that do not. */
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#include "fuzz.h"

#ifndef UDP_GRO
#define UDP_GRO		104
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT	103
#endif
#ifndef TCP_ULP
#define TCP_ULP		31
#endif
#ifndef SOL_TLS
#define SOL_TLS		282
#endif
#ifndef IPV6_ADDRFORM
#define IPV6_ADDRFORM	1
#endif

/*
 * Of the sockets underneath, what an unprivileged user may set. Not SO_RCVTIMEO, SO_SNDTIMEO and SO_LINGER: calls
 * would wait as long as they like.
 */
static const struct {
	int level, name;
} lower[] = {
	{ SOL_UDP, UDP_CORK }, { SOL_UDP, UDP_SEGMENT }, { SOL_UDP, UDP_GRO }, { SOL_UDP, UDP_ENCAP },
	{ SOL_UDP, 101 /* UDP_NO_CHECK6_TX */ }, { SOL_UDP, 102 /* UDP_NO_CHECK6_RX */ },
	{ IPPROTO_IPV6, IPV6_ADDRFORM }, { IPPROTO_IPV6, IPV6_V6ONLY }, { IPPROTO_IPV6, IPV6_RECVERR },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS }, { IPPROTO_IPV6, IPV6_TCLASS }, { IPPROTO_IPV6, IPV6_MTU },
	{ IPPROTO_IPV6, IPV6_MTU_DISCOVER }, { IPPROTO_IPV6, IPV6_RECVPKTINFO }, { IPPROTO_IPV6, IPV6_DONTFRAG },
	{ IPPROTO_IPV6, IPV6_RTHDR }, { IPPROTO_IPV6, IPV6_DSTOPTS }, { IPPROTO_IPV6, IPV6_2292PKTOPTIONS },
	{ IPPROTO_IP, IP_OPTIONS }, { IPPROTO_IP, IP_TOS }, { IPPROTO_IP, IP_TTL }, { IPPROTO_IP, IP_RECVERR },
	{ IPPROTO_IP, IP_MTU_DISCOVER }, { IPPROTO_IP, IP_PKTINFO }, { IPPROTO_IP, IP_MULTICAST_TTL },
	{ IPPROTO_IP, IP_MULTICAST_LOOP }, { IPPROTO_IP, IP_UNICAST_IF },
	{ SOL_SOCKET, SO_SNDBUF }, { SOL_SOCKET, SO_RCVBUF }, { SOL_SOCKET, SO_BROADCAST }, { SOL_SOCKET, SO_NO_CHECK },
	{ SOL_SOCKET, SO_PRIORITY }, { SOL_SOCKET, SO_REUSEPORT }, { SOL_SOCKET, SO_TIMESTAMPING },
	{ SOL_SOCKET, SO_PEEK_OFF }, { SOL_SOCKET, SO_RCVLOWAT }, { SOL_SOCKET, SO_ZEROCOPY },
	{ SOL_SOCKET, SO_BINDTODEVICE }, { SOL_SOCKET, SO_DONTROUTE }, { SOL_SOCKET, SO_ERROR },
	{ SOL_TCP, TCP_ULP }, { SOL_TCP, TCP_NODELAY }, { SOL_TCP, TCP_CORK }, { SOL_TCP, TCP_MAXSEG },
	{ SOL_TCP, TCP_INQ }, { SOL_TCP, TCP_INFO },
	{ SOL_TLS, 1 /* TLS_TX */ }, { SOL_TLS, 2 /* TLS_RX */ }, { SOL_TLS, 3 /* TLS_TX_ZEROCOPY_RO */ },
	{ SOL_TLS, 4 /* TLS_RX_EXPECT_NO_PAD */ }, { SOL_TLS, 5 /* TLS_TX_MAX_PAYLOAD_LEN */ },
};

static const int values[] = { 0, 1, 2, 3, -1, 6, 16, 75, 255, 576, 1200, 1280, 4096, 65535, 200000, 0x7fffffff };

struct value {
	int words[16];
	socklen_t length;
};

static struct value a_value(struct self *me)
{
	struct value v = { .length = any(me, 8) ? sizeof(int) : any(me, sizeof(v.words)) };
	int i;

	for (i = 0; i < 16; i++)
		v.words[i] = values[any(me, ARRAY_SIZE(values))];
	return v;
}

static bool set_filter(int fd)
{
	/* Cuts every datagram to its first 100 bytes, UDP's header among them. */
	struct sock_filter cut = BPF_STMT(BPF_RET | BPF_K, 100);
	struct sock_fprog program = { 1, &cut };

	return !setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

bool call_lower_set(struct self *me)
{
	int i = any(me, ARRAY_SIZE(lower)), level = lower[i].level, name = lower[i].name, fd = a_lower(me);
	struct value v = a_value(me);

	if (!any(me, 64))
		return set_filter(fd);
	if (level == SOL_TCP && name == TCP_ULP)
		return !setsockopt(fd, level, name, "tls", 3);
	if (level == IPPROTO_IPV6 && name == IPV6_ADDRFORM)
		v.words[0] = AF_INET;
	if (level == IPPROTO_IP && name == IP_OPTIONS)
		v.words[0] = 0x01010101; /* nothing, four times */
	return !setsockopt(fd, level, name, v.words, v.length);
}

bool call_lower_get(struct self *me)
{
	int i = any(me, ARRAY_SIZE(lower));
	struct value v = a_value(me);

	return !getsockopt(a_lower(me), lower[i].level, lower[i].name, v.words, &v.length);
}

/* Our own level mostly, by its right length or another; else the generic one, which is the kernel's. */
bool call_ktls_set(struct self *me)
{
	static const socklen_t lengths[] = { 0, 16, 56, 56, 112, 8, 0, 16, 4, 96, 260 };
	int name = any(me, ARRAY_SIZE(lengths)), fd = a_ktls(me);
	struct value v = a_value(me);
	__u32 size = 1 + any(me, any(me, 4) ? 2000 : 16384);

	switch (any(me, 4)) {
	case 0:
		return !setsockopt(fd, SOL_SOCKET, any(me, 2) ? SO_RCVBUF : SO_SNDBUF, v.words, v.length);
	case 1:
		/* Whatever stands in the buffer; now and then nowhere. */
		return !option(fd, name, any(me, 16) ? me->buffer : NULL, lengths[name]);
	case 2:
		return !setsockopt(fd, lower[any(me, ARRAY_SIZE(lower))].level, any(me, 40), v.words, v.length);
	default:
		return !option(fd, KTLS_RECORD_SIZE, &size, sizeof(size));
	}
}

bool call_ktls_get(struct self *me)
{
	static const int names[] = { KTLS_SEQUENCES, KTLS_STATS, KTLS_INFO, KTLS_RECORD_SIZE };
	socklen_t length = any(me, 4) ? 300 : any(me, 300);
	int fd = a_ktls(me);

	if (!any(me, 8))
		return !getsockopt(fd, lower[any(me, ARRAY_SIZE(lower))].level, any(me, 80), me->buffer, &length);
	return !getsockopt(fd, SOL_KTLS, any(me, 8) ? names[any(me, 4)] : (int)any(me, 16), me->buffer, &length);
}

/* Names, and what a socket of ours refuses. */
bool call_names(struct self *me)
{
	struct sockaddr_storage address = { .ss_family = AF_INET6 };
	socklen_t length = sizeof(address);
	int fd = any_socket(me), new;

	switch (any(me, 4)) {
	case 0:
		return !getpeername(fd, (void *)&address, &length);
	case 1:
		fd = a_ktls(me);
		bind(fd, (void *)&address, length);
		connect(fd, (void *)&address, length);
		listen(fd, 1);
		new = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
		if (new >= 0)
			close(new);
		return false;
	default:
		return !getsockname(fd, (void *)&address, &length);
	}
}
