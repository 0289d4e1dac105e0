// SPDX-License-Identifier: GPL-2.0-only
/* The calls, and the loop of a thread that makes them. */
#include <time.h>

#include "fuzz.h"

const struct call calls[] = {
	{ "udp", make_udp, 4 },
	{ "tcp", make_tcp, 3 },
	{ "socket", make_ktls, 4 },
	{ "ready", make_ready, 16 },
	{ "attach", call_attach, 10 },
	{ "keys", call_keys, 10 },
	{ "enable", call_enable, 10 },
	{ "reconnect", call_reconnect, 100 },
	{ "send", call_send, 120 },
	{ "sendmsg", call_sendmsg, 40 },
	{ "sendmmsg", call_sendmmsg, 30 },
	{ "recv", call_recv, 60 },
	{ "recvmsg", call_recvmsg, 30 },
	{ "recvmmsg", call_recvmmsg, 20 },
	{ "read/write", call_readwrite, 20 },
	{ "wire", call_wire, 60 },
	{ "sendfile", call_sendfile, 20 },
	{ "splice in", call_splice_in, 20 },
	{ "splice out", call_splice_out, 20 },
	{ "setsockopt", call_ktls_set, 20 },
	{ "getsockopt", call_ktls_get, 20 },
	{ "setsockopt below", call_lower_set, 20 },
	{ "getsockopt below", call_lower_get, 10 },
	{ "names", call_names, 5 },
	{ "poll", call_poll, 20 },
	{ "epoll", call_epoll, 20 },
	{ "dup", call_dup, 10 },
	{ "rights", call_rights, 10 },
	{ "fork", call_fork, 3 },
	{ "io_uring", call_uring, 40 },
	{ "shutdown", call_shutdown, 2 },
	{ "detach", call_detach, 4 },
	{ "close", call_close, 4 },
};

const int calls_count = ARRAY_SIZE(calls);
struct shared *shared;

uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}

static int by_weight(struct self *me)
{
	int sum = 0, i;

	for (i = 0; i < calls_count; i++)
		sum += calls[i].weight;
	sum = any(me, sum);
	for (i = 0; sum >= calls[i].weight; i++)
		sum -= calls[i].weight;
	return i;
}

/* Until it is told to stop, or has made `most` calls (0: however many). */
void work(struct self *me, int most)
{
	struct cell *cell = &shared->cells[me->number];
	int i, made = 0;

	while (!shared->stop && (!most || made++ < most)) {
		if (atomic_fetch_sub(&shared->left, 1) <= 0)
			break;
		i = by_weight(me);
		cell->call = calls[i].name;
		cell->since = now_ms();
		shared->succeeded[i] += calls[i].make(me);
		shared->made[i]++;
	}
	if (!me->child)
		cell->since = 0;
}
