// SPDX-License-Identifier: GPL-2.0-only
/* Who encrypts, and what the AF_KTLS socket counted. */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "ktls.h"

static bool af_ktls(const struct channel *c)
{
	return c->tx == AF_KTLS_SOCKET || c->rx == AF_KTLS_SOCKET;
}

static struct ktls_stats stats_of(const struct channel *c)
{
	struct ktls_stats stats = {};
	socklen_t length = sizeof(stats);

	if (getsockopt(c->fd, SOL_KTLS, KTLS_STATS, &stats, &length))
		fail("KTLS_STATS");
	return stats;
}

json_t *kernel_stats(const struct channel *c)
{
	struct ktls_stats s;

	if (!af_ktls(c))
		return json_null();
	s = stats_of(c);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "tx_records", (json_int_t)s.tx_records, "tx_bytes", (json_int_t)s.tx_bytes,
			 "tx_errors", (json_int_t)s.tx_errors, "rx_records", (json_int_t)s.rx_records,
			 "rx_bytes", (json_int_t)s.rx_bytes, "rx_passed", (json_int_t)s.rx_passed,
			 "rx_malformed", (json_int_t)s.rx_malformed, "rx_forged", (json_int_t)s.rx_forged,
			 "rx_replayed", (json_int_t)s.rx_replayed, "rx_old", (json_int_t)s.rx_old,
			 "rx_full", (json_int_t)s.rx_full, "rx_errors", (json_int_t)s.rx_errors);
}

/* How many records the kernel has sent, 0 if it does not tell. */
uint64_t kernel_records(const struct channel *c)
{
	return af_ktls(c) ? stats_of(c).tx_records : 0;
}

/* The driver of the kernel's that has this algorithm's highest priority: who asks for the algorithm gets it. */
static const char *kernel_driver(const char *algorithm)
{
	static char best[128];
	char line[256], name[128] = "", driver[128] = "";
	FILE *file = fopen("/proc/crypto", "r");
	int priority, most = -1;

	snprintf(best, sizeof(best), "unknown");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "name : %127s", name) == 1 || sscanf(line, "driver : %127s", driver) == 1)
			continue;
		if (sscanf(line, "priority : %d", &priority) == 1 && priority > most && !strcmp(name, algorithm)) {
			most = priority;
			snprintf(best, sizeof(best), "%s", driver);
		}
	}
	if (file)
		fclose(file);
	return best;
}

/* Of one direction, in the JSON's words. */
const char *driver_text(const struct channel *c, enum method method, bool tx, enum cipher cipher)
{
	static struct ktls_info info;
	socklen_t length = sizeof(info);

	if (method == RAW)
		return "none";
	if (method == LIBRARY)
		return library_text;
	if (method == AF_KTLS_SOCKET && !getsockopt(c->fd, SOL_KTLS, KTLS_INFO, &info, &length) &&
	    (tx ? info.tx_driver : info.rx_driver)[0])
		return tx ? info.tx_driver : info.rx_driver;
	return kernel_driver(cipher == CHACHA20_POLY1305 ? "rfc7539(chacha20,poly1305)" : "gcm(aes)");
}
