// SPDX-License-Identifier: GPL-2.0-only
/* Keys are checked, then set: every wrong one has its errno here. */
#include "af_ktls.h"

/* How many bytes of a nonce are fixed: in TLS 1.3 all of the write IV, for all ciphers. */
static size_t af_ktls_salt(const struct af_ktls_cipher *cipher, u16 version)
{
	return version == KTLS_TLS_1_3 ? KTLS_MAX_SALT : cipher->salt;
}

static bool af_ktls_zero(const u8 *p, size_t from, size_t size)
{
	return from == size || !memchr_inv(p + from, 0, size - from);
}

/* What can be told of a key before anything is changed. */
static int af_ktls_key_check(const struct af_ktls_sock *ks, int direction,
			     const struct ktls_key *key)
{
	const struct crypto_aead *aead = direction == KTLS_TX_KEY ? ks->tx.aead : ks->rx.aead;

	if (!ks->lower || ks->detached)
		return -ENOTCONN;
	if (aead || test_bit(direction, &ks->keyed))
		return -EALREADY;
	if (key->reserved || !af_ktls_zero(key->key, ks->cipher->key, KTLS_MAX_KEY))
		return -EINVAL;
	if (!af_ktls_zero(key->salt, af_ktls_salt(ks->cipher, ks->version), KTLS_MAX_SALT))
		return -EINVAL;
	/* Epoch 0 has no key. */
	if (ks->version == KTLS_DTLS_1_2 && !af_ktls_epoch(key->seq))
		return -EINVAL;
	return 0;
}

/*
 * First what receives, so that nothing has been sent yet if that fails; what can be told was told
 * before.
 */
static int af_ktls_stream_keys_set(struct af_ktls_sock *ks, const struct ktls_key *tx,
				   const struct ktls_key *rx)
{
	int err = 0;

	if (rx)
		err = af_ktls_stream_key(ks, KTLS_RX_KEY, rx);
	if (!err && tx)
		err = af_ktls_stream_key(ks, KTLS_TX_KEY, tx);
	return err;
}

/* Both or neither: both are made ready before either is seen. */
static int af_ktls_dgram_keys_set(struct af_ktls_sock *ks, const struct ktls_key *tx,
				  const struct ktls_key *rx)
{
	struct af_ktls_direction send = {}, receive = {};
	int err = 0;

	if (tx)
		err = af_ktls_direction_init(&send, ks->cipher, tx, true);
	if (!err && rx)
		err = af_ktls_direction_init(&receive, ks->cipher, rx, false);
	if (err) {
		af_ktls_direction_clear(&send);
		return err;
	}
	/* Published last: whoever sees the key sees what belongs to it. */
	if (tx) {
		atomic64_set(&ks->tx_next, tx->seq & AF_KTLS_SEQ_MAX);
		memcpy(ks->tx.salt, send.salt, sizeof(send.salt));
		ks->tx.epoch = send.epoch;
		ks->tx.sealer = send.sealer;
		/* Pairs with af_ktls_may_send(). */
		smp_store_release(&ks->tx.aead, send.aead);
	}
	if (rx) {
		memcpy(ks->rx.salt, receive.salt, sizeof(receive.salt));
		ks->rx.epoch = receive.epoch;
		/* Pairs with af_ktls_dgram_receive(). */
		smp_store_release(&ks->rx.aead, receive.aead);
		af_ktls_dtls_hold(ks, rx->seq);
	}
	memzero_explicit(&send, sizeof(send));
	memzero_explicit(&receive, sizeof(receive));
	return 0;
}

/**
 * af_ktls_keys_set - set one key, or both or neither
 * @sock: our socket, locked
 * @tx: the key to send with, or NULL
 * @rx: the key to receive with, or NULL
 */
int af_ktls_keys_set(struct socket *sock, const struct ktls_key *tx, const struct ktls_key *rx)
{
	struct af_ktls_sock *ks = af_ktls_sk(sock->sk);
	int err = 0;

	if (tx)
		err = af_ktls_key_check(ks, KTLS_TX_KEY, tx);
	if (!err && rx)
		err = af_ktls_key_check(ks, KTLS_RX_KEY, rx);
	if (err)
		return err;
	return sock->type == SOCK_STREAM ? af_ktls_stream_keys_set(ks, tx, rx) :
					   af_ktls_dgram_keys_set(ks, tx, rx);
}
