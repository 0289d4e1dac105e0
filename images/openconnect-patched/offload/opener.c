/* SPDX-License-Identifier: MIT */
#include "opener.h"

#include "bytes.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* GnuTLS takes no number that is more than this below the one it expects next (lib/dtls-sw.c). */
#define GNUTLS_WINDOW 65

void opener_free(struct opener *o)
{
	record_keys_free(&o->keys);
	memset(o, 0, sizeof(*o));
}

bool opener_took(const struct opener *o)
{
	return o->keys.set && o->next > o->floor;
}

uint64_t opener_next(const struct opener *o)
{
	return (uint64_t)o->epoch << 48 | o->next;
}

void opener_resume(struct opener *o, uint64_t next)
{
	/* It never goes back: what was taken stays taken. */
	if (next <= opener_next(o))
		return;
	o->next = next & RECORD_SEQUENCE_MAX;
	memset(o->seen, 0xff, sizeof(o->seen));
	if (o->next % 64)
		o->seen[o->next / 64 % OPENER_WORDS] = (1ULL << o->next % 64) - 1;
}

void opener_close(struct opener *o)
{
	o->closed = true;
}

/* GnuTLS is given what a datagram begins with: it may take it. */
static void show(struct opener *o, const uint8_t *datagram)
{
	uint64_t number = get64(datagram + 3);

	if (number >= o->shown)
		o->shown = number + 1;
}

/*
 * The least number of the epoch that GnuTLS cannot have taken, where it took `last` last. That need not be the highest one,
 * but it was in the window below what followed the highest one. Nor has GnuTLS taken what it was never given; but what it
 * was given can be forged.
 */
static uint64_t untouched(const struct opener *o, uint64_t last)
{
	uint64_t far = last + GNUTLS_WINDOW;

	if (o->shown > last && o->shown < far)
		return o->shown & RECORD_SEQUENCE_MAX;
	return far & RECORD_SEQUENCE_MAX;
}

void opener_update(struct opener *o, gnutls_session_t session)
{
	gnutls_datum_t iv, key;
	uint8_t number[RECORD_NUMBER];
	uint64_t last;

	if (gnutls_record_get_state(session, 1, NULL, &iv, &key, number) < 0)
		return;
	/* One more than the number that was taken last, with the epoch: 0 until something was received in it. */
	last = get64(number) - 1;
	if (!(get64(number) >> 48) || (last >> 48 == o->epoch && record_keys_are(&o->keys, &key, &iv)))
		return;
	if (!record_keys_set(&o->keys, session, &key, &iv))
		return;
	o->epoch = last >> 48;
	o->floor = untouched(o, last);
	o->next = o->floor;
	memset(o->seen, 0, sizeof(o->seen));
}

/* Was the number taken, or is it too old to tell? Looked up before a forger makes us decrypt. */
static bool taken(const struct opener *o, uint64_t sequence)
{
	if (sequence >= o->next)
		return false;
	return o->next - sequence > OPENER_WINDOW || o->seen[sequence / 64 % OPENER_WORDS] >> sequence % 64 & 1;
}

/* Only of authentic records: what a forger sends must not move the window. */
static void take(struct opener *o, uint64_t sequence)
{
	uint64_t word = sequence / 64, top = (o->next - 1) / 64;

	if (sequence >= o->next) {
		/* Words that the window moves into have what is one turn of the ring older. */
		for (unsigned int i = 1; i <= word - top && i <= OPENER_WORDS; i++)
			o->seen[(top + i) % OPENER_WORDS] = 0;
		o->next = sequence + 1;
	}
	o->seen[word % OPENER_WORDS] |= 1ULL << sequence % 64;
}

/* Whose is the first record? `*size` becomes its bytes. */
static enum opener_answer whose(const struct opener *o, const uint8_t *datagram, size_t *size)
{
	uint64_t number;
	size_t total;

