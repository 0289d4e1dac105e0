// SPDX-License-Identifier: GPL-2.0-only
/* One record after another, from one buffer. */
#include "bench.h"

void transmission_send(struct end *e, struct load *l)
{
	static unsigned char buffer[MOST_PAYLOAD];
	const struct request *r = &e->request;
	const uint64_t most = r->limit == RECORDS ? r->most : UINT64_MAX;

	payload_fill(buffer, r->payload, 0);
	usage_begin(&l->usage);
	load_starts(r);
	while (!over && l->records < most) {
		payload_stamp(buffer, l->records, r->payload);
		channel_put(&e->session, buffer, r->payload);
		l->records++;
	}
	usage_end(&l->usage);
	l->calls = l->records;
	l->bytes = l->records * r->payload;
}
