/* SPDX-License-Identifier: MIT */
/*
 * What tests/unit/test_offload.py asks of images/openconnect-patched/offload, under sanitizers:
 *
 *     harness cut ROOM        a frame a message in, the packets that it stands for out, and an empty message
 *     harness join [udp]      packets in, frames out
 *     harness train SIZE...   datagrams of these sizes through a train over the loopback: what arrives out, and an empty
 *                             message before it where the kernel did not take the train as one
 *
 * A message is its length in four bytes, in the machine's order, and so many bytes.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "messages.h"
#include "superpacket.h"
#include "train.h"

/* The next message, in memory of just its size, so that the sanitizer sees a byte too many. */
static uint8_t *get(size_t *size)
{
	uint32_t length;
	uint8_t *data;

	if (fread(&length, sizeof(length), 1, stdin) != 1)
		return NULL;
	data = malloc(length ? length : 1);
	need(data && fread(data, 1, length, stdin) == length, "a message that is cut short");
	*size = length;
	return data;
}

static void cut(size_t room)
{
	struct superpacket s;
	uint8_t *frame, *packet = malloc(room);
	size_t size;
	ssize_t length;

	while ((frame = get(&size))) {
		if (superpacket_open(&s, frame, size))
			while ((length = superpacket_next(&s, packet, room)) > 0)
				put(packet, length, "", 0);
		put("", 0, "", 0);
		free(frame);
	}
	free(packet);
}

static void leave(struct merge *m)
{
	if (merge_finish(m))
		put(&m->header, sizeof(m->header), m->packet, m->size);
	merge_clear(m);
}

static void join(bool udp)
{
	struct merge *m = calloc(1, sizeof(*m));
	uint8_t *packet;
	size_t size;

	m->udp = udp;
	while ((packet = get(&size))) {
		if (!merge_add(m, packet, size)) {
			leave(m);
			need(merge_add(m, packet, size), "an empty run takes no packet");
		}
		free(packet);
	}
	leave(m);
	free(m);
}

static int bound(struct sockaddr_in *where)
{
	socklen_t size = sizeof(*where);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	memset(where, 0, sizeof(*where));
	where->sin_family = AF_INET;
	where->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	need(fd >= 0 && !bind(fd, (void *)where, size) && !getsockname(fd, (void *)where, &size), "socket");
	return fd;
}

static void train(char **sizes)
{
	struct sockaddr_in a, b;
	struct train *t = calloc(1, sizeof(*t));
	int from = bound(&a), to = bound(&b);
	uint8_t data[65536];
	int wanted = 0;

	need(!connect(from, (void *)&b, sizeof(b)) && !connect(to, (void *)&a, sizeof(a)), "connect");
	need(train_prepare(to), "the kernel receives no trains");
	train_collect(t);
	for (; *sizes; sizes++, wanted++) {
		size_t size = atoi(*sizes);

		memset(data, wanted, size);
		need(train_push(t, from, data, size) == (ssize_t)size, "push");
	}
	if (train_depart(t, from))
		fprintf(stderr, "depart: %s\n", strerror(errno));
	if (t->single)
		put("", 0, "", 0);
	while (train_waits(t) || train_receive(t, to)) {
		size_t size;
		const uint8_t *front = train_front(t, &size);

		put(front, size, "", 0);
		train_took(t, size);
	}
	train_free(t);
	free(t);
}

int main(int count, char **words)
{
	if (count == 3 && !strcmp(words[1], "cut"))
		cut(atoi(words[2]));
	else if (count >= 2 && !strcmp(words[1], "join"))
		join(count > 2);
	else if (count >= 2 && !strcmp(words[1], "train"))
		train(words + 2);
	else
		return 2;
	return 0;
}
