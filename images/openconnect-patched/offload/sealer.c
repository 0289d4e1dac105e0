/* SPDX-License-Identifier: MIT */
#include "sealer.h"

#include "bytes.h"

#include <string.h>

void sealer_free(struct sealer *s)
{
	record_keys_free(&s->keys);
	s->session = NULL;
}

/*
 * gnutls_record_set_state() of a number to send forgets, until GnuTLS is patched, which records were received in the epoch:
 * each of them could be replayed after each train. A GnuTLS that keeps them says so in its header.
 */
#ifndef GNUTLS_RECORD_SET_STATE_KEEPS_WINDOW
#define GNUTLS_RECORD_SET_STATE_KEEPS_WINDOW 0
#endif

bool sealer_begin(struct sealer *s, gnutls_session_t session)
{
	gnutls_datum_t iv, key;
	uint8_t number[RECORD_NUMBER];
	uint64_t next;

	if (!GNUTLS_RECORD_SET_STATE_KEEPS_WINDOW || gnutls_record_get_state(session, 0, NULL, &iv, &key, number) < 0)
		return false;
	next = get64(number);
	if (!(next >> 48)) /* epoch 0 has no keys */
		return false;
	if (!record_keys_are(&s->keys, &key, &iv) && !record_keys_set(&s->keys, session, &key, &iv))
		return false;
	s->session = session;
	s->first = s->next = next;
	return true;
}

size_t sealer_size(const struct sealer *s, size_t size)
{
	return RECORD_HEADER + record_explicit(&s->keys) + size + s->keys.tag;
}

bool sealer_seal(struct sealer *s, uint8_t *to, const void *data, size_t size)
{
	uint8_t nonce[RECORD_NONCE], additional[RECORD_HEADER];
	size_t explicit = record_explicit(&s->keys), sealed = size + s->keys.tag;

	if (!s->session || (s->next & RECORD_SEQUENCE_MAX) == RECORD_SEQUENCE_MAX)
		return false;
	to[0] = RECORD_APPLICATION_DATA;
	put16(to + 1, RECORD_VERSION);
	put64(to + 3, s->next);
	put16(to + 11, explicit + sealed);
	memcpy(to + RECORD_HEADER, to + 3, explicit);
	record_inputs(&s->keys, to, size, nonce, additional);
	if (gnutls_aead_cipher_encrypt(s->keys.cipher, nonce, sizeof(nonce), additional, sizeof(additional), s->keys.tag, data,
				       size, to + RECORD_HEADER + explicit, &sealed) < 0 ||
	    sealed != size + s->keys.tag)
		return false;
	s->next++;
	return true;
}

bool sealer_end(struct sealer *s)
{
	gnutls_session_t session = s->session;
	uint8_t number[RECORD_NUMBER];

	s->session = NULL;
	if (!session || s->next == s->first)
		return true;
	put64(number, s->next);
	return gnutls_record_set_state(session, 0, number) >= 0;
}
