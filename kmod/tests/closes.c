// SPDX-License-Identifier: GPL-2.0-only
/*
 * closes: nobody waits for a grace period, which is what takes MEMBARRIER_CMD_GLOBAL its time: not who
 * detaches, nor who closes, nor who attaches what was left just now. Who sets a key waits for one that
 * is hurried, outside of any lock: how long that takes is told, and no more.
 */
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>

#include "made.h"

#define COUNT 100
#define FEW 10

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

int main(void)
{
	static int fds[COUNT][2], ends[COUNT], others[COUNT];
	double began, grace, keyed, left;
	int i;

	alarm(300);
	for (i = 0; i < COUNT; i++)
		pair(AF_INET, fds[i]);
	began = now();
	for (i = 0; i < FEW; i++)
		CHECK(!syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
	grace = now() - began;
	began = now();
	for (i = 0; i < COUNT; i++)
		ends[i] = ready(fds[i][0], EPOCH, EPOCH);
	keyed = now() - began;
	began = now();
	for (i = 0; i < COUNT; i++) {
		if (i % 2)
			CHECK(!option(ends[i], KTLS_DETACH, NULL, 0));
		else
			close(ends[i]);
		others[i] = socket(AF_KTLS, SOCK_DGRAM, 0);
		CHECK(!attach(others[i], fds[i][0], KTLS_DTLS_1_2, KTLS_AES_GCM_128));
	}
	for (i = 0; i < COUNT; i++) {
		if (i % 2)
			close(ends[i]);
		close(others[i]);
	}
	left = now() - began;
	printf("%d grace periods: %.1f ms; %d keyed: %.1f ms; left twice: %.1f ms\n", FEW, grace * 1e3, COUNT,
	       keyed * 1e3, left * 1e3);
	/* Each was left twice: who waited would have waited for two. */
	CHECK(left / COUNT < grace / FEW);
	return over("closes");
}