	/* GnuTLS would look for what is missing in the next datagram. */
	if (*size < RECORD_HEADER)
		return OPENER_DROPS;
	total = RECORD_HEADER + get16(datagram + 11);
	if (total > *size)
		return OPENER_DROPS;
	*size = total;
	number = get64(datagram + 3);
	if (!o->keys.set || datagram[0] != RECORD_APPLICATION_DATA || number >> 48 != o->epoch ||
	    (number & RECORD_SEQUENCE_MAX) < o->floor)
		return OPENER_LEAVES;
	return OPENER_OPENED;
}

size_t opener_leaves(struct opener *o, const uint8_t *datagram, size_t size)
{
	if (whose(o, datagram, &size) != OPENER_LEAVES)
		return 0;
	show(o, datagram);
	return size;
}

/* Decrypt a record, whose header is in order, in its place. */
static bool decrypted(struct opener *o, uint8_t *record, size_t size, uint8_t **data, size_t *length)
{
	uint8_t nonce[RECORD_NONCE], additional[RECORD_HEADER];
	size_t explicit = record_explicit(&o->keys), sealed, plain;

	if (size < RECORD_HEADER + explicit + o->keys.tag)
		return false;
	sealed = size - RECORD_HEADER - explicit;
	plain = sealed - o->keys.tag;
	if (plain > RECORD_PLAIN_MAX)
		return false;
	*length = plain;
	*data = record + RECORD_HEADER + explicit;
	record_inputs(&o->keys, record, plain, nonce, additional);
	return gnutls_aead_cipher_decrypt(o->keys.cipher, nonce, sizeof(nonce), additional, sizeof(additional), o->keys.tag,
					  *data, sealed, *data, &plain) >= 0 &&
	       plain == *length;
}

enum opener_answer opener_open(struct opener *o, uint8_t *datagram, size_t *size, uint8_t **data, size_t *length)
{
	enum opener_answer answer = whose(o, datagram, size);
	uint64_t sequence;

	if (answer != OPENER_OPENED)
		return answer;
	sequence = get64(datagram + 3) & RECORD_SEQUENCE_MAX;
	if (o->closed || get16(datagram + 1) != RECORD_VERSION || taken(o, sequence) ||
	    !decrypted(o, datagram, *size, data, length))
		return OPENER_DROPS;
	take(o, sequence);
	return *length ? OPENER_OPENED : OPENER_DROPS;
}

size_t opener_take(struct opener *o, gnutls_session_t session, struct train *t, int fd, uint8_t **data)
{
	size_t size, length;
	enum opener_answer answer;
	uint8_t *front;

	o->error = 0;
	if (!t->in) /* GnuTLS has had no memory for trains, or not asked yet */
		return 0;
	if (!train_waits(t)) {
		if (!train_receive(t, fd)) {
			o->error = errno;
			return 0;
		}
		opener_update(o, session);
	}
	while ((front = train_front(t, &size))) {
		answer = opener_open(o, front, &size, data, &length);
		if (answer == OPENER_LEAVES)
			return 0;
		train_took(t, size);
		if (answer == OPENER_OPENED)
			return length;
	}
	o->error = EAGAIN; /* GnuTLS's next call would pass over what is ours */
	return 0;
}

ssize_t opener_pull(struct opener *o, struct train *t, int fd, void *data, size_t size)
{
	const uint8_t *front;
	size_t left;
	enum opener_answer answer;

	if (o->error) {
		errno = o->error;
		o->error = 0;
		return -1;
	}
	if (!train_waits(t) && !train_receive(t, fd)) {
		if (t->in)
			return -1;
		o->shown = UINT64_MAX;
		return recv(fd, data, size, 0); /* no memory: no trains, and nothing for opener_take */
	}
	while ((front = train_front(t, &left))) {
		answer = whose(o, front, &left);
		if (answer == OPENER_LEAVES && left <= size) {
			show(o, front);
			memcpy(data, front, left);
			train_took(t, left);
			return left;
		}
		train_took(t, left);
	}
	errno = EAGAIN;
	return -1;
}
