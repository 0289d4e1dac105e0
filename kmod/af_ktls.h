/* SPDX-License-Identifier: GPL-2.0 */
/* What the module's files share. */
#ifndef KTLS_H
#define KTLS_H

#include <crypto/aead.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/refcount.h>
#include <linux/scatterlist.h>
#include <linux/skbuff.h>
#include <linux/workqueue.h>
#include <net/sock.h>

#include "compat.h"
#include "record.h"
#include "window.h"

/* A record in an skb: its linear part and pages; a file's pages that are not copied first. */
#define KTLS_MAX_RECORD		(KTLS_HEADER + KTLS_MAX_EXPLICIT + KTLS_MAX_PAYLOAD + KTLS_TAG)
#define KTLS_SEALED_PARTS	(1 + DIV_ROUND_UP(KTLS_MAX_RECORD, PAGE_SIZE))
#define KTLS_PLAIN_PARTS	17

/* What a sender works with while it holds `sending`: so a record takes no memory but its datagram. */
struct ktls_sealer {
	struct scatterlist plain[1 + KTLS_PLAIN_PARTS];
	struct scatterlist sealed[1 + KTLS_SEALED_PARTS];
	struct crypto_wait wait;
	u8 aad[KTLS_AAD];
	u8 nonce[KTLS_NONCE];
	struct aead_request request; /* last: the driver's context follows */
};

/* One direction's key; `aead` is published last and stays until the socket is released. */
struct ktls_direction {
	struct crypto_aead *aead;
	struct ktls_sealer *sealer;	/* to send */
	u8 salt[KTLS_MAX_SALT];
	u16 epoch;
};

enum ktls_rx_state {
	KTLS_RX_OFF,		/* everything is left to the UDP socket */
	KTLS_RX_HOLD,		/* key set: authentic records are held until the floor is known */
	KTLS_RX_ON,
};

/*
 * An AF_KTLS socket. Configured under its socket lock. It holds the lower socket's file until it is
 * released itself, so the lower socket cannot go away before it, whoever closes what. Lock order:
 * our socket lock, `sending`, the lower one's lock, its callback lock, rx_lock.
 *
 * `uses`: the descriptors, a UDP socket that is being left, each record at the cipher's driver. The
 * last of them frees it, a grace period later, in `gone`: nobody ever waits for one.
 */
struct ktls_sock {
	struct sock sk;			/* first */
	refcount_t uses;
	struct rcu_head leaving;
	struct rcu_work gone;
	struct socket *lower;		/* published with release semantics, once */
	struct sock *taken;		/* datagrams: its struct sock, which may outlive it */
	const struct ktls_cipher *cipher;
	u16 version;
	u32 record_size;
	bool detached;
	unsigned long keyed;		/* streams: a bit for each direction that has its key */
	u32 lower_size;			/* streams: the record size that the kernel's TLS keeps to by itself */

	struct mutex sending;		/* from a number to the wire: records leave in their order */
	unsigned long put_off;		/* bit 0: somebody did not wait for `sending` */
	struct ktls_direction tx;
	atomic64_t tx_next;		/* without the epoch; above KTLS_SEQ_MAX: used up */

	struct ktls_direction rx;
	enum ktls_rx_state rx_state;	/* changed under rx_lock */
	bool floored;			/* receive was enabled */
	u64 rx_first;			/* the number that came with the key */
	spinlock_t rx_lock;		/* also of sk_forward_alloc and of what is added to rmem */
	struct ktls_window window;	/* under rx_lock */
	struct sk_buff_head held;	/* under rx_lock */

	atomic64_t stats[sizeof(struct ktls_stats) / sizeof(u64)];
};

/* Kept in a received record's skb->cb while it waits for the reader. */
struct ktls_cb {
	u64 seq;
	u32 offset;	/* what splice() has taken of it */
	u8 type;
};

#define ktls_add(ks, field, n) \
	atomic64_add(n, &(ks)->stats[offsetof(struct ktls_stats, field) / sizeof(u64)])
#define ktls_count(ks, field)	ktls_add(ks, field, 1)

static inline struct ktls_sock *ktls_sk(const struct sock *sk)
{
	return (struct ktls_sock *)sk;
}

static inline struct ktls_cb *ktls_cb(struct sk_buff *skb)
{
	return (struct ktls_cb *)skb->cb;
}

static inline struct socket *ktls_lower(struct ktls_sock *ks)
{
	return smp_load_acquire(&ks->lower); /* pairs with ktls_attach() */
}

/* aead.c */
bool ktls_cipher_present(const struct ktls_cipher *cipher);
int ktls_direction_init(struct ktls_direction *direction, const struct ktls_cipher *cipher, const struct ktls_key *key,
			bool send);
void ktls_direction_clear(struct ktls_direction *direction);
int ktls_encrypt(struct ktls_sealer *sealer, struct scatterlist *from, size_t payload);
void ktls_decrypt(struct ktls_sock *ks, struct sk_buff *skb, const struct ktls_record *record);

/* attach.c */
int ktls_attach(struct socket *sock, const struct ktls_attach *attach);
int ktls_detach(struct socket *sock);

/* cmsg.c */
int ktls_message_type(struct msghdr *msg, u8 *type);
size_t ktls_type_room(const struct msghdr *msg);

/* dtls_charge.c */
bool ktls_charge(struct ktls_sock *ks, struct sk_buff *skb);
bool ktls_full(struct ktls_sock *ks);

/* dtls_deliver.c */
void ktls_dtls_hold(struct ktls_sock *ks, u64 first);
void ktls_dtls_off(struct ktls_sock *ks);
int ktls_dtls_enable(struct ktls_sock *ks, u64 floor);
void ktls_dtls_opened(struct ktls_sock *ks, struct sk_buff *skb, u8 type, u64 seq);

/* dtls_rx.c */
int ktls_encap_rcv(struct sock *lower, struct sk_buff *skb);

/* dtls_sock.c */
extern struct proto_ops ktls_dgram_ops;

/* dtls_tx.c */
int ktls_dgram_sendmsg(struct socket *sock, struct msghdr *msg, size_t length);
int ktls_turn(struct ktls_sock *ks, bool noblock);
void ktls_turn_over(struct ktls_sock *ks);

/* keys.c */
int ktls_keys_set(struct socket *sock, const struct ktls_key *tx, const struct ktls_key *rx);

/* main.c */
int ktls_release(struct socket *sock);
void ktls_put(struct ktls_sock *ks);

/* options.c */
int ktls_setsockopt(struct socket *sock, int level, int name, sockptr_t value, unsigned int length);
int ktls_getsockopt(struct socket *sock, int level, int name, char __user *value, int __user *length);

/* tls_stream.c */
extern struct proto_ops ktls_stream_ops;
int ktls_stream_flush(struct ktls_sock *ks, bool noblock);

/* tls_ulp.c */
int ktls_stream_attach(struct ktls_sock *ks, struct socket *lower);
int ktls_stream_record_size(struct ktls_sock *ks, struct socket *lower, u32 size);
int ktls_stream_key(struct ktls_sock *ks, int direction, const struct ktls_key *key);
struct crypto_aead *ktls_stream_aead(struct ktls_sock *ks, int direction);

/* udp_lower.c */
int ktls_lower_take(struct ktls_sock *ks, struct socket *lower);
void ktls_lower_leave(struct ktls_sock *ks);

/* udp_xmit.c */
struct sk_buff *ktls_udp_alloc(struct ktls_sock *ks, size_t size, bool noblock, int *err);
int ktls_udp_send(struct socket *lower, struct sk_buff *skb);
void ktls_udp_wake(struct ktls_sock *ks);

#endif
