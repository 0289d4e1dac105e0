// SPDX-License-Identifier: GPL-2.0-only
/*
 * altered: datagrams whose bytes their sender can still write (sendfile of a shared mapping, over the
 * loopback) are replayed to a receiver while one bit of them flips. What is delivered is what was
 * authenticated: the record as it was made, or nothing.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

#include "made.h"

#define ROUNDS 300
#define PAYLOAD 16000

static volatile unsigned char *volatile bit;
static volatile int over_now;

static void *flips(void *unused)
{
	volatile unsigned char *at;
	volatile int i;

	while (!over_now) {
		at = bit;
		if (!at)
			continue;
		*at ^= 0x80;
		for (i = 0; i < 30; i++)
			;
	}
	return unused;
}

static int ready_for(int cipher, int lower)
{
	struct ktls_keys keys = { the_key(EPOCH), the_key(EPOCH) };
	int fd = socket(AF_KTLS, SOCK_DGRAM, 0);
	__u64 floor = EPOCH;

	CHECK(!attach(fd, lower, KTLS_DTLS_1_2, cipher));
	CHECK(!option(fd, KTLS_KEYS, &keys, sizeof(keys)) && !option(fd, KTLS_RX_ENABLE, &floor, sizeof(floor)));
	return fd;
}

/* One that authenticates all before it decrypts any, and one that does both by the piece. */
static void replays(int cipher)
{
	static unsigned char out[PAYLOAD], in[KTLS_MAX_PAYLOAD], record[KTLS_MAX_PAYLOAD + 100];
	int a[2], b[2], sender, receiver, file, i, tries, n, delivered = 0, altered = 0;
	int head = cipher == KTLS_CHACHA20_POLY1305 ? 13 : 21;
	unsigned char *shared;
	pthread_t flipper;

	pair(AF_INET, a);
	pair(AF_INET, b);
	sender = ready_for(cipher, a[0]);
	receiver = ready_for(cipher, b[0]);
	file = open("/dev/shm", O_TMPFILE | O_RDWR, 0600);
	if (file < 0)
		file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	CHECK(file >= 0 && !ftruncate(file, KTLS_MAX_PAYLOAD));
	shared = mmap(NULL, KTLS_MAX_PAYLOAD, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	CHECK(shared != MAP_FAILED);
	memset(out, 'A', sizeof(out));
	over_now = 0;
	CHECK(!pthread_create(&flipper, NULL, flips, NULL));
	for (i = 0; i < ROUNDS; i++) {
		CHECK(send(sender, out, PAYLOAD, 0) == PAYLOAD);
		n = recv(a[1], record, sizeof(record), 0);
		CHECK(n == head + PAYLOAD + 16);
		bit = NULL;
		usleep(0);
		memcpy(shared, record, n);
		bit = shared + head + PAYLOAD - 200;
		for (tries = 0; tries < 200; tries++) {
			off_t from = 0;

			if (sendfile(b[1], file, &from, n) != n ||
			    recv(receiver, in, sizeof(in), MSG_DONTWAIT) != PAYLOAD)
				continue;
			delivered++;
			altered += !!memcmp(in, out, PAYLOAD);
			break;
		}
	}
	over_now = 1;
	pthread_join(flipper, NULL);
	bit = NULL;
	printf("cipher %d: %d delivered, %d of them altered, %llu refused as forged\n", cipher, delivered,
	       altered, stats(receiver).rx_forged);
	CHECK(delivered > ROUNDS / 2);
	CHECK(!altered);
	munmap(shared, KTLS_MAX_PAYLOAD);
	close(file);
	close(sender);
	close(receiver);
	for (i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

int main(void)
{
	alarm(300);
	replays(KTLS_CHACHA20_POLY1305);
	replays(KTLS_AES_GCM_128);
	return over("altered");
}
