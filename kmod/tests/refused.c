// SPDX-License-Identifier: GPL-2.0-only
/*
 * refused: what needs no cipher to be refused costs none. A record that is both forged and a replay,
 * old, or without room is counted as the latter; a datagram of many records costs so many ciphers and
 * no more; records that are held have been authenticated, so nobody fills the room with others.
 */
#include "made.h"

static unsigned char record[8][2000], many[64000];
static int size[8];

/* An authentic record for each number from EPOCH on, at `to`. */
static void made_records(int count, int payload)
{
	int fds[2], fd, i;

	pair(AF_INET, fds);
	fd = ready(fds[0], EPOCH, EPOCH);
	for (i = 0; i < count; i++) {
		CHECK(send(fd, many, payload, 0) == payload);
		size[i] = recv(fds[1], record[i], sizeof(record[i]), 0);
		CHECK(size[i] == 37 + payload);
	}
	close(fd);
	close(fds[0]);
	close(fds[1]);
}

static void forged(int fd, int i)
{
	record[i][size[i] - 1] ^= 1;
	CHECK(send(fd, record[i], size[i], 0) == size[i]);
	record[i][size[i] - 1] ^= 1;
}

/* Duplicates and what is old first (RFC 6347, 4.1.2.6); then room; and a forger moves no window. */
static void order(void)
{
	int fds[2], fd, room = 1;
	struct ktls_stats s;

	pair(AF_INET, fds);
	fd = ready(fds[0], EPOCH, EPOCH + 1);
	CHECK(send(fds[1], record[2], size[2], 0) == size[2]);
	settled(fd, 1);
	forged(fds[1], 2);
	forged(fds[1], 0);
	s = settled(fd, 3);
	CHECK(s.rx_records == 1 && s.rx_replayed == 1 && s.rx_old == 1 && !s.rx_forged);
	CHECK(!setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)));
	CHECK(send(fds[1], record[3], size[3], 0) == size[3]);
	s = settled(fd, 4);
	/* The first is bigger than all the room there is now. */
	forged(fds[1], 4);
	s = settled(fd, 5);
	CHECK(s.rx_full >= 1 && s.rx_records + s.rx_full == 3 && !s.rx_forged);
	/* Read, and there is room: what was refused is new still. */
	while (recv(fd, many, sizeof(many), MSG_DONTWAIT) > 0)
		;
	CHECK(send(fds[1], record[4], size[4], 0) == size[4]);
	CHECK(next_record(fd, many, sizeof(many), 0) == size[4] - 37);
	close(fd);
	close(fds[0]);
	close(fds[1]);
}

/* A datagram full of forged empty records, each new. */
static int full_of_tiny(void)
{
	int at = 0, count = 0;

	for (; at + 37 <= (int)sizeof(many); at += 37, count++) {
		memcpy(many + at, "\x17\xfe\xfd\0\1\0\0\0\0\0\0\0\x18", 13);
		many[at + 9] = count >> 8;
		many[at + 10] = count;
		memset(many + at + 13, 0, 24);
	}
	return count;
}

static void tiny(void)
{
	int count = full_of_tiny(), length = count * 37, fds[2], fd, i;
	struct ktls_stats s = {};

	pair(AF_INET, fds);
	fd = ready(fds[0], EPOCH, EPOCH);
	CHECK(send(fds[1], many, length, 0) == length);
	for (i = 0; i < 1000 && s.rx_forged + s.rx_excess < (unsigned int)count; i++, usleep(1000))
		s = stats(fd);
	printf("%d records in a datagram: %llu were looked at\n", count, s.rx_forged);
	CHECK(s.rx_forged == KTLS_MAX_RECORDS && s.rx_excess == (unsigned int)count - KTLS_MAX_RECORDS);
	close(fd);
	close(fds[0]);
	close(fds[1]);
}

/* While the floor is not known yet. */
static void held(void)
{
	struct ktls_keys keys = { the_key(EPOCH), the_key(EPOCH + 1) };
	int fds[2], fd = socket(AF_KTLS, SOCK_DGRAM, 0), i;
	__u64 floor = EPOCH + 2;
	struct ktls_stats s;

	pair(AF_INET, fds);
	CHECK(!attach(fd, fds[0], KTLS_DTLS_1_2, KTLS_AES_GCM_128));
	CHECK(!option(fd, KTLS_KEYS, &keys, sizeof(keys)));
	for (i = 0; i < 1000; i++)
		forged(fds[1], 3);
	for (i = 0; i < 1000; i++)
		CHECK(send(fds[1], record[1], size[1], 0) == size[1]);
	CHECK(send(fds[1], record[3], size[3], 0) == size[3]);
	CHECK(send(fds[1], record[2], size[2], 0) == size[2]);
	CHECK(sequences(fd).rx == EPOCH + 1);
	CHECK(!option(fd, KTLS_RX_ENABLE, &floor, sizeof(floor)));
	s = settled(fd, 2002);
	CHECK(s.rx_forged == 1000 && s.rx_replayed == 999 && s.rx_old == 1 && !s.rx_full);
	CHECK(s.rx_records == 2 && sequences(fd).rx == EPOCH + 4);
	CHECK(next_record(fd, many, sizeof(many), 0) == size[3] - 37);
	CHECK(next_record(fd, many, sizeof(many), 0) == size[2] - 37);
	close(fd);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	alarm(300);
	made_records(8, 1400);
	order();
	tiny();
	held();
	return over("refused");
}
