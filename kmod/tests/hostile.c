// SPDX-License-Identifier: GPL-2.0-only
/* hostile: what forged, replayed, old, cut and mixed datagrams come to; that no number is sent twice. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/sendfile.h>

#include "made.h"

/* Records made by one attached socket, passed on by hand to another: as they are, twice, changed, cut, merged. */
static void hostile(int family)
{
	unsigned char record[8][200], merged[900], buffer[200];
	int a[2], b[2], sender, receiver, i, size[8];
	struct ktls_stats s;

	pair(family, a);
	pair(family, b);
	sender = ready(a[0], EPOCH | 10, EPOCH);
	receiver = ready(b[0], EPOCH, EPOCH | 11);
	for (i = 0; i < 8; i++) {
		buffer[0] = i;
		CHECK(send(sender, buffer, 1 + i, 0) == 1 + i);
		size[i] = recv(a[1], record[i], sizeof(record[i]), 0);
		CHECK(size[i] == 38 + i);
	}
	/* In another order; once below the floor. */
	send(b[1], record[2], size[2], 0);
	send(b[1], record[0], size[0], 0);
	send(b[1], record[1], size[1], 0);
	CHECK(next_record(receiver, buffer, 200, MSG_PEEK) == 3 && buffer[0] == 2);
	CHECK(next_record(receiver, buffer, 1, MSG_TRUNC) == 3 && buffer[0] == 2);
	CHECK(next_record(receiver, buffer, 200, 0) == 2 && buffer[0] == 1);
	settled(receiver, 3);
	FAILS(recv(receiver, buffer, 200, MSG_DONTWAIT), EAGAIN);
	/* Replayed. */
	send(b[1], record[1], size[1], 0);
	/* Every byte of a record changed in turn; far ahead in the window as well. */
	for (i = 0; i < size[3]; i++) {
		record[3][i] ^= 1;
		send(b[1], record[3], size[3], 0);
		record[3][i] ^= 1;
	}
	for (i = 0; i < size[3]; i++)
		send(b[1], record[3], i, 0);
	s = settled(receiver, 4 + 2 * size[3]);
	FAILS(recv(receiver, buffer, 200, MSG_DONTWAIT), EAGAIN);
	/* With a bit of its number changed it is the one before, which was accepted: no cipher is needed. */
	CHECK(s.rx_old == 1 && s.rx_replayed == 2 && s.rx_records == 2 && s.rx_forged && s.rx_malformed);
	printf("IPv%d changed and cut: %llu forged, %llu malformed, %llu left to UDP\n", family == AF_INET ? 4 : 6,
	       s.rx_forged, s.rx_malformed, s.rx_passed);
	/* What was left to the UDP socket: other epochs, handshakes. */
	while (recv(b[0], buffer, 200, MSG_DONTWAIT) >= 0)
		;
	/* The record itself still counts as new. */
	send(b[1], record[3], size[3], 0);
	CHECK(next_record(receiver, buffer, 200, 0) == 4 && buffer[0] == 3);
	/* Two of ours around one of the library's, in one datagram. */
	memcpy(merged, record[4], size[4]);
	memcpy(merged + size[4], record[5], size[5]);
	merged[size[4]] = 22;
	memcpy(merged + size[4] + size[5], record[6], size[6]);
	send(b[1], merged, size[4] + size[5] + size[6], 0);
	CHECK(next_record(receiver, buffer, 200, 0) == 5 && buffer[0] == 4);
	CHECK(next_record(receiver, buffer, 200, 0) == 7 && buffer[0] == 6);
	CHECK(recv(b[0], buffer, 200, MSG_DONTWAIT) == size[5] && buffer[0] == 22);
	close(sender);
	close(receiver);
	for (i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}


#define JUMPS 20

/* However many records are lost, the next is accepted; what a forger says of numbers moves nothing. */
static void window(void)
{
	unsigned char record[200], buffer[200];
	struct ktls_stats s;
	int a[2], b[2], sender, receiver, i, size;
	__u64 seq = EPOCH;

	pair(AF_INET, a);
	pair(AF_INET, b);
	receiver = ready(b[0], EPOCH, EPOCH);
	for (i = 0; i < JUMPS; i++) {
		sender = ready(a[0], seq, EPOCH);
		CHECK(send(sender, &i, sizeof(i), 0) == sizeof(i));
		size = recv(a[1], record, sizeof(record), 0);
		close(sender);
		/* First with a number far ahead that it has not: not authentic. */
		record[5] ^= 0x80;
		CHECK(send(b[1], record, size, 0) == size);
		record[5] ^= 0x80;
		CHECK(send(b[1], record, size, 0) == size);
		CHECK(next_record(receiver, buffer, sizeof(buffer), 0) == sizeof(i) && *(int *)buffer == i);
		CHECK(send(b[1], record, size, 0) == size);
		seq += 1 + (1ULL << 2 * i);
	}
	s = settled(receiver, 3 * JUMPS);
	CHECK(s.rx_records == JUMPS && s.rx_forged == JUMPS && s.rx_replayed == JUMPS && !s.rx_old);
	CHECK(sequences(receiver).rx == EPOCH + (seq - EPOCH) - (1ULL << 2 * (JUMPS - 1)));
	close(receiver);
	for (i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

#define SENDS 300

static void *sending(void *fd)
{
	char buffer[1000] = {};
	int i;

	for (i = 0; i < SENDS; i++) {
		struct pollfd p = { .fd = *(int *)fd, .events = POLLOUT };

		if (i % 7 == 0) /* a call that fails must not use a number up, or use one again */
			FAILS(send(*(int *)fd, (void *)8, 100, 0), EFAULT);
		poll(&p, 1, 1000);
		send(*(int *)fd, buffer, sizeof(buffer), i % 2 ? MSG_DONTWAIT : 0);
	}
	return NULL;
}

/* Whatever is captured of one key has a nonce of its own: threads, a file, failures, detached and attached again. */
static void nonces(void)
{
	static unsigned char seen[1 << 16];
	unsigned char record[KTLS_MAX_PAYLOAD + 64];
	int fds[2], sender, file = open("/proc/self/exe", O_RDONLY), i, round, records = 0, room = 1 << 23, n;
	__u64 seq = EPOCH, sent = 0;
	pthread_t threads[4];
	__u32 size = 500;

	pair(AF_INET, fds);
	if (setsockopt(fds[1], SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		setsockopt(fds[1], SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	for (round = 0; round < 3; round++) {
		sender = ready(fds[0], seq, EPOCH);
		CHECK(!option(sender, KTLS_RECORD_SIZE, &(__u32){ 1000 }, sizeof(__u32)));
		for (i = 0; i < 4; i++)
			pthread_create(&threads[i], NULL, sending, &sender);
		for (i = 0; i < 4; i++)
			pthread_join(threads[i], NULL);
		CHECK(!option(sender, KTLS_RECORD_SIZE, &size, sizeof(size)));
		CHECK(sendfile(sender, file, NULL, 9999) == 9999);
		CHECK(!option(sender, KTLS_DETACH, NULL, 0));
		seq = sequences(sender).tx;
		sent += stats(sender).tx_records + stats(sender).tx_errors;
		close(sender);
		while ((n = recv(fds[1], record, sizeof(record), MSG_DONTWAIT)) > 0) {
			int number = record[8] << 16 | record[9] << 8 | record[10];

			CHECK(!memcmp(record + 3, record + 13, 8) && record[4] == 1);
			CHECK(number < 1 << 16 && !seen[number]++);
			records++;
		}
	}
	CHECK(seq - EPOCH == sent);
	CHECK(records == (int)sent);
	printf("%d records captured, each with a nonce of its own\n", records);
	close(fds[0]);
	close(fds[1]);
	close(file);
}

int main(void)
{
	alarm(300);
	hostile(AF_INET);
	hostile(AF_INET6);
	window();
	nonces();
	return over("hostile");
}
