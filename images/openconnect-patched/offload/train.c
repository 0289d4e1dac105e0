/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "train.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* From linux/udp.h, which older C libraries and kernel headers lack. */
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* A receive buffer of the default size holds three trains, and loses the fourth. */
#define RECEIVE_BUFFER (4 << 20)
#define SEND_BUFFER (4 * 65536) /* more would only wait in the queues behind it */
#define DATAGRAM_MAX 65536 /* what recvmmsg(2) may put into one buffer */
#define PATIENCE 20        /* milliseconds to wait for room in the send buffer */

/* One system call's harvest. */
struct train_in {
	struct mmsghdr messages[TRAIN_BATCH];
	struct iovec parts[TRAIN_BATCH];
	union {
		char room[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct scm_timestamping))];
		struct cmsghdr aligned;
	} control[TRAIN_BATCH];
	unsigned int count; /* messages received */
	unsigned int next;  /* the one that is being handed out */
	size_t done;        /* bytes of it that were handed out */
	size_t each;        /* bytes of its datagrams; 0 where that was not looked up yet */
	uint8_t *memory;    /* of all buffers: touched only as far as something was received */
};

bool train_prepare(int fd)
{
	int on = 1, size = RECEIVE_BUFFER, has = 0;
	socklen_t length = sizeof(has);

	/* More than the system's limit takes a privilege; less is better than nothing. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	size = SEND_BUFFER;
	if (!getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &has, &length) && has < size)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return !setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
}

void train_collect(struct train *t)
{
	t->collects = true;
}

/* send(2) that waits for room once, for a moment: a datagram that finds none is lost, as on any full queue. */
static ssize_t sent(int fd, const struct msghdr *message)
{
	struct pollfd room = { .fd = fd, .events = POLLOUT };
	ssize_t size = sendmsg(fd, message, 0);

	if (size >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS))
		return size;
	poll(&room, 1, PATIENCE);
	return sendmsg(fd, message, 0);
}

