// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every byte compared, one piece after the other: the peer is told what to expect, gets it, and says whether it was
 * that. A datagram may be lost on the way: then the piece is sent again, and only if it is lost every time that
 * counts as a failure.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "bench.h"

#define MOST_PIECE	262144
#define ROUNDS		10
#define TRIES		20

static unsigned int checks, failures;

/* Sizes around the limits of pages, with and without a record's header in the first, and of records. */
static const unsigned int sizes[] = {
	1, 2, 7, 8, 15, 16, 17, 100, 1000, 1280, 1400, 4000, 4030, 4031, 4059, 4060, 4075, 4076, 4095, 4096, 4097, 6000,
	8191, 8192, 8193, 9000, 12288, 13000, 16000, 16347, 16384
};
static const unsigned int offsets[] = { 0, 1, 4095, 4096, 5000 };
static const unsigned int lengths[] = { 1, 100, 1400, 4096, 4097, 16384, 16385, 65536, 65537, 100000, 200000 };

static void judge(bool right, const char *what, unsigned int length, uint64_t position)
{
	checks++;
	if (right)
		return;
	failures++;
	fprintf(stderr, "ktls-bench: %s: %u bytes from %llu\n", what, length, (unsigned long long)position);
}

/* Asks the peer how the piece came; true if whole. */
static bool came(struct end *e, unsigned int length, bool *same)
{
	json_t *report = control_expect(e->control, "got", 2 * STALL_S);
	bool whole = json_integer_value(json_object_get(report, "got")) == length;

	*same = json_is_true(json_object_get(report, "same"));
	json_decref(report);
	return whole;
}

static void send_piece(struct end *e, int file, unsigned int length, uint64_t position)
{
	static unsigned char buffer[MOST_PAYLOAD];
	bool each = !e->session.stream && e->session.tx == RAW;
	off_t offset = position, end = position + length;
	ssize_t n;

	if (file < 0) {
		payload_fill(buffer, length, position);
		channel_put(&e->session, buffer, length);
		return;
	}
	while (offset < end) {
		size_t part = end - offset;

		if (each && part > e->request.payload)
			part = e->request.payload;
		n = sendfile(e->session.fd, file, &offset, part);
		if (n <= 0 && errno != EINTR)
			fail("sendfile: %s", n ? strerror(errno) : "file too short");
	}
}

static void piece(struct end *e, int file, unsigned int length, uint64_t position)
{
	bool whole = false, same = true;

	for (int i = 0; i < TRIES && !whole && same; i++) {
		control_send(e->control, json_pack("{s:i, s:I, s:b}", "expect", (int)length, "position",
						   (json_int_t)position, "again", i > 0));
		send_piece(e, file, length, position);
		whole = came(e, length, &same);
		if (e->session.stream)
			break;
	}
	judge(whole, "did not come whole", length, position);
	judge(same, "other bytes came", length, position);
}

static void pieces(struct end *e)
{
	uint64_t position = 0;

	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			/* The library's DTLS has 16384 with its own bytes in. */
			if (e->request.protocol == DTLS && sizes[i] > 16347)
				continue;
			piece(e, -1, sizes[i], position);
			position += sizes[i];
		}
}

static void files(struct end *e)
{
	int file = file_make(e->request.directory, MOST_PIECE);

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		for (size_t j = 0; j < sizeof(lengths) / sizeof(lengths[0]); j++)
			piece(e, file, lengths[j], offsets[i]);
	close(file);
}

