// SPDX-License-Identifier: GPL-2.0-only
/* held: what comes between the key and KTLS_RX_ENABLE waits in its order; what is below the floor never comes. */
#include <pthread.h>

#include "made.h"

/* Attached, with both keys, and holding. */
static int holding(int lower)
{
	struct ktls_keys keys = { the_key(EPOCH), the_key(EPOCH) };
	int fd = socket(AF_KTLS, SOCK_DGRAM, 0);

	CHECK(!attach(fd, lower, KTLS_DTLS_1_2, KTLS_AES_GCM_128));
	CHECK(!option(fd, KTLS_KEYS, &keys, sizeof(keys)));
	return fd;
}

static void end(int sender, int receiver, int fds[2])
{
	close(sender);
	close(receiver);
	close(fds[0]);
	close(fds[1]);
}

#define RECORDS 10
#define BELOW 3

static void in_order(int family)
{
	int fds[2], sender, receiver, i, got;
	__u64 floor = EPOCH + BELOW;
	struct ktls_stats s;

	pair(family, fds);
	sender = ready(fds[0], EPOCH, EPOCH);
	receiver = holding(fds[1]);
	for (i = 0; i < RECORDS; i++)
		CHECK(send(sender, &i, sizeof(i), 0) == sizeof(i));
	FAILS(recv(receiver, &got, sizeof(got), MSG_DONTWAIT), EAGAIN);
	FAILS(recv(fds[1], &got, sizeof(got), MSG_DONTWAIT), EAGAIN);
	s = stats(receiver);
	CHECK(!s.rx_records && !s.rx_passed && !s.rx_full);
	CHECK(!option(receiver, KTLS_RX_ENABLE, &floor, sizeof(floor)));
	for (i = BELOW; i < RECORDS; i++)
		CHECK(next_record(receiver, &got, sizeof(got), 0) == sizeof(got) && got == i);
	s = settled(receiver, RECORDS);
	CHECK(s.rx_old == BELOW && s.rx_records == RECORDS - BELOW && !s.rx_full);
	end(sender, receiver, fds);
}

/* What there is no room for is dropped and counted, as in any socket's queue; the first stay. */
static void no_room(void)
{
	int fds[2], sender, receiver, room = 20000, i, got, most = 5000;
	char record[1000] = {};
	__u64 floor = EPOCH;
	struct ktls_stats s;

	pair(AF_INET, fds);
	sender = ready(fds[0], EPOCH, EPOCH);
	receiver = holding(fds[1]);
	CHECK(!setsockopt(receiver, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)));
	for (i = 0; i < most && !stats(receiver).rx_full; i++) {
		memcpy(record, &i, sizeof(i));
		CHECK(send(sender, record, sizeof(record), 0) == sizeof(record));
	}
	CHECK(i < most);
	s = stats(receiver);
	room = 1 << 20;
	CHECK(!setsockopt(receiver, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)));
	CHECK(!option(receiver, KTLS_RX_ENABLE, &floor, sizeof(floor)));
	settled(receiver, i);
	for (got = 0; recv(receiver, record, sizeof(record), MSG_DONTWAIT) == sizeof(record); got++)
		CHECK(!memcmp(record, &got, sizeof(got)));
	CHECK(got && got + s.rx_full == (unsigned int)i);
	end(sender, receiver, fds);
}

#define ROUNDS 50
#define MANY 100

struct stream {
	int fd;
	_Atomic int sent;
};

static void *sending(void *arg)
{
	struct stream *s = arg;

	while (s->sent < MANY) {
		int i = s->sent;

		CHECK(send(s->fd, &i, sizeof(i), 0) == sizeof(i));
		s->sent++;
	}
	return NULL;
}

/* Enabled while more come: each comes once, whichever way it took. */
static void meanwhile(int round)
{
	int fds[2], receiver, i, got, seen[MANY] = {};
	struct stream stream = {};
	__u64 floor = EPOCH;
	pthread_t thread;

	pair(round % 2 ? AF_INET : AF_INET6, fds);
	stream.fd = ready(fds[0], EPOCH, EPOCH);
	receiver = holding(fds[1]);
	CHECK(!pthread_create(&thread, NULL, sending, &stream));
	while (stream.sent < 1 + round % (MANY / 2))
		sched_yield();
	CHECK(!option(receiver, KTLS_RX_ENABLE, &floor, sizeof(floor)));
	for (i = 0; i < MANY; i++) {
		CHECK(next_record(receiver, &got, sizeof(got), 0) == sizeof(got) && got >= 0 && got < MANY);
		seen[got % MANY]++;
	}
	for (i = 0; i < MANY; i++)
		CHECK(seen[i] == 1);
	pthread_join(thread, NULL);
	CHECK(!stats(receiver).rx_full);
	end(stream.fd, receiver, fds);
}

int main(void)
{
	int round;

	alarm(300);
	in_order(AF_INET);
	in_order(AF_INET6);
	no_room();
	for (round = 0; round < ROUNDS && !failures; round++)
		meanwhile(round);
	return over("held");
}
