/* SPDX-License-Identifier: MIT */
#include "record.h"

#include "bytes.h"

#include <string.h>

void record_keys_free(struct record_keys *k)
{
	if (k->set)
		gnutls_aead_cipher_deinit(k->cipher);
	gnutls_memset(k, 0, sizeof(*k));
}

bool record_keys_set(struct record_keys *k, gnutls_session_t session, const gnutls_datum_t *key, const gnutls_datum_t *iv)
{
	gnutls_cipher_algorithm_t algorithm = gnutls_cipher_get(session);

	record_keys_free(k);
	if (gnutls_protocol_get_version(session) != GNUTLS_DTLS1_2 || gnutls_mac_get(session) != GNUTLS_MAC_AEAD)
		return false;
	/* AES-GCM and AES-CCM send the rest of the nonce with each record; ChaCha20-Poly1305 has all of it from the keys. */
	k->salt = algorithm == GNUTLS_CIPHER_CHACHA20_POLY1305 ? RECORD_NONCE : RECORD_NONCE - RECORD_NUMBER;
	if (iv->size < k->salt || key->size > sizeof(k->key) || gnutls_aead_cipher_init(&k->cipher, algorithm, key) < 0)
		return false;
	memcpy(k->iv, iv->data, k->salt);
	memcpy(k->key, key->data, key->size);
	k->key_size = key->size;
	k->tag = gnutls_cipher_get_tag_size(algorithm);
	k->set = true;
	return true;
}

bool record_keys_are(const struct record_keys *k, const gnutls_datum_t *key, const gnutls_datum_t *iv)
{
	return k->set && key->size == k->key_size && !gnutls_memcmp(key->data, k->key, key->size) && iv->size >= k->salt &&
	       !gnutls_memcmp(iv->data, k->iv, k->salt);
}

size_t record_explicit(const struct record_keys *k)
{
	return k->salt < RECORD_NONCE ? RECORD_NUMBER : 0;
}

void record_inputs(const struct record_keys *k, const uint8_t *record, size_t size, uint8_t nonce[RECORD_NONCE],
		   uint8_t additional[RECORD_HEADER])
{
	memcpy(additional, record + 3, RECORD_NUMBER);
	memcpy(additional + RECORD_NUMBER, record, 3);
	put16(additional + 11, size);

	memcpy(nonce, k->iv, RECORD_NONCE);
	if (record_explicit(k)) {
		memcpy(nonce + k->salt, record + RECORD_HEADER, RECORD_NUMBER);
		return;
	}
	for (unsigned int i = 0; i < RECORD_NUMBER; i++)
		nonce[RECORD_NONCE - RECORD_NUMBER + i] ^= record[3 + i];
}
