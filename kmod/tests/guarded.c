// SPDX-License-Identifier: GPL-2.0-only
/*
 * guarded [LINK NOBODY]: what would merge or cut records, or take them elsewhere, cannot be set on a UDP socket that
 * was taken; one that somebody else has hooked is not taken; who sleeps or does not want to is told.
 * LINK is a network device with an IPv6 address, NOBODY an IPv4 address behind it where nobody is.
 */
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>

#include "made.h"

#ifndef UDP_ENCAP
#define UDP_ENCAP 100
#endif
#define ESP 2

static unsigned char out[KTLS_MAX_PAYLOAD], in[KTLS_MAX_PAYLOAD];

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

/* While it is taken; afterwards it is as it was. Reception goes on, and a record is a datagram. */
static void options(int family)
{
	static const int ways[] = { UDP_CORK, UDP_SEGMENT, UDP_GRO, UDP_ENCAP };
	int fds[2], ends[2], i, j;

	pair(family, fds);
	for (i = 0; i < 2; i++)
		ends[i] = ready(fds[i], EPOCH, EPOCH);
	for (i = 0; i < 4; i++) {
		FAILS(set(fds[0], SOL_UDP, ways[i], ways[i] == UDP_ENCAP ? ESP : 100), EBUSY);
		FAILS(set(fds[0], SOL_UDP, ways[i], 0), EBUSY);
	}
	if (family == AF_INET6)
		FAILS(set(fds[0], SOL_IPV6, IPV6_ADDRFORM, AF_INET), EBUSY);
	FAILS(send(fds[0], out, 10, MSG_MORE), EBUSY);
	/* Others are nobody's business. */
	CHECK(!set(fds[0], SOL_SOCKET, SO_SNDBUF, 100000));
	CHECK(!set(fds[0], SOL_UDP, UDP_NO_CHECK6_RX, 1));
	CHECK(send(fds[0], "\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\1x", 14, 0) == 14);
	CHECK(next_record(fds[1], in, sizeof(in), 0) == 14);
	for (j = 0; j < 2; j++)
		for (i = 1; i < 60000; i = i * 3 + 1) {
			int length = i < KTLS_MAX_PAYLOAD ? i : KTLS_MAX_PAYLOAD;

			CHECK(send(ends[j], out, length, 0) == length);
			CHECK(next_record(ends[!j], in, sizeof(in), 0) == length);
		}
	close(ends[0]);
	CHECK(!option(ends[1], KTLS_DETACH, NULL, 0));
	for (i = 0; i < 2; i++)
		for (j = 0; j < 3; j++) {
			CHECK(!set(fds[i], SOL_UDP, ways[j], 1));
			CHECK(!set(fds[i], SOL_UDP, ways[j], 0));
		}
	close(ends[1]);
	close(fds[0]);
	close(fds[1]);
}

/* Somebody else's: left as they are. An open datagram would take our first record in. */
static void others(void)
{
	int fd = socket(AF_KTLS, SOCK_DGRAM, 0), fds[2];

	pair(AF_INET, fds);
	/* It looks like none, and has a hook of its own all the same. */
	if (!set(fds[0], SOL_UDP, UDP_ENCAP, 0))
		FAILS(attach(fd, fds[0], KTLS_DTLS_1_2, KTLS_AES_GCM_128), EBUSY);
	CHECK(send(fds[1], out, 10, MSG_MORE) == 10);
	FAILS(attach(fd, fds[1], KTLS_DTLS_1_2, KTLS_AES_GCM_128), EOPNOTSUPP);
	CHECK(send(fds[1], out, 10, 0) == 10);
	CHECK(!attach(fd, fds[1], KTLS_DTLS_1_2, KTLS_AES_GCM_128));
	FAILS(set(fd, SOL_SOCKET, SO_RESERVE_MEM, 1 << 20), EOPNOTSUPP);
	close(fd);
	close(fds[0]);
	close(fds[1]);
}

