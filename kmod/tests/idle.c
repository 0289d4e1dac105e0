// SPDX-License-Identifier: GPL-2.0-only
/* idle [COUNT]: what an idle attached socket with both keys takes of the kernel's memory. */
#include <linux/membarrier.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "made.h"

#define MOST 8192

static unsigned long long slab(void)
{
	unsigned long long kilobytes = 0;
	char line[200];
	FILE *file = fopen("/proc/meminfo", "r");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Slab: %llu", &kilobytes) == 1)
			break;
	if (file)
		fclose(file);
	return kilobytes * 1024;
}

int main(int argc, char **argv)
{
	static const int ciphers[] = { KTLS_AES_GCM_128, KTLS_AES_GCM_256, KTLS_CHACHA20_POLY1305 };
	int count = argc > 1 ? atoi(argv[1]) : 1000, i;
	static int lower[MOST][2], ktls[MOST];
	struct rlimit limit = { 3 * count + 100, 3 * count + 100 };
	unsigned long long before, bare, full;
	unsigned int c;

	CHECK(count <= MOST && !setrlimit(RLIMIT_NOFILE, &limit));
	for (i = 0; i < count; i++)
		pair(AF_INET, lower[i]);
	for (c = 0; c < 3; c++) {
		before = slab();
		for (i = 0; i < count; i++)
			ktls[i] = socket(AF_KTLS, SOCK_DGRAM, 0);
		bare = slab();
		for (i = 0; i < count; i++) {
			struct ktls_keys keys = { the_key(EPOCH), the_key(EPOCH) };
			__u64 floor = EPOCH;

			if (ciphers[c] == KTLS_CHACHA20_POLY1305)
				memset(keys.tx.salt, 1, 12);
			CHECK(!attach(ktls[i], lower[i][0], KTLS_DTLS_1_2, ciphers[c]));
			CHECK(!option(ktls[i], KTLS_KEYS, &keys, sizeof(keys)));
			CHECK(!option(ktls[i], KTLS_RX_ENABLE, &floor, sizeof(floor)));
		}
		full = slab();
		printf("cipher %d: a socket %lld bytes, attached with its keys %lld bytes more\n", ciphers[c],
		       (long long)(bare - before) / count, (long long)(full - bare) / count);
		CHECK((long long)(full - before) / count < 8192);
		for (i = 0; i < count; i++)
			close(ktls[i]);
		/* They are freed after a grace period, which is what this waits for; so is what they refer to. */
		for (i = 0; i < 4; i++)
			CHECK(!syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
	}
	return over("idle");
}
