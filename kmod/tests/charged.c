// SPDX-License-Identifier: GPL-2.0-only
/*
 * charged [MEMORY.STAT]: records that wait to be read, or for the floor, are in UDP's account of
 * memory, and in `sock` of the memory cgroup whose statistics are given; when they are read, or their
 * sockets are closed, they are so no more.
 */
#include <fcntl.h>
#include <sys/resource.h>

#include "made.h"

#define SOCKETS 64
#define PAYLOAD 1400

static const char *cgroup;

/* A number after a word in a line that begins with `line`. */
static long long told(const char *path, const char *line, const char *word)
{
	FILE *file = fopen(path, "r");
	long long value = -1;
	char text[400];

	CHECK(file);
	while (file && fgets(text, sizeof(text), file))
		if (!strncmp(text, line, strlen(line)) && strstr(text, word))
			value = atoll(strstr(text, word) + strlen(word));
	if (file)
		fclose(file);
	return value;
}

static long long udp(void)
{
	return told("/proc/net/sockstat", "UDP:", " mem ") * getpagesize();
}

static long long charges(void)
{
	return told(cgroup, "sock ", "sock ");
}

/* Each socket is sent what it takes, and nobody reads it. Processors keep some of the account. */
static void waiting(int hold)
{
	static int fds[SOCKETS][2], from[SOCKETS], to[SOCKETS];
	static char record[SOCKETS][PAYLOAD];
	struct ktls_keys keys = { the_key(EPOCH), the_key(EPOCH) };
	long long before = udp(), charged = cgroup ? charges() : 0, least, kept, room, i;
	socklen_t length = sizeof(int);
	int n, size = 0;

	for (i = 0; i < SOCKETS; i++) {
		pair(AF_INET, fds[i]);
		from[i] = ready(fds[i][1], EPOCH, EPOCH);
		if (hold) {
			to[i] = socket(AF_KTLS, SOCK_DGRAM, 0);
			CHECK(!attach(to[i], fds[i][0], KTLS_DTLS_1_2, KTLS_AES_GCM_128));
			CHECK(!option(to[i], KTLS_KEYS, &keys, sizeof(keys)));
		} else {
			to[i] = ready(fds[i][0], EPOCH, EPOCH);
		}
		for (n = 0; n < 1000 && !stats(to[i]).rx_full; n++)
			CHECK(send(from[i], record[0], PAYLOAD, 0) == PAYLOAD);
	}
	CHECK(!getsockopt(to[0], SOL_SOCKET, SO_RCVBUF, &size, &length));
	room = (long long)size * SOCKETS;
	/* A processor may keep 1 MiB of the account for what is next. */
	least = room / 2;
	kept = udp() - before;
	printf("%s: room for %lld KiB, UDP's account %lld KiB", hold ? "held" : "unread", room >> 10, kept >> 10);
	CHECK(kept >= least);
	if (cgroup) {
		printf(", the cgroup's %lld KiB", (charges() - charged) >> 10);
		CHECK(charges() - charged >= least);
	}
	printf("\n");
	for (i = 0; i < SOCKETS / 2; i++)
		while (recv(to[i], record[0], PAYLOAD, MSG_DONTWAIT) > 0)
			;
	CHECK(hold || udp() - before < kept * 3 / 4);
	for (i = 0; i < SOCKETS; i++) {
		close(from[i]);
		close(to[i]);
		close(fds[i][0]);
		close(fds[i][1]);
	}
	for (i = 0; i < 1000 && udp() - before > least / 4; i++)
		usleep(10000);
	CHECK(udp() - before <= least / 4);
}

int main(int argc, char **argv)
{
	cgroup = argc > 1 ? argv[1] : NULL;
	alarm(300);
	waiting(0);
	waiting(1);
	return over("charged");
}
