// SPDX-License-Identifier: GPL-2.0-only
/* io_uring by its own system calls: requests that are made for this thread later, by a worker, or never. */
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "fuzz.h"

#define ENTRIES 8

struct uring {
	int fd;
	struct io_uring_params p;
	struct io_uring_sqe *requests;
	char *queues; /* both in one: IORING_FEAT_SINGLE_MMAP, since Linux 5.4 */
	size_t size;
};

static struct uring urings[THREADS_MOST];

static _Atomic unsigned int *at(struct uring *ring, unsigned int offset)
{
	return (void *)(ring->queues + offset);
}

void uring_close(struct self *me)
{
	struct uring *ring = me->uring;

	if (!ring)
		return;
	munmap(ring->requests, ring->p.sq_entries * sizeof(*ring->requests));
	munmap(ring->queues, ring->size);
	close(ring->fd);
	me->uring = NULL;
}

static bool uring_open(struct self *me)
{
	struct uring *ring = &urings[me->number];
	size_t completions;

	memset(ring, 0, sizeof(*ring));
	ring->fd = syscall(SYS_io_uring_setup, ENTRIES, &ring->p);
	if (ring->fd < 0) {
		/* Off, forbidden, or not there; but too many files may be open now and fewer later. */
		if (errno != EMFILE && errno != ENOMEM)
			shared->no_uring = errno;
		return false;
	}
	ring->size = ring->p.sq_off.array + ring->p.sq_entries * sizeof(__u32);
	completions = ring->p.cq_off.cqes + ring->p.cq_entries * sizeof(struct io_uring_cqe);
	if (completions > ring->size)
		ring->size = completions;
	ring->queues = mmap(NULL, ring->size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
	ring->requests = mmap(NULL, ring->p.sq_entries * sizeof(*ring->requests), PROT_READ | PROT_WRITE,
			      MAP_SHARED, ring->fd, IORING_OFF_SQES);
	if (ring->queues == MAP_FAILED || ring->requests == MAP_FAILED) {
		close(ring->fd);
		return false;
	}
	me->uring = ring;
	return true;
}

/* Read by the kernel when it comes to it: they stay. */
static struct ktls_keys keys;
static struct sockaddr_in6 peer = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

static void a_request(struct self *me, struct io_uring_sqe *request)
{
	static const unsigned char operations[] = {
		IORING_OP_SEND, IORING_OP_SEND, IORING_OP_RECV, IORING_OP_RECV, IORING_OP_POLL_ADD, IORING_OP_WRITE,
		IORING_OP_READ, IORING_OP_SHUTDOWN, IORING_OP_CONNECT, IORING_OP_ASYNC_CANCEL, IORING_OP_URING_CMD,
		IORING_OP_SEND_ZC, IORING_OP_NOP,
	};

	memset(request, 0, sizeof(*request));
	request->opcode = operations[any(me, sizeof(operations))];
	request->flags = (any(me, 4) ? 0 : IOSQE_ASYNC) | (any(me, 4) ? 0 : IOSQE_IO_LINK);
	request->fd = a_ktls(me);
	request->addr = (uintptr_t)me->buffer;
	request->len = any(me, 2000);
	request->user_data = any(me, 4);
	switch (request->opcode) {
	case IORING_OP_SEND:
	case IORING_OP_RECV:
		request->msg_flags = wait_or_not(me);
		break;
	case IORING_OP_POLL_ADD:
		request->len = 0;
		request->addr = 0;
		request->poll32_events = any(me, 65536);
		break;
	case IORING_OP_SHUTDOWN:
		request->addr = 0;
		request->len = any(me, 3);
		if (any(me, 4))
			request->opcode = IORING_OP_NOP; /* or nothing is left to be sent on */
		break;
	case IORING_OP_CONNECT:
		request->fd = a_fd(me, UDP);
		request->addr = (uintptr_t)&peer;
		request->off = sizeof(peer);
		request->len = 0;
		break;
	case IORING_OP_ASYNC_CANCEL:
		request->fd = -1;
		request->addr = any(me, 4);
		request->len = 0;
		break;
	case IORING_OP_URING_CMD:
		request->len = 0;
		request->cmd_op = any(me, 2) ? SOCKET_URING_OP_SETSOCKOPT : SOCKET_URING_OP_GETSOCKOPT;
		request->level = SOL_KTLS;
		request->optname = any(me, 12);
		request->optlen = sizeof(keys);
		request->optval = (uintptr_t)&keys;
		break;
	}
}

/* A few requests at once. What has been done since is seen here or the next time. */
bool call_uring(struct self *me)
{
	unsigned int count = 1 + any(me, 4), i, tail, head;
	struct uring *ring;
	bool done = false;

	if (me->child || shared->no_uring || (!me->uring && !uring_open(me)))
		return false;
	ring = me->uring;
	tail = *at(ring, ring->p.sq_off.tail);
	for (i = 0; i < count; i++, tail++) {
		unsigned int place = tail & *at(ring, ring->p.sq_off.ring_mask);

		a_request(me, &ring->requests[place]);
		at(ring, ring->p.sq_off.array)[place] = place;
	}
	*at(ring, ring->p.sq_off.tail) = tail;
	syscall(SYS_io_uring_enter, ring->fd, count, 0, IORING_ENTER_GETEVENTS, NULL, 0);
	head = *at(ring, ring->p.cq_off.head);
	for (; head != *at(ring, ring->p.cq_off.tail); head++) {
		struct io_uring_cqe *done_one = (void *)(ring->queues + ring->p.cq_off.cqes);

		done |= done_one[head & *at(ring, ring->p.cq_off.ring_mask)].res >= 0;
	}
	*at(ring, ring->p.cq_off.head) = head;
	/* With requests under way. Also when the queue is stuck, which it is when the kernel took none. */
	if (!any(me, 32) || *at(ring, ring->p.sq_off.head) != tail)
		uring_close(me);
	return done;
}
