/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the fuzzer share. Sockets stand in slots that all threads use without a lock: a number that one
 * thread has read another may close, or replace. So no call may wait without a limit, on whatever it is made.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../common.h"

#define ARRAY_SIZE(a) ((int)(sizeof(a) / sizeof((a)[0])))
#define SLOTS 2 /* few, so that threads meet */
#define THREADS_MOST 16
#define BURST 64 /* of sends and reconnects, which have to meet */
#define WAIT_US 5000 /* how long a socket that may wait does so */

enum place { UDP, TCP, DGRAM, STREAM, KINDS };

/* Two ends that are connected to each other: `lower` sockets and those of AF_KTLS upon them. */
struct slot {
	_Atomic int fd[KINDS][2];
	_Atomic int port[2]; /* of the UDP sockets */
};

/* In memory that the watcher shares: what a thread is at, and since when (0: at nothing). */
struct cell {
	_Atomic(const char *) call;
	_Atomic uint64_t since; /* ms of CLOCK_MONOTONIC */
};

struct self {
	uint64_t state; /* of its numbers */
	int number, ring;
	bool child;
	struct uring *uring;
	char buffer[32768];
};

/* One call of the table: true if it, or one of several, succeeded. */
struct call {
	const char *name;
	bool (*make)(struct self *me);
	int weight;
};

struct shared {
	_Atomic uint64_t made[64], succeeded[64];
	_Atomic int64_t left; /* how many calls may yet be begun */
	_Atomic int stop, no_uring;
	struct cell cells[THREADS_MOST];
};

extern const struct call calls[];
extern const int calls_count;
extern struct shared *shared;
extern struct slot slots[SLOTS];

uint64_t now_ms(void);
void work(struct self *me, int most);

static inline uint32_t any(struct self *me, uint32_t below)
{
	/* xorshift64*, Vigna 2016 */
	me->state ^= me->state >> 12;
	me->state ^= me->state << 25;
	me->state ^= me->state >> 27;
	return (uint32_t)(me->state * 0x2545f4914f6cdd1dULL >> 33) % below;
}

static inline struct slot *a_slot(struct self *me)
{
	return &slots[any(me, SLOTS)];
}

static inline int a_fd(struct self *me, enum place kind)
{
	return a_slot(me)->fd[kind][any(me, 2)];
}

/* Mostly of datagrams: the streams' records are the kernel's. */
static inline int a_ktls(struct self *me)
{
	return a_fd(me, any(me, 4) ? DGRAM : STREAM);
}

static inline int a_lower(struct self *me)
{
	return a_fd(me, any(me, 4) ? UDP : TCP);
}

static inline int any_socket(struct self *me)
{
	return any(me, 3) ? a_ktls(me) : a_lower(me);
}

/* Flags of a call on a socket; without MSG_DONTWAIT it waits WAIT_US at most. */
static inline int wait_or_not(struct self *me)
{
	return MSG_NOSIGNAL | (any(me, 16) ? MSG_DONTWAIT : 0);
}

void replace(struct slot *slot, enum place kind, int end, int fd);

/* sockets.c */
bool make_udp(struct self *me);
bool make_tcp(struct self *me);
bool make_ktls(struct self *me);
bool make_ready(struct self *me);
bool call_attach(struct self *me);
bool call_keys(struct self *me);
bool call_enable(struct self *me);
bool call_detach(struct self *me);
bool call_shutdown(struct self *me);
bool call_close(struct self *me);
bool call_reconnect(struct self *me);

/* traffic.c */
bool call_send(struct self *me);
bool call_sendmsg(struct self *me);
bool call_sendmmsg(struct self *me);
bool call_recv(struct self *me);
bool call_recvmsg(struct self *me);
bool call_recvmmsg(struct self *me);
bool call_readwrite(struct self *me);
bool call_wire(struct self *me);

/* pages.c */
bool call_sendfile(struct self *me);
bool call_splice_in(struct self *me);
bool call_splice_out(struct self *me);

/* options.c */
bool call_ktls_set(struct self *me);
bool call_ktls_get(struct self *me);
bool call_lower_set(struct self *me);
bool call_lower_get(struct self *me);
bool call_names(struct self *me);

/* holders.c */
bool call_dup(struct self *me);
bool call_fork(struct self *me);
bool call_rights(struct self *me);
bool call_poll(struct self *me);
bool call_epoll(struct self *me);

/* uring.c */
bool call_uring(struct self *me);
void uring_close(struct self *me);

#endif
