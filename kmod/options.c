// SPDX-License-Identifier: GPL-2.0-only
/* Options: set and got. */
#include <linux/sockptr.h>

#include "tunnel.h"

static int af_ktls_record_size_set(struct socket *sock, u32 size)
{
	struct af_ktls_sock *ks = af_ktls_sk(sock->sk);
	int err = 0;

	if (!size || size > KTLS_MAX_PAYLOAD)
		return -EINVAL;
	if (sock->type == SOCK_STREAM && ks->lower)
		err = af_ktls_stream_record_size(ks, ks->lower, size);
	if (!err)
		WRITE_ONCE(ks->record_size, size);
	return err;
}

static int af_ktls_enable(struct socket *sock, u64 floor)
{
	struct af_ktls_sock *ks = af_ktls_sk(sock->sk);

	if (sock->type == SOCK_STREAM)
		return -EOPNOTSUPP; /* a stream begins with its key */
	if (!ks->lower || ks->detached)
		return -ENOTCONN;
	return af_ktls_dtls_enable(ks, floor);
}

static size_t af_ktls_option_size(int name)
{
	switch (name) {
	case KTLS_ATTACH:	return sizeof(struct ktls_attach);
	case KTLS_TX_KEY:
	case KTLS_RX_KEY:	return sizeof(struct ktls_key);
	case KTLS_KEYS:		return sizeof(struct ktls_keys);
	case KTLS_RX_ENABLE:	return sizeof(u64);
	case KTLS_RECORD_SIZE:	return sizeof(u32);
	case KTLS_TUNNEL:	return sizeof(struct ktls_tunnel);
	default:		return 0;
	}
}

/**
 * af_ktls_setsockopt - set an option
 * @sock: our socket
 * @level: SOL_KTLS
 * @name: which
 * @value: what to
 * @length: its length, exactly
 */
int af_ktls_setsockopt(struct socket *sock, int level, int name, sockptr_t value,
		       unsigned int length)
{
	union {
		struct ktls_attach attach;
		struct ktls_keys keys;
		struct ktls_key key;
		struct ktls_tunnel tunnel;
		u64 floor;
		u32 size;
	} option;
	int err = -EFAULT;

	/* What it would reserve is counted under another lock than ours. */
	if (level == SOL_SOCKET && name == SO_RESERVE_MEM)
		return -EOPNOTSUPP;
	if (level == SOL_SOCKET)
		return sock_setsockopt(sock, level, name, value, length);
	if (level != SOL_KTLS || name < KTLS_ATTACH || name > KTLS_TUNNEL ||
	    name == KTLS_SEQUENCES || name == KTLS_STATS || name == KTLS_INFO)
		return -ENOPROTOOPT;
	if (length != af_ktls_option_size(name))
		return -EINVAL;
	if (copy_from_sockptr(&option, value, length))
		goto wipe; /* a part of it may have come */
	lock_sock(sock->sk);
	switch (name) {
	case KTLS_ATTACH:
		err = af_ktls_attach(sock, &option.attach);
		break;
	case KTLS_TX_KEY:
		err = af_ktls_keys_set(sock, &option.key, NULL);
		break;
	case KTLS_RX_KEY:
		err = af_ktls_keys_set(sock, NULL, &option.key);
		break;
	case KTLS_KEYS:
		err = af_ktls_keys_set(sock, &option.keys.tx, &option.keys.rx);
		break;
	case KTLS_RX_ENABLE:
		err = af_ktls_enable(sock, option.floor);
		break;
	case KTLS_DETACH:
		err = af_ktls_detach(sock);
		break;
	case KTLS_TUNNEL:
		err = sock->type == SOCK_DGRAM ?
			      af_ktls_tunnel_set(af_ktls_sk(sock->sk), &option.tunnel) :
			      -EOPNOTSUPP;
		break;
	default:
		err = af_ktls_record_size_set(sock, option.size);
		break;
	}
	release_sock(sock->sk);
	/* Nobody passes a record on any more who did not know of the key: af_ktls_dtls_hold(). */
	if (!err && sock->type == SOCK_DGRAM && (name == KTLS_RX_KEY || name == KTLS_KEYS))
		synchronize_rcu_expedited();
wipe:
	memzero_explicit(&option, sizeof(option));
	return err;
}