json_t *verify_run(struct end *e)
{
	const struct request *r = &e->request;
	json_t *result;

	control_send(e->control, json_pack("{s:b}", "go", true));
	if (r->way == V_SENDFILE)
		files(e);
	else if (r->way == V_HANDLING)
		handling_run(e, &checks, &failures);
	else
		pieces(e);
	/* Still alive after all that. */
	if (r->way == V_HANDLING)
		piece(e, -1, 1400, 0);
	control_send(e->control, json_pack("{s:i}", "expect", 0));
	result = request_json(r);
	json_object_del(result, "limit");
	json_object_del(result, "way");
	json_object_set_new(result, "verify", json_string(ways[r->way]));
	json_object_set_new(result, "checks", json_integer(checks));
	json_object_set_new(result, "failures", json_integer(failures));
	json_object_set_new(result, "ktls", kernel_stats(&e->session));
	return result;
}

/* A receive by way of a pipe. */
static ssize_t splice_get(struct channel *c, const int *pipes, unsigned char *buffer, size_t room)
{
	ssize_t n = channel_splice_in(c, pipes[1], room), got = 0, part;

	while (got < n) {
		part = read(pipes[0], buffer + got, n - got);
		if (part <= 0)
			fail("pipe: %s", strerror(errno));
		got += part;
	}
	return n;
}

static ssize_t get(struct end *e, const int *pipes, unsigned char *buffer, size_t room)
{
	if (room > ROOM)
		room = ROOM;
	if (e->request.way == V_SPLICE_READ)
		return splice_get(&e->session, pipes, buffer, room);
	return channel_get(&e->session, buffer, room);
}

struct expected {
	unsigned int length, have;
	uint64_t position;
	bool seen[MOST_PIECE];
};

/* A datagram's place in the piece, each byte of which counts once; false if it has none. */
static bool put(struct end *e, const unsigned char *datagram, size_t length, struct expected *x)
{
	ssize_t at = payload_find(datagram, length, x->position, x->length);

	/* Raw datagrams may come twice, and late. */
	if (at < 0)
		return !encrypted(e->request.protocol);
	for (size_t i = at; i < at + length; i++) {
		x->have += !x->seen[i];
		x->seen[i] = true;
	}
	return true;
}

/* When a piece is sent again it is whole before all of it has come: what is left must not be taken for the next. */
static bool receive_piece(struct end *e, const int *pipes, struct expected *x, bool first, bool again)
{
	static unsigned char buffer[ROOM];
	const unsigned int patience = (e->session.stream ? STALL_S * 1000 : 250) / SILENCE_MS;
	unsigned int silences = 0;
	bool same = true;
	ssize_t n;

	while ((again || x->have < x->length) && silences < patience) {
		n = get(e, pipes, buffer, e->session.stream ? x->length - x->have : sizeof(buffer));
		silences = n < 0 ? silences + 1 : 0;
		if (!n && e->session.stream)
			fail("the stream ended");
		/* A late hello: the first piece does not begin so. */
		if (n <= 0 || (first && !e->session.stream && n == 1 && *buffer == 'h' && payload_word(0) % 256 != 'h'))
			continue;
		if (!e->session.stream) {
			same = put(e, buffer, n, x) && same;
			continue;
		}
		same = payload_same(buffer, n, x->position + x->have) && same;
		x->have += n;
	}
	return same;
}

void verify_peer(struct end *e)
{
	static struct expected x;
	bool first = true;
	int pipes[2];

	if (pipe2(pipes, O_CLOEXEC))
		fail("pipe: %s", strerror(errno));
	for (;;) {
		json_t *message = control_expect(e->control, "expect", e->request.timeout);
		bool same, again = json_is_true(json_object_get(message, "again"));

		/* What came the time before stays. */
		if (!again)
			memset(&x, 0, sizeof(x));
		x.length = json_integer_value(json_object_get(message, "expect"));
		x.position = json_integer_value(json_object_get(message, "position"));
		json_decref(message);
		if (!x.length)
			break;
		if (x.length > MOST_PIECE)
			fail("a piece of %u bytes", x.length);
		same = receive_piece(e, pipes, &x, first, again);
		first = false;
		control_send(e->control, json_pack("{s:i, s:b}", "got", (int)x.have, "same", same));
	}
	close(pipes[0]);
	close(pipes[1]);
}