/* The number of hops of what comes to a group, which the UDP socket keeps apart from that of others. */
static void groups(int family, int near)
{
	struct sockaddr_in group4 = { .sin_family = AF_INET, .sin_port = htons(7778) };
	struct sockaddr_in6 group6 = {
		.sin6_family = AF_INET6, .sin6_port = htons(7778), .sin6_scope_id = near,
	};
	int six = family == AF_INET6, to = socket(family, SOCK_DGRAM, 0), from = socket(family, SOCK_DGRAM, 0);
	struct ip_mreqn join4 = { .imr_ifindex = near };
	struct ipv6_mreq join6 = { .ipv6mr_interface = near };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { in, sizeof(in) };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	struct ktls_key key = the_key(EPOCH);
	int fd = socket(AF_KTLS, SOCK_DGRAM, 0), i;

	inet_pton(AF_INET, "239.1.1.1", &group4.sin_addr);
	inet_pton(AF_INET6, "ff02::1234", &group6.sin6_addr);
	join4.imr_multiaddr = group4.sin_addr;
	join6.ipv6mr_multiaddr = group6.sin6_addr;
	if (six) {
		CHECK(!bind(to, (void *)&group6, sizeof(group6)) && !set(to, SOL_IPV6, IPV6_RECVHOPLIMIT, 1));
		CHECK(!setsockopt(to, SOL_IPV6, IPV6_ADD_MEMBERSHIP, &join6, sizeof(join6)));
		CHECK(!set(from, SOL_IPV6, IPV6_MULTICAST_IF, near));
		CHECK(!connect(from, (void *)&group6, sizeof(group6)));
	} else {
		CHECK(!bind(to, (void *)&group4, sizeof(group4)) && !set(to, SOL_IP, IP_RECVTTL, 1));
		CHECK(!setsockopt(to, SOL_IP, IP_ADD_MEMBERSHIP, &join4, sizeof(join4)));
		CHECK(!setsockopt(from, SOL_IP, IP_MULTICAST_IF, &join4, sizeof(join4)));
		CHECK(!connect(from, (void *)&group4, sizeof(group4)));
	}
	CHECK(!attach(fd, from, KTLS_DTLS_1_2, KTLS_AES_GCM_128) && !option(fd, KTLS_TX_KEY, &key, sizeof(key)));
	for (i = 1; i <= 3; i++) {
		if (i > 1)
			CHECK(!set(from, six ? SOL_IPV6 : SOL_IP, six ? IPV6_MULTICAST_HOPS : IP_MULTICAST_TTL, i));
		message.msg_controllen = sizeof(control);
		CHECK(send(fd, out, 100, 0) == 100);
		CHECK(readable(to, 2000) && recvmsg(to, &message, 0) == 137);
		CHECK(*(int *)CMSG_DATA(&control.header) == i);
	}
	close(fd);
	close(to);
	close(from);
}

struct sender {
	int fd, error;
};

static void *sends_all(void *argument)
{
	struct sender *sender = argument;

	while (send(sender->fd, out, 1400, MSG_NOSIGNAL) > 0)
		;
	sender->error = errno;
	return NULL;
}

/*
 * Who sleeps until there is room is woken, by a shutdown and by a detachment. There is none while what
 * was sent waits for a neighbour who never answers.
 */
static void sleepers(int detach, const char *nobody)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(7779) };
	int lower = socket(AF_INET, SOCK_DGRAM, 0), fd = socket(AF_KTLS, SOCK_DGRAM, 0), i;
	struct ktls_key key = the_key(EPOCH);
	unsigned long long before = 0;
	struct sender sender = { fd, 0 };
	pthread_t thread;

	inet_pton(AF_INET, nobody, &address.sin_addr);
	CHECK(!set(lower, SOL_SOCKET, SO_SNDBUF, 1) && !connect(lower, (void *)&address, sizeof(address)));
	CHECK(!attach(fd, lower, KTLS_DTLS_1_2, KTLS_AES_GCM_128) && !option(fd, KTLS_TX_KEY, &key, sizeof(key)));
	CHECK(!pthread_create(&thread, NULL, sends_all, &sender));
	/* It sleeps when no record leaves any more. */
	for (i = 0; i < 10; i++) {
		usleep(20000);
		if (stats(fd).tx_records != before)
			i = 0;
		before = stats(fd).tx_records;
	}
	FAILS(send(fd, out, 1400, MSG_DONTWAIT), EAGAIN);
	if (detach)
		CHECK(!option(fd, KTLS_DETACH, NULL, 0));
	else
		CHECK(!shutdown(fd, SHUT_WR));
	/* The neighbour is given up after three seconds, and then there would be room. */
	for (i = 0; i < 50 && !sender.error; i++)
		usleep(10000);
	CHECK(sender.error == EPIPE);
	pthread_join(thread, NULL);
	close(fd);
	close(lower);
}

static volatile int enough;

static void *sends_on(void *fd)
{
	while (!enough)
		send(*(int *)fd, out, KTLS_MAX_PAYLOAD, 0);
	return NULL;
}

/* Who will not wait does not wait for others' turn either; and hears of the end of it. */
static void turns(void)
{
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET };
	int fds[2], fd, poll = epoll_create1(0), i, n, put_off = 0;
	pthread_t threads[3];

	pair(AF_INET, fds);
	CHECK(!set(fds[0], SOL_SOCKET, SO_SNDBUF, 200000));
	fd = ready(fds[0], EPOCH, EPOCH);
	CHECK(!epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event));
	for (i = 0; i < 3; i++)
		CHECK(!pthread_create(&threads[i], NULL, sends_on, &fd));
	for (i = 0; i < 20000 && put_off < 5; i++) {
		n = send(fd, out, 1, MSG_DONTWAIT);
		if (n == 1)
			continue;
		put_off += errno == EAGAIN;
		CHECK(epoll_wait(poll, &event, 1, 5000) == 1);
	}
	CHECK(put_off == 5);
	enough = 1;
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	close(poll);
	close(fd);
	close(fds[0]);
	close(fds[1]);
}

int main(int argc, char **argv)
{
	alarm(300);
	options(AF_INET);
	options(AF_INET6);
	others();
	turns();
	groups(AF_INET, 1);
	if (argc > 2) {
		groups(AF_INET6, if_nametoindex(argv[1]));
		sleepers(0, argv[2]);
		sleepers(1, argv[2]);
	}
	return over("guarded");
}
