// SPDX-License-Identifier: GPL-2.0
/* Options and control messages: every wrong argument and order has its errno here. */
#include <linux/file.h>
#include <linux/in.h>
#include <linux/sockptr.h>

#include "af_ktls.h"

static bool ktls_version_known(int type, u16 version)
{
	if (type == SOCK_DGRAM)
		return version == KTLS_DTLS_1_2;
	return version == KTLS_TLS_1_2 || version == KTLS_TLS_1_3;
}

static int ktls_lower_check(const struct socket *sock, const struct socket *lower)
{
	const struct sock *sk = lower->sk;
	int protocol = sock->type == SOCK_DGRAM ? IPPROTO_UDP : IPPROTO_TCP;

	if (sk->sk_family != AF_INET && sk->sk_family != AF_INET6)
		return -EAFNOSUPPORT;
	if (lower->type != sock->type || sk->sk_protocol != protocol)
		return -EPROTOTYPE;
	return 0;
}

static int ktls_attach(struct socket *sock, const struct ktls_attach *attach)
{
	struct ktls_sock *ks = ktls_sk(sock->sk);
	const struct ktls_cipher *cipher = ktls_cipher_find(attach->cipher);
	struct socket *lower;
	int err;

	if (attach->flags || attach->reserved)
		return -EINVAL;
	if (ks->lower)
		return -EISCONN;
	if (!cipher || !ktls_version_known(sock->type, attach->version) || !ktls_cipher_present(cipher))
		return -EPROTONOSUPPORT;
	lower = sockfd_lookup(attach->fd, &err);
	if (!lower)
		return err;
	err = ktls_lower_check(sock, lower);
	if (!err)
		err = sock->type == SOCK_DGRAM ? ktls_lower_take(ks, lower) : ktls_stream_attach(ks, lower);
	if (err) {
		sockfd_put(lower);
		return err;
	}
	ks->cipher = cipher;
	ks->version = attach->version;
	smp_store_release(&ks->lower, lower); /* pairs with ktls_lower() */
	return 0;
}

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

static int ktls_keys_set(struct socket *sock, const struct ktls_key *tx, const struct ktls_key *rx)
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

static int ktls_detach(struct socket *sock)
{
	struct ktls_sock *ks = ktls_sk(sock->sk);
	int err;

	if (sock->type == SOCK_STREAM)
		return -EOPNOTSUPP; /* the kernel's TLS cannot be taken off a TCP socket */
	if (!ks->lower || ks->detached)
		return -ENOTCONN;
	/* A sender that has begun finishes first: then the sequence is final. */
	err = ktls_turn(ks, false);
	if (err)
		return err;
	ks->detached = true;
	ktls_turn_over(ks);
	ktls_lower_leave(ks);
	WRITE_ONCE(sock->sk->sk_shutdown, SHUTDOWN_MASK);
	sock->sk->sk_state_change(sock->sk);
	ktls_udp_wake(ks);
	return 0;
}

static int ktls_record_size_set(struct socket *sock, u32 size)
{
	struct ktls_sock *ks = ktls_sk(sock->sk);
	int err = 0;

	if (!size || size > KTLS_MAX_PAYLOAD)
		return -EINVAL;
	if (sock->type == SOCK_STREAM && ks->lower)
		err = ktls_stream_record_size(ks, ks->lower, size);
	if (!err)
		WRITE_ONCE(ks->record_size, size);
	return err;
}

static int ktls_enable(struct socket *sock, u64 floor)
{
	struct ktls_sock *ks = ktls_sk(sock->sk);

	if (sock->type == SOCK_STREAM)
		return -EOPNOTSUPP; /* a stream begins with its key */
	if (!ks->lower || ks->detached)
		return -ENOTCONN;
	return ktls_dtls_enable(ks, floor);
}

static size_t ktls_option_size(int name)
{
	switch (name) {
	case KTLS_ATTACH:	return sizeof(struct ktls_attach);
	case KTLS_TX_KEY:
	case KTLS_RX_KEY:	return sizeof(struct ktls_key);
	case KTLS_KEYS:		return sizeof(struct ktls_keys);
	case KTLS_RX_ENABLE:	return sizeof(u64);
	case KTLS_RECORD_SIZE:	return sizeof(u32);
	default:		return 0;
	}
}

/**
 * ktls_setsockopt - set an option
 * @sock: our socket
 * @level: SOL_KTLS
 * @name: which
 * @value: what to
 * @length: its length, exactly
 */
