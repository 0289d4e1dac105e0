// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's own TLS on a TCP socket: put there, and told its keys and its record size. */
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/tcp.h>
#include <linux/unaligned.h>
#include <net/tls.h>

#include "af_ktls.h"

static int af_ktls_lower_set(struct socket *lower, int level, int name, sockptr_t value,
			     unsigned int length)
{
	const struct proto_ops *ops = READ_ONCE(lower->ops);

	return ops->setsockopt(lower, level, name, value, length);
}

/*
 * The kernel's TLS wants its keys from user space: from kernel memory it takes them too, but Linux
 * 7 warns (a fortified memcpy() to what follows a struct's end). So they go through a page of the
 * caller, who brought them, and which lives as long as that.
 */
static int af_ktls_lower_set_key(struct socket *lower, int name, const void *value,
				 unsigned int length)
{
	unsigned long place;
	void __user *page;
	int err = -EFAULT;

	if (!current->mm)
		return -EFAULT;
	place = vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	if (IS_ERR_VALUE(place))
		return -ENOMEM;
	page = (void __user *)place;
	if (!copy_to_user(page, value, length))
		err = af_ktls_lower_set(lower, SOL_TLS, name, USER_SOCKPTR(page), length);
	if (clear_user(page, length))
		err = err ?: -EFAULT;
	vm_munmap(place, PAGE_SIZE);
	return err;
}

/**
 * af_ktls_stream_record_size - have the kernel's TLS keep to a record size by itself, where it can
 * @ks: our socket
 * @lower: the TCP socket, with the kernel's TLS
 * @size: the greatest payload of a record
 *
 * It alone can close a record and yet let TCP wait for what comes (MSG_MORE). Where it cannot be
 * told, records are closed here one by one, and each goes out as it is: Linux 6.12, and sizes under
 * 64 (RFC 8449). It also refuses while it holds a record that it has begun and found no room for,
 * which is as good as none.
 *
 * Return: 0, or -EBUSY while a record is open: what is sent next would go into it, and might make
 * it too long.
 */
int af_ktls_stream_record_size(struct af_ktls_sock *ks, struct socket *lower, u32 size)
{
	const struct tls_context *tls = tls_get_ctx(lower->sk);
	u16 most = size;

	if (tls && READ_ONCE(tls->pending_open_record_frags))
		return -EBUSY;
	if (!af_ktls_lower_set(lower, SOL_TLS, TLS_TX_MAX_PAYLOAD_LEN, KERNEL_SOCKPTR(&most),
			       sizeof(most)))
		WRITE_ONCE(ks->lower_size, size);
	return 0;
}

/**
 * af_ktls_stream_attach - put the kernel's TLS on a TCP socket
 * @ks: our socket
 * @lower: the TCP socket
 *
 * Return: 0, -ENOTCONN, -EBUSY when it has an upper layer protocol, -EPROTONOSUPPORT when this
 * kernel has no TLS.
 */
int af_ktls_stream_attach(struct af_ktls_sock *ks, struct socket *lower)
{
	char name[] = "tls";
	int err = af_ktls_lower_set(lower, SOL_TCP, TCP_ULP, KERNEL_SOCKPTR(name), sizeof(name));

	switch (err) {
	case 0:		return af_ktls_stream_record_size(ks, lower, ks->record_size);
	case -EEXIST:	return -EBUSY;
	case -ENOENT:	return -EPROTONOSUPPORT;
	default:	return err;
	}
}

/**
 * af_ktls_stream_key - tell the kernel's TLS the key of one direction
 * @ks: our socket, attached
 * @direction: KTLS_TX_KEY or KTLS_RX_KEY
 * @key: key, salt and sequence number
 *
 * It keeps the nonce as salt (4) and IV (8), or as IV (12) for ChaCha20.
 */
int af_ktls_stream_key(struct af_ktls_sock *ks, int direction, const struct ktls_key *key)
{
	union {
		struct tls_crypto_info info;
		struct tls12_crypto_info_aes_gcm_128 gcm128;
		struct tls12_crypto_info_aes_gcm_256 gcm256;
		struct tls12_crypto_info_chacha20_poly1305 chacha;
	} crypto = { .info.version = ks->version };
	bool tls13 = ks->version == KTLS_TLS_1_3;
	unsigned int size;
	u8 seq[8];
	int err;

	put_unaligned_be64(key->seq, seq);
	switch (ks->cipher->id) {
	case KTLS_AES_GCM_128:
		size = sizeof(crypto.gcm128);
		crypto.info.cipher_type = TLS_CIPHER_AES_GCM_128;
		memcpy(crypto.gcm128.key, key->key, sizeof(crypto.gcm128.key));
		memcpy(crypto.gcm128.salt, key->salt, sizeof(crypto.gcm128.salt));
		memcpy(crypto.gcm128.iv, tls13 ? key->salt + 4 : seq, sizeof(crypto.gcm128.iv));
		memcpy(crypto.gcm128.rec_seq, seq, sizeof(seq));
		break;
	case KTLS_AES_GCM_256:
		size = sizeof(crypto.gcm256);
		crypto.info.cipher_type = TLS_CIPHER_AES_GCM_256;
		memcpy(crypto.gcm256.key, key->key, sizeof(crypto.gcm256.key));
		memcpy(crypto.gcm256.salt, key->salt, sizeof(crypto.gcm256.salt));
		memcpy(crypto.gcm256.iv, tls13 ? key->salt + 4 : seq, sizeof(crypto.gcm256.iv));
		memcpy(crypto.gcm256.rec_seq, seq, sizeof(seq));
		break;
	default:
		size = sizeof(crypto.chacha);
		crypto.info.cipher_type = TLS_CIPHER_CHACHA20_POLY1305;
		memcpy(crypto.chacha.key, key->key, sizeof(crypto.chacha.key));
		memcpy(crypto.chacha.iv, key->salt, sizeof(crypto.chacha.iv));
		memcpy(crypto.chacha.rec_seq, seq, sizeof(seq));
		break;
	}
	err = af_ktls_lower_set_key(ks->lower, direction == KTLS_TX_KEY ? TLS_TX : TLS_RX, &crypto,
				    size);
	memzero_explicit(&crypto, sizeof(crypto));
	if (!err)
		set_bit(direction, &ks->keyed); /* read by af_ktls_stream_lower() */
	/* Somebody has set it on the TCP socket itself. */
	return err == -EBUSY ? -EALREADY : err;
}

/**
 * af_ktls_stream_aead - the cipher of one direction
 * @ks: our socket, attached
 * @direction: KTLS_TX_KEY or KTLS_RX_KEY
 *
 * Return: the cipher, or NULL where there is none, or the network card encrypts.
 */
struct crypto_aead *af_ktls_stream_aead(struct af_ktls_sock *ks, int direction)
{
	const struct tls_context *tls = tls_get_ctx(ks->lower->sk);

	if (!test_bit(direction, &ks->keyed) || !tls)
		return NULL;
	if (direction == KTLS_TX_KEY)
		return tls->tx_conf == TLS_SW ? tls_sw_ctx_tx(tls)->aead_send : NULL;
	return tls->rx_conf == TLS_SW ? tls_sw_ctx_rx(tls)->aead_recv : NULL;
}
