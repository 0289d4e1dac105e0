// SPDX-License-Identifier: GPL-2.0
/* Keys are checked, then set: every wrong one has its errno here. */
#include "af_ktls.h"

/* How many bytes of a nonce are fixed: in TLS 1.3 all of the write IV, for all ciphers. */
static size_t ktls_salt(const struct ktls_cipher *cipher, u16 version)
{
	return version == KTLS_TLS_1_3 ? KTLS_MAX_SALT : cipher->salt;
}

static bool ktls_zero(const u8 *p, size_t from, size_t size)
{
	return from == size || !memchr_inv(p + from, 0, size - from);
}

/* What can be told of a key before anything is changed. */
static int ktls_key_check(const struct ktls_sock *ks, int direction, const struct ktls_key *key)
{
	const struct crypto_aead *aead = direction == KTLS_TX_KEY ? ks->tx.aead : ks->rx.aead;

	if (!ks->lower || ks->detached)
		return -ENOTCONN;
	if (aead || test_bit(direction, &ks->keyed))
		return -EALREADY;
	if (key->reserved || !ktls_zero(key->key, ks->cipher->key, KTLS_MAX_KEY))
		return -EINVAL;
	if (!ktls_zero(key->salt, ktls_salt(ks->cipher, ks->version), KTLS_MAX_SALT))
		return -EINVAL;
	/* Epoch 0 has no key. */
	if (ks->version == KTLS_DTLS_1_2 && !ktls_epoch(key->seq))
		return -EINVAL;
	return 0;
}

/* First what receives, so that nothing has been sent yet if that fails; what can be told was told before. */
static int ktls_stream_keys_set(struct ktls_sock *ks, const struct ktls_key *tx, const struct ktls_key *rx)
{
	int err = 0;

	if (rx)
		err = ktls_stream_key(ks, KTLS_RX_KEY, rx);
	if (!err && tx)
		err = ktls_stream_key(ks, KTLS_TX_KEY, tx);
	return err;
}

/* Both or neither: both are made ready before either is seen. */
static int ktls_dgram_keys_set(struct ktls_sock *ks, const struct ktls_key *tx, const struct ktls_key *rx)
{
	struct ktls_direction send = {}, receive = {};
	int err = 0;

	if (tx)
		err = ktls_direction_init(&send, ks->cipher, tx, true);
	if (!err && rx)
		err = ktls_direction_init(&receive, ks->cipher, rx, false);
	if (err) {
		ktls_direction_clear(&send);
		return err;
	}
	/* Published last: whoever sees the key sees what belongs to it. */
	if (tx) {
		atomic64_set(&ks->tx_next, tx->seq & KTLS_SEQ_MAX);
		memcpy(ks->tx.salt, send.salt, sizeof(send.salt));
		ks->tx.epoch = send.epoch;
		ks->tx.sealer = send.sealer;
		smp_store_release(&ks->tx.aead, send.aead); /* pairs with ktls_dgram_sendmsg() */
	}
	if (rx) {
		memcpy(ks->rx.salt, receive.salt, sizeof(receive.salt));
		ks->rx.epoch = receive.epoch;
		smp_store_release(&ks->rx.aead, receive.aead); /* pairs with ktls_dgram_receive() */
		ktls_dtls_hold(ks, rx->seq);
	}
	memzero_explicit(&send, sizeof(send));
	memzero_explicit(&receive, sizeof(receive));
	return 0;
}

/**
 * ktls_keys_set - set one key, or both or neither
 * @sock: our socket, locked
 * @tx: the key to send with, or NULL
 * @rx: the key to receive with, or NULL
 */
int ktls_keys_set(struct socket *sock, const struct ktls_key *tx, const struct ktls_key *rx)
{
	struct ktls_sock *ks = ktls_sk(sock->sk);
	int err = 0;

	if (tx)
		err = ktls_key_check(ks, KTLS_TX_KEY, tx);
	if (!err && rx)
		err = ktls_key_check(ks, KTLS_RX_KEY, rx);
	if (err)
		return err;
	return sock->type == SOCK_STREAM ? ktls_stream_keys_set(ks, tx, rx) : ktls_dgram_keys_set(ks, tx, rx);
}
