/* SPDX-License-Identifier: MIT */
#include "sealer.h"

#include <string.h>

#define HEADER 13           /* bytes of a record's header */
#define APPLICATION_DATA 23 /* its type */
#define NONCE 12
#define NUMBER 8                       /* bytes of epoch and sequence number */
#define LAST_NUMBER 0xffffffffffffULL /* of an epoch */

static void put64(uint8_t *at, uint64_t value)
{
	for (int i = 7; i >= 0; i--, value >>= 8)
		at[i] = value;
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < 8; i++)
		value = value << 8 | at[i];
	return value;
}

static void put16(uint8_t *at, size_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

void sealer_free(struct sealer *s)
{
	if (s->keyed)
		gnutls_aead_cipher_deinit(s->cipher);
	gnutls_memset(s, 0, sizeof(*s));
}

/* Take the keys that the session sends with. */
static bool keyed(struct sealer *s, gnutls_session_t session, const gnutls_datum_t *key, const gnutls_datum_t *iv)
{
	gnutls_cipher_algorithm_t algorithm = gnutls_cipher_get(session);

	sealer_free(s);
	if (gnutls_protocol_get_version(session) != GNUTLS_DTLS1_2 || gnutls_mac_get(session) != GNUTLS_MAC_AEAD)
		return false;
	/* AES-GCM and AES-CCM send the rest of the nonce with each record; ChaCha20-Poly1305 has all of it from the keys. */
	s->salt = algorithm == GNUTLS_CIPHER_CHACHA20_POLY1305 ? NONCE : NONCE - NUMBER;
	if (iv->size < s->salt || key->size > sizeof(s->key) || gnutls_aead_cipher_init(&s->cipher, algorithm, key) < 0)
		return false;
	memcpy(s->iv, iv->data, s->salt);
	memcpy(s->key, key->data, key->size);
	s->key_size = key->size;
	s->tag = gnutls_cipher_get_tag_size(algorithm);
	s->keyed = true;
	return true;
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
	uint8_t number[NUMBER];
	uint64_t next;

	if (!GNUTLS_RECORD_SET_STATE_KEEPS_WINDOW || gnutls_record_get_state(session, 0, NULL, &iv, &key, number) < 0)
		return false;
	next = get64(number);
	if (!(next >> 48)) /* epoch 0 has no keys */
		return false;
	if (!s->keyed || key.size != s->key_size || gnutls_memcmp(key.data, s->key, key.size) ||
	    iv.size < s->salt || gnutls_memcmp(iv.data, s->iv, s->salt)) {
		if (!keyed(s, session, &key, &iv))
			return false;
	}
	s->session = session;
	s->first = s->next = next;
	return true;
}

size_t sealer_size(const struct sealer *s, size_t size)
{
	return HEADER + (s->salt < NONCE ? NUMBER : 0) + size + s->tag;
}

bool sealer_seal(struct sealer *s, uint8_t *to, const void *data, size_t size)
{
	uint8_t nonce[NONCE], additional[HEADER];
	size_t total = sealer_size(s, size), sealed = size + s->tag, explicit = total - HEADER - sealed;

	if (!s->session || (s->next & LAST_NUMBER) == LAST_NUMBER)
		return false;
	to[0] = APPLICATION_DATA;
	put16(to + 1, 0xfefd);
	put64(to + 3, s->next);
	put16(to + 11, total - HEADER);

	memcpy(additional, to + 3, NUMBER);
	memcpy(additional + NUMBER, to, 3);
	put16(additional + 11, size);

	memcpy(nonce, s->iv, NONCE);
	if (explicit) {
		memcpy(to + HEADER, to + 3, NUMBER);
		memcpy(nonce + s->salt, to + 3, NUMBER);
	} else {
		for (unsigned int i = 0; i < NUMBER; i++)
			nonce[NONCE - NUMBER + i] ^= to[3 + i];
	}
	if (gnutls_aead_cipher_encrypt(s->cipher, nonce, NONCE, additional, sizeof(additional), s->tag, data, size,
				       to + HEADER + explicit, &sealed) < 0 ||
	    sealed != size + s->tag)
		return false;
	s->next++;
	return true;
}

bool sealer_end(struct sealer *s)
{
	gnutls_session_t session = s->session;
	uint8_t number[NUMBER];

	s->session = NULL;
	if (!session || s->next == s->first)
		return true;
	put64(number, s->next);
	return gnutls_record_set_state(session, 0, number) >= 0;
}