static int af_ktls_sequences(struct socket *sock, struct ktls_sequences *sequences)
{
	struct af_ktls_sock *ks = af_ktls_sk(sock->sk);

	if (sock->type == SOCK_STREAM)
		return -EOPNOTSUPP;
	if (!ks->tx.aead && !ks->rx.aead)
		return -ENOKEY;
	/* Of a direction without a key both parts are 0, and no epoch of a key is. */
	sequences->tx = ((u64)ks->tx.epoch << AF_KTLS_SEQ_BITS) + atomic64_read(&ks->tx_next);
	spin_lock_bh(&ks->rx_lock);
	sequences->rx = ((u64)ks->rx.epoch << AF_KTLS_SEQ_BITS) +
			(ks->floored ? ks->window.next : ks->rx_first);
	spin_unlock_bh(&ks->rx_lock);
	return 0;
}

static void af_ktls_driver(char *name, struct crypto_aead *aead)
{
	if (aead)
		strscpy(name, crypto_tfm_alg_driver_name(crypto_aead_tfm(aead)), KTLS_DRIVER_NAME);
}

static int af_ktls_info(struct socket *sock, struct ktls_info *info)
{
	struct af_ktls_sock *ks = af_ktls_sk(sock->sk);
	bool stream = sock->type == SOCK_STREAM;

	if (!ks->lower)
		return -ENOTCONN;
	memset(info, 0, sizeof(*info));
	info->version = ks->version;
	info->cipher = ks->cipher->id;
	info->record_size = ks->record_size;
	af_ktls_driver(info->tx_driver,
		       stream ? af_ktls_stream_aead(ks, KTLS_TX_KEY) : ks->tx.aead);
	af_ktls_driver(info->rx_driver,
		       stream ? af_ktls_stream_aead(ks, KTLS_RX_KEY) : ks->rx.aead);
	return 0;
}

/**
 * af_ktls_getsockopt - get an option; keys are not among them
 * @sock: our socket
 * @level: SOL_KTLS
 * @name: which
 * @value: where to
 * @length: room there; the option's length, or as much as fits, comes back
 */
int af_ktls_getsockopt(struct socket *sock, int level, int name, char __user *value,
		       int __user *length)
{
	struct af_ktls_sock *ks = af_ktls_sk(sock->sk);
	union {
		struct ktls_sequences sequences;
		struct ktls_stats stats;
		struct ktls_info info;
		u32 size;
	} option;
	int room, size, i, err = 0;

	if (level != SOL_KTLS)
		return -ENOPROTOOPT;
	if (get_user(room, length))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	lock_sock(sock->sk);
	switch (name) {
	case KTLS_SEQUENCES:
		size = sizeof(option.sequences);
		err = af_ktls_sequences(sock, &option.sequences);
		break;
	case KTLS_STATS:
		size = sizeof(option.stats);
		for (i = 0; i < ARRAY_SIZE(ks->stats); i++)
			((u64 *)&option.stats)[i] = atomic64_read(&ks->stats[i]);
		break;
	case KTLS_INFO:
		size = sizeof(option.info);
		err = af_ktls_info(sock, &option.info);
		break;
	case KTLS_RECORD_SIZE:
		size = sizeof(option.size);
		option.size = ks->record_size;
		break;
	default:
		err = -ENOPROTOOPT;
	}
	release_sock(sock->sk);
	if (err)
		return err;
	size = min(size, room);
	if (copy_to_user(value, &option, size) || put_user(size, length))
		return -EFAULT;
	return 0;
}
