// SPDX-License-Identifier: GPL-2.0-only
/*
 * What OpenConnect and HAProxy do: this end takes what comes in on one side and gives it out on the other; the peer
 * sends `in_flight` records and another one for each that comes back. The side with records is the session; the
 * other is a plain socket in the place of the TUN device, or the session again if both ways have records. The peer
 * goes by the library.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define LOST_MS	200	/* a datagram that does not come back for so long is lost */

static struct channel *side(struct end *e, enum method method)
{
	return method == RAW && encrypted(e->request.protocol) ? &e->plain : &e->session;
}

void echo_forward(struct end *e, struct load *l)
{
	static unsigned char buffer[ROOM];
	const struct request *r = &e->request;
	const uint64_t most = r->limit == SECONDS ? UINT64_MAX : r->most * r->payload;
	struct channel *in = side(e, r->rx), *out = side(e, r->tx);
	double silent = 0;
	int pipes[2];
	ssize_t n;

	if (pipe2(pipes, O_CLOEXEC))
		fail("pipe: %s", strerror(errno));
	usage_begin(&l->usage);
	load_starts(r);
	while (!over && l->bytes < most) {
		n = r->way == SPLICE ? channel_splice_in(in, pipes[1], r->payload) :
				       channel_get(in, buffer, in->stream ? r->payload : sizeof(buffer));
		if (n < 0) {
			silent += SILENCE_MS / 1e3;
			if (silent > STALL_S)
				fail("the peer sends nothing");
			continue;
		}
		if (!n && in->stream)
			fail("the peer went away");
		if (!in->stream && n < LEAST_PAYLOAD && r->way != SPLICE)
			continue; /* a late hello */
		if (r->way == SPLICE)
			channel_splice_out(out, pipes[0], n);
		else
			channel_put(out, buffer, n);
		l->bytes += n;
		l->records++;
		l->calls += 2;
		silent = 0;
	}
	usage_end(&l->usage);
	if (in->stream)
		l->records = l->bytes / r->payload;
	close(pipes[0]);
	close(pipes[1]);
}

/* What is still on the way when this end has stopped comes, or does not. */
static bool drained(const struct channel *in, const struct load *l, uint64_t target, unsigned int silences)
{
	if (l->bytes >= target)
		return true;
	if (in->stream && silences > STALL_S * 1000 / SILENCE_MS)
		fail("the stream stops after %llu bytes", (unsigned long long)l->bytes);
	return !in->stream && silences * SILENCE_MS >= LOST_MS;
}

void echo_inject(struct end *e, struct load *l)
{
	static unsigned char buffer[ROOM], record[MOST_PAYLOAD];
	const struct request *r = &e->request;
	/* Out where this end takes in, and the reverse. */
	struct channel *out = side(e, r->rx), *in = side(e, r->tx);
	struct check k = { .request = r, .stream = in->stream };
	const uint64_t bound = (uint64_t)r->in_flight * r->payload;
	uint64_t sent = 0, target = UINT64_MAX, number = 0;
	unsigned int silences = 0;
	struct timespec begin;
	json_t *done = NULL;
	ssize_t n;

	payload_fill(record, r->payload, 0);
	usage_begin(&l->usage);
	clock_gettime(CLOCK_MONOTONIC_COARSE, &begin);
	l->last = begin;
	while (!done || !drained(in, l, target, silences)) {
		while (!done && sent + r->payload <= l->bytes + l->lost * r->payload + bound) {
			payload_stamp(record, number++, r->payload);
			channel_put(out, record, r->payload);
			sent += r->payload;
			l->calls++;
		}
		n = channel_get(in, buffer, sizeof(buffer));
		if (n > 0) {
			load_took(l, &k, buffer, n);
			silences = 0;
			continue;
		}
		if (!n && in->stream)
			fail("the stream ends after %llu bytes", (unsigned long long)l->bytes);
		silences++;
		if (!done && (done = control_receive(e->control, 0))) {
			target = json_integer_value(json_object_get(json_object_get(done, "done"), "bytes"));
			silences = 0;
		} else if (!done && !in->stream && silences * SILENCE_MS >= LOST_MS) {
			/* Those that come late after all are as many more in flight. */
			l->lost = (sent - l->bytes) / r->payload;
			silences = 0;
		}
	}
	usage_end(&l->usage);
	l->usage.wall = seconds_between(&begin, &l->last);
	json_decref(done);
	if (in->stream)
		l->records = l->bytes / r->payload;
	if (k.wrong)
		fail("%llu records are not what was sent", (unsigned long long)k.wrong);
}
