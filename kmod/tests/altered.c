// SPDX-License-Identifier: GPL-2.0
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

#define ROUNDS 400
#define PAYLOAD 12000
#define AT (21 + PAYLOAD - 200)

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

int main(void)
{
	static unsigned char out[PAYLOAD], in[KTLS_MAX_PAYLOAD], record[KTLS_MAX_PAYLOAD];
	int a[2], b[2], sender, receiver, file, i, tries, n, delivered = 0, altered = 0;
	unsigned char *shared;
	pthread_t flipper;

	alarm(300);
	pair(AF_INET, a);
	pair(AF_INET, b);
	sender = ready(a[0], EPOCH, EPOCH);
	receiver = ready(b[0], EPOCH, EPOCH);
	file = open("/dev/shm", O_TMPFILE | O_RDWR, 0600);
	if (file < 0)
		file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	CHECK(file >= 0 && !ftruncate(file, KTLS_MAX_PAYLOAD));
	shared = mmap(NULL, KTLS_MAX_PAYLOAD, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	CHECK(shared != MAP_FAILED);
	memset(out, 'A', sizeof(out));
	CHECK(!pthread_create(&flipper, NULL, flips, NULL));
	for (i = 0; i < ROUNDS; i++) {
		CHECK(send(sender, out, PAYLOAD, 0) == PAYLOAD);
		n = recv(a[1], record, sizeof(record), 0);
		CHECK(n == 21 + PAYLOAD + 16);
		bit = NULL;
		usleep(0);
		memcpy(shared, record, n);
		bit = shared + AT;
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
	printf("%d delivered, %d of them altered, %llu refused as forged\n", delivered, altered,
	       stats(receiver).rx_forged);
	CHECK(delivered > ROUNDS / 2);
	CHECK(!altered);
	return over("altered");
}