static ssize_t sent_alone(int fd, const void *data, size_t size)
{
	struct iovec part = { (void *)data, size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	return sent(fd, &message);
}

static ssize_t sent_as_train(const struct train *t, int fd)
{
	struct iovec part = { (void *)t->out, t->size };
	union {
		char room[CMSG_SPACE(sizeof(uint16_t))];
		struct cmsghdr aligned;
	} control = { 0 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control.room)
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	uint16_t each = t->each;

	header->cmsg_level = IPPROTO_UDP;
	header->cmsg_type = UDP_SEGMENT;
	header->cmsg_len = CMSG_LEN(sizeof(each));
	memcpy(CMSG_DATA(header), &each, sizeof(each));
	return sent(fd, &message);
}

static void failed(struct train *t)
{
	if (t->error != EMSGSIZE)
		t->error = errno;
}

static void send_collected(struct train *t, int fd)
{
	size_t at, size;
	bool all = true;

	if (!t->count)
		return;
	if (t->count > 1 && !t->single) {
		if (sent_as_train(t, fd) >= 0)
			goto done;
		/*
		 * EIO: the device computes no checksums. EINVAL: the kernel knows no trains, or the path is narrower than a
		 * datagram, for which later kernels have EMSGSIZE. Then each has its own try.
		 */
		if (errno != EIO && errno != EINVAL && errno != EMSGSIZE) {
			failed(t);
			goto done;
		}
	}
	for (at = 0; at < t->size; at += size) {
		size = t->size - at < t->each ? t->size - at : t->each;
		if (sent_alone(fd, t->out + at, size) < 0) {
			failed(t);
			all = false;
		}
	}
	/*
	 * All of them went alone: trains will not, on this socket. Either it sends none, or each datagram is cut into
	 * fragments. A path that is too narrow, where nothing may be cut, is told to whoever makes the datagrams.
	 */
	if (t->count > 1 && all)
		t->single = true;
done:
	t->size = 0;
	t->count = 0;
}

int train_depart(struct train *t, int fd)
{
	int error;

	send_collected(t, fd);
	t->collects = false;
	error = t->error;
	t->error = 0;
	if (!error)
		return 0;
	errno = error;
	return -1;
}

uint8_t *train_place(struct train *t, int fd, size_t size)
{
	if (!t->collects || size > sizeof(t->out))
		return NULL;
	if (t->count && (size > t->each || t->size + size > sizeof(t->out) || t->count >= TRAIN_DATAGRAMS))
		send_collected(t, fd);
	return t->out + t->size;
}

void train_made(struct train *t, int fd, size_t size)
{
	if (!t->count)
		t->each = size;
	t->size += size;
	t->count++;
	if (size < t->each)
		send_collected(t, fd); /* a shorter one is the last one */
}

ssize_t train_push(struct train *t, int fd, const void *data, size_t size)
{
	uint8_t *place = train_place(t, fd, size);

	if (!place)
		return send(fd, data, size, 0);
	memcpy(place, data, size);
	train_made(t, fd, size);
	return size;
}

static bool made_room(struct train *t)
{
	struct train_in *in = calloc(1, sizeof(*in));

	if (!in)
		return false;
	in->memory = mmap(NULL, TRAIN_BATCH * DATAGRAM_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (in->memory == MAP_FAILED) {
		free(in);
		return false;
	}
	for (unsigned int i = 0; i < TRAIN_BATCH; i++)
		in->parts[i] = (struct iovec){ in->memory + (size_t)i * DATAGRAM_MAX, DATAGRAM_MAX };
	t->in = in;
	return true;
}

bool train_receive(struct train *t, int fd)
{
	struct train_in *in;
	int count;

	if (!t->in && !made_room(t)) {
		errno = ENOMEM;
		return false;
	}
	in = t->in;
	for (unsigned int i = 0; i < TRAIN_BATCH; i++)
		in->messages[i].msg_hdr = (struct msghdr){
			.msg_iov = &in->parts[i], .msg_iovlen = 1,
			.msg_control = &in->control[i], .msg_controllen = sizeof(in->control[i].room)
		};
	in->count = 0;
	in->next = 0;
	in->done = 0;
	in->each = 0;
	count = recvmmsg(fd, in->messages, TRAIN_BATCH, MSG_DONTWAIT, NULL);
	if (count > 0)
		in->count = count;
	return count > 0;
}

/* What the kernel says of a message: the length of its datagrams, and when it came. */
static void look_up(struct train *t, struct mmsghdr *message)
{
	struct msghdr *header = &message->msg_hdr;
	struct scm_timestamping stamps;
	int each;

	t->in->each = message->msg_len;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
			memcpy(&each, CMSG_DATA(c), sizeof(each));
			if (each > 0)
				t->in->each = each;
		} else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPING) {
			memcpy(&stamps, CMSG_DATA(c), sizeof(stamps));
			t->when = stamps.ts[0];
		}
	}
}

bool train_waits(const struct train *t)
{
	return t->in && t->in->next < t->in->count;
}

uint8_t *train_front(struct train *t, size_t *size)
{
	struct train_in *in = t->in;
	struct mmsghdr *message;
	size_t left;

	if (!train_waits(t))
		return NULL;
	message = &in->messages[in->next];
	if (!in->each)
		look_up(t, message);
	*size = 0;
	if (in->each) { /* otherwise the datagram is an empty one */
		*size = in->each - in->done % in->each;
		left = message->msg_len - in->done;
		if (*size > left)
			*size = left;
	}
	return in->memory + (size_t)in->next * DATAGRAM_MAX + in->done;
}

void train_took(struct train *t, size_t size)
{
	struct train_in *in = t->in;

	t->pulled++;
	in->done += size;
	if (in->done >= in->messages[in->next].msg_len) {
		in->next++;
		in->done = 0;
		in->each = 0;
	}
}

void train_forget(struct train *t)
{
	t->single = false;
	t->error = 0;
	if (t->in)
		t->in->count = 0;
}

void train_free(struct train *t)
{
	train_forget(t);
	if (!t->in)
		return;
	munmap(t->in->memory, TRAIN_BATCH * DATAGRAM_MAX);
	free(t->in);
	t->in = NULL;
}
