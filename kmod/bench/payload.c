// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is sent: 8-byte words, each a number made unlike its neighbours by a function that can be turned round. So a
 * receiver knows from any 8 bytes where in the stream of all payloads they belong, at the price of a
 * multiplication. A record's first word is its place; on the timed path only that is written and looked at, the
 * rest is whatever the buffer had.
 */
#include <string.h>
#include <time.h>

#include "bench.h"

#define FACTOR	0x9e3779b97f4a7c15u	/* odd, hence with an inverse modulo 2^64 */
#define INVERSE	0xf1de83e19937733du

uint64_t payload_word(uint64_t index)
{
	index *= FACTOR;
	return index ^ index >> 32;
}

static uint64_t index_of(uint64_t word)
{
	word ^= word >> 32;
	return word * INVERSE;
}

/* The stream's bytes from `position` on. */
void payload_fill(void *buffer, size_t length, uint64_t position)
{
	unsigned char *to = buffer;

	while (length) {
		uint64_t word = payload_word(position / 8);
		size_t skip = position % 8, part = 8 - skip < length ? 8 - skip : length;

		memcpy(to, (char *)&word + skip, part);
		to += part;
		position += part;
		length -= part;
	}
}

bool payload_same(const void *buffer, size_t length, uint64_t position)
{
	unsigned char wanted[4096];
	const unsigned char *from = buffer;

	while (length) {
		size_t part = length < sizeof(wanted) ? length : sizeof(wanted);

		payload_fill(wanted, part, position);
		if (memcmp(from, wanted, part))
			return false;
		from += part;
		position += part;
		length -= part;
	}
	return true;
}

static uint64_t place(const unsigned char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return index_of(word);
}

/*
 * Where in the piece of `whole` bytes from `position` on these bytes belong, as an offset; -1 if nowhere. Datagrams
 * come in any order, and are cut at any byte.
 */
ssize_t payload_find(const unsigned char *buffer, size_t length, uint64_t position, size_t whole)
{
	if (length > whole)
		return -1;
	for (size_t skip = 0; skip < 8 && skip + 8 <= length; skip++) {
		uint64_t at = place(buffer + skip) * 8 - skip;

		if (at >= position && at + length <= position + whole && payload_same(buffer, length, at))
			return at - position;
	}
	/* Too short to tell of itself: the piece's end, or its beginning. */
	if (payload_same(buffer, length, position + whole - length))
		return whole - length;
	return payload_same(buffer, length, position) ? 0 : -1;
}

static uint64_t words(unsigned int payload)
{
	return (payload + 7) / 8;
}

void payload_stamp(void *buffer, uint64_t record, unsigned int payload)
{
	uint64_t word = payload_word(record * words(payload));

	memcpy(buffer, &word, sizeof(word));
}

/*
 * Looks at what came. Of a datagram: does it belong to the run at all? A file's records may have been cut anywhere,
 * others begin with a record. Of a stream: is every record's beginning where it should be? Those that lie across
 * two receives are passed over. Returns how many bytes count.
 */
static unsigned int checked(struct check *k, const unsigned char *buffer, size_t length)
{
	const unsigned int payload = k->request->payload;
	const uint64_t step = words(payload);
	uint64_t record, at;

	if (!k->stream) {
		if (length == 1) /* a late hello */
			return 0;
		at = length < 8 ? UINT64_MAX : place(buffer);
		if (at >> 48 || (k->request->scenario != FILE_TRANSFER && at % step))
			k->wrong++;
		return length;
	}
	record = (k->position + payload - 1) / payload;
	for (at = record * payload - k->position; at + 8 <= length; at += payload)
		if (place(buffer + at) != record++ * step)
			k->wrong++;
	k->position += length;
	return length;
}

/* One receive has brought something. Only this is done for a record on the timed path. */
void load_took(struct load *l, struct check *k, const unsigned char *buffer, size_t length)
{
	unsigned int counts = checked(k, buffer, length);

	l->calls++;
	l->bytes += counts;
	l->records += !!counts;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &l->last);
}