int ktls_setsockopt(struct socket *sock, int level, int name, sockptr_t value, unsigned int length)
{
	union {
		struct ktls_attach attach;
		struct ktls_keys keys;
		struct ktls_key key;
		u64 floor;
		u32 size;
	} option;
	int err = -EFAULT;

	/* What it would reserve is counted under another lock than ours. */
	if (level == SOL_SOCKET && name == SO_RESERVE_MEM)
		return -EOPNOTSUPP;
	if (level == SOL_SOCKET)
		return sock_setsockopt(sock, level, name, value, length);
	if (level != SOL_KTLS || name < KTLS_ATTACH || name > KTLS_RECORD_SIZE || name == KTLS_SEQUENCES)
		return -ENOPROTOOPT;
	if (length != ktls_option_size(name))
		return -EINVAL;
	if (copy_from_sockptr(&option, value, length))
		goto wipe; /* a part of it may have come */
	lock_sock(sock->sk);
	switch (name) {
	case KTLS_ATTACH:
		err = ktls_attach(sock, &option.attach);
		break;
	case KTLS_TX_KEY:
		err = ktls_keys_set(sock, &option.key, NULL);
		break;
	case KTLS_RX_KEY:
		err = ktls_keys_set(sock, NULL, &option.key);
		break;
	case KTLS_KEYS:
		err = ktls_keys_set(sock, &option.keys.tx, &option.keys.rx);
		break;
	case KTLS_RX_ENABLE:
		err = ktls_enable(sock, option.floor);
		break;
	case KTLS_DETACH:
		err = ktls_detach(sock);
		break;
	default:
		err = ktls_record_size_set(sock, option.size);
		break;
	}
	release_sock(sock->sk);
	/* Nobody passes a record on any more who did not know of the key: see ktls_dtls_hold(). */
	if (!err && sock->type == SOCK_DGRAM && (name == KTLS_RX_KEY || name == KTLS_KEYS))
		synchronize_rcu_expedited();
wipe:
	memzero_explicit(&option, sizeof(option));
	return err;
}

static int ktls_sequences(struct socket *sock, struct ktls_sequences *sequences)
{
	struct ktls_sock *ks = ktls_sk(sock->sk);

	if (sock->type == SOCK_STREAM)
		return -EOPNOTSUPP;
	if (!ks->tx.aead && !ks->rx.aead)
		return -ENOKEY;
	/* Of a direction without a key both parts are 0, and no epoch of a key is. */
	sequences->tx = ((u64)ks->tx.epoch << KTLS_SEQ_BITS) + atomic64_read(&ks->tx_next);
	spin_lock_bh(&ks->rx_lock);
	sequences->rx = ((u64)ks->rx.epoch << KTLS_SEQ_BITS) +
			(ks->floored ? ks->window.next : ks->rx_first);
	spin_unlock_bh(&ks->rx_lock);
	return 0;
}

static void ktls_driver(char *name, struct crypto_aead *aead)
{
	if (aead)
		strscpy(name, crypto_tfm_alg_driver_name(crypto_aead_tfm(aead)), KTLS_DRIVER_NAME);
}

static int ktls_info(struct socket *sock, struct ktls_info *info)
{
	struct ktls_sock *ks = ktls_sk(sock->sk);
	bool stream = sock->type == SOCK_STREAM;

	if (!ks->lower)
		return -ENOTCONN;
	memset(info, 0, sizeof(*info));
	info->version = ks->version;
	info->cipher = ks->cipher->id;
	info->record_size = ks->record_size;
	ktls_driver(info->tx_driver, stream ? ktls_stream_aead(ks, KTLS_TX_KEY) : ks->tx.aead);
	ktls_driver(info->rx_driver, stream ? ktls_stream_aead(ks, KTLS_RX_KEY) : ks->rx.aead);
	return 0;
}

/**
 * ktls_getsockopt - get an option; keys are not among them
 * @sock: our socket
 * @level: SOL_KTLS
 * @name: which
 * @value: where to
 * @length: room there; the option's length, or as much as fits, comes back
 */
int ktls_getsockopt(struct socket *sock, int level, int name, char __user *value, int __user *length)
{
	struct ktls_sock *ks = ktls_sk(sock->sk);
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
		err = ktls_sequences(sock, &option.sequences);
		break;
	case KTLS_STATS:
		size = sizeof(option.stats);
		for (i = 0; i < ARRAY_SIZE(ks->stats); i++)
			((u64 *)&option.stats)[i] = atomic64_read(&ks->stats[i]);
		break;
	case KTLS_INFO:
		size = sizeof(option.info);
		err = ktls_info(sock, &option.info);
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

/**
 * ktls_type_room - what a content type takes of a reader's control messages
 * @msg: the message, which may be a 32-bit program's: a header of 12 bytes and one byte, to the next multiple of 4
 */
size_t ktls_type_room(const struct msghdr *msg)
{
	return msg->msg_flags & MSG_CMSG_COMPAT ? 16 : CMSG_SPACE(sizeof(u8));
}

/**
 * ktls_message_type - read the content type that a sender asks for
 * @msg: the message
 * @type: left alone if it asks for none
 *
 * Return: 0, or -EINVAL for anything but one byte that is a content type of DTLS.
 */
int ktls_message_type(struct msghdr *msg, u8 *type)
{
	struct cmsghdr *cmsg;

	for_each_cmsghdr(cmsg, msg) {
		if (!CMSG_OK(msg, cmsg) || cmsg->cmsg_level != SOL_KTLS || cmsg->cmsg_type != KTLS_RECORD_TYPE ||
		    cmsg->cmsg_len != CMSG_LEN(sizeof(*type)))
			return -EINVAL;
		*type = *(u8 *)CMSG_DATA(cmsg);
		if (*type < KTLS_TYPE_FIRST || *type > KTLS_TYPE_LAST)
			return -EINVAL;
	}
	return 0;
}
