// SPDX-License-Identifier: GPL-2.0-only
/*
 * The peer's part of a transmission and of a file: read until everything has come. How much that is, is known
 * beforehand, or told when the sender is through; of datagrams some may never come, so silence ends it then.
 */
#include "bench.h"

#define SILENCES	4	/* of SILENCE_MS, after which no more datagrams are waited for */

struct wait {
	uint64_t target;	/* bytes */
	bool told;		/* the sender is through */
	unsigned int silences;
};

/* Nothing came for a while, or everything has. */
static bool finished(struct end *e, struct load *l, struct wait *w, int milliseconds)
{
	json_t *done;

	if (!w->told && (done = control_receive(e->control, milliseconds))) {
		w->target = json_integer_value(json_object_get(json_object_get(done, "done"), "bytes"));
		w->told = true;
		w->silences = 0;
		json_decref(done);
	}
	if (l->bytes >= w->target)
		return w->told;
	w->silences++;
	if (!w->told)
		return false;
	if (e->session.stream && w->silences > STALL_S * 1000 / SILENCE_MS)
		fail("the stream stops after %llu bytes", (unsigned long long)l->bytes);
	return !e->session.stream && w->silences >= SILENCES;
}

void receive_all(struct end *e, struct load *l)
{
	static unsigned char buffer[ROOM];
	const struct request *r = &e->request;
	struct check k = { .request = r, .stream = e->session.stream };
	struct wait w = {
		.target = r->limit == RECORDS ? r->most * r->payload : r->limit == BYTES ? r->most : UINT64_MAX,
	};
	struct timespec begin;
	ssize_t n;

	usage_begin(&l->usage);
	clock_gettime(CLOCK_MONOTONIC_COARSE, &begin);
	l->last = begin;
	for (;;) {
		n = channel_get(&e->session, buffer, sizeof(buffer));
		if (n > 0) {
			load_took(l, &k, buffer, n);
			w.silences = 0;
			if (l->bytes < w.target)
				continue;
		}
		if (!n && e->session.stream)
			fail("the stream ends after %llu bytes", (unsigned long long)l->bytes);
		if (l->bytes >= w.target || finished(e, l, &w, 0))
			break;
	}
	usage_end(&l->usage);
	l->usage.wall = seconds_between(&begin, &l->last);
	/* Everything was there before the sender had said so. */
	while (!w.told)
		finished(e, l, &w, -1);
	if (e->session.stream)
		l->records = (l->bytes + r->payload - 1) / r->payload;
	if (k.wrong)
		fail("%llu records are not what was sent", (unsigned long long)k.wrong);
}
