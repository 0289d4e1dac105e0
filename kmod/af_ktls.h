/* SPDX-License-Identifier: GPL-2.0-only */
/* What the module's files share. */
#ifndef AF_KTLS_H
#define AF_KTLS_H

#include <crypto/aead.h>
#include <linux/ipv6.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/refcount.h>
#include <linux/scatterlist.h>
#include <linux/skbuff.h>
#include <linux/udp.h>
#include <linux/workqueue.h>
#include <net/inet_sock.h>
#include <net/sock.h>

#include "compat.h"
#include "record.h"
#include "window.h"

/* Room for what lower layers put in front: links, IPv6, UDP. Tunnels' devices get more. */
#define AF_KTLS_HEADROOM	(LL_MAX_HEADER + sizeof(struct ipv6hdr) + sizeof(struct udphdr))

/* A record in an skb: its linear part and pages; a file's pages that are not copied first. */
#define AF_KTLS_MAX_RECORD \
	(AF_KTLS_HEADER + AF_KTLS_MAX_EXPLICIT + KTLS_MAX_PAYLOAD + AF_KTLS_TAG)
#define AF_KTLS_SEALED_PARTS	(1 + DIV_ROUND_UP(AF_KTLS_MAX_RECORD, PAGE_SIZE))
#define AF_KTLS_PLAIN_PARTS	17

/**
 * struct af_ktls_sealer - what a sender works with while it holds `sending`
 * @plain: additional data, then a file's pages to encrypt from
 * @sealed: additional data, then the record to encrypt to
 * @wait: for a driver that is done later
 * @aad: additional data of the record
 * @nonce: nonce of the record
 * @request: last, since the driver's context follows
 *
 * It is made with the key: so a record takes no memory but its datagram.
 */
struct af_ktls_sealer {
	struct scatterlist plain[1 + AF_KTLS_PLAIN_PARTS];
	struct scatterlist sealed[1 + AF_KTLS_SEALED_PARTS];
	struct crypto_wait wait;
	u8 aad[AF_KTLS_AAD];
	u8 nonce[AF_KTLS_NONCE];
	struct aead_request request;
};

/**
 * struct af_ktls_direction - the key of one direction
 * @aead: the cipher with its key; published last, stays until the socket is released
 * @sealer: what it takes to send; NULL to receive
 * @salt: the fixed part of the nonce
 * @epoch: the epoch of the key
 */
struct af_ktls_direction {
	struct crypto_aead *aead;
	struct af_ktls_sealer *sealer;
	u8 salt[KTLS_MAX_SALT];
	u16 epoch;
};

/**
 * enum af_ktls_rx_state - what becomes of records that come
 * @AF_KTLS_RX_OFF: everything is left to the UDP socket
 * @AF_KTLS_RX_HOLD: the key is set: authentic records are held until the floor is known
 * @AF_KTLS_RX_ON: they go to the reader
 */
enum af_ktls_rx_state {
	AF_KTLS_RX_OFF,
	AF_KTLS_RX_HOLD,
	AF_KTLS_RX_ON,
};

/**
 * struct af_ktls_sock - an AF_KTLS socket
 * @sk: the socket; first
 * @uses: the descriptors, a UDP socket that is being left, each record at the cipher's driver
 * @leaving: a UDP socket is left when its grace period is over
 * @gone: the last use is over: frees the socket a grace period later, so that nobody waits for one
 * @lower: the socket underneath; published with release semantics, once
 * @taken: datagrams: the struct sock of @lower, which may outlive it
 * @cipher: the cipher of both directions
 * @version: KTLS_DTLS_1_2, KTLS_TLS_1_2 or KTLS_TLS_1_3
 * @record_size: the greatest payload of a record to send
 * @detached: datagrams: the UDP socket was given back
 * @keyed: streams: a bit for each direction that has its key
 * @lower_size: streams: the record size that the kernel's TLS keeps to by itself
 * @sending: held from a number to the wire, so that records leave in their order
 * @put_off: bit 0: somebody did not wait for @sending
 * @tx: the key to send with
 * @tx_next: the next number, without the epoch; above AF_KTLS_SEQ_MAX: used up
 * @rx: the key to receive with
 * @rx_state: what becomes of records that come; changed under @rx_lock
 * @floored: receive was enabled
 * @rx_first: the number that came with the key
 * @rx_lock: also of sk_forward_alloc and of what is added to rmem
 * @window: the numbers accepted; under @rx_lock
 * @held: records that wait for the floor; under @rx_lock
 * @queue_ready: who was told of datagrams in the UDP socket's queue, before it was the tunnel
 * @all: of all sockets
 * @tunnel: datagrams: the TUN device's packets; stays until the socket is freed
 * @stats: struct ktls_stats, member by member
 *
 * Configured under its socket lock. It holds the lower socket's file until it is released itself,
 * so the lower socket cannot go away before it, whoever closes what. Lock order: our socket lock,
 * @sending, the lower one's lock, its callback lock, @rx_lock.
 */
struct af_ktls_sock {
	struct sock sk;
	refcount_t uses;
	struct rcu_head leaving;
	struct rcu_work gone;
	struct socket *lower;
	struct sock *taken;
	const struct af_ktls_cipher *cipher;
	u16 version;
	u32 record_size;
	bool detached;
	unsigned long keyed;
	u32 lower_size;

	struct mutex sending;
	unsigned long put_off;
	struct af_ktls_direction tx;
	atomic64_t tx_next;

	struct af_ktls_direction rx;
	enum af_ktls_rx_state rx_state;
	bool floored;
	u64 rx_first;
	spinlock_t rx_lock;		/* see above */
	struct af_ktls_window window;
	struct sk_buff_head held;

	void (*queue_ready)(struct sock *sk);
	struct list_head all;
	struct af_ktls_tunnel *tunnel;

	atomic64_t stats[sizeof(struct ktls_stats) / sizeof(u64)];
};

/**
 * struct af_ktls_cb - kept in a received record's skb->cb while it waits for the reader
 * @seq: epoch and sequence number
 * @offset: what splice() has taken of it
 * @type: content type
 */
struct af_ktls_cb {
	u64 seq;
	u32 offset;
	u8 type;
};

#define af_ktls_add(ks, field, n) \
	atomic64_add(n, &(ks)->stats[offsetof(struct ktls_stats, field) / sizeof(u64)])
#define af_ktls_count(ks, field)	af_ktls_add(ks, field, 1)

/*
 * Say what is dropped and why: numbers and lengths, never bytes of it. Dynamic debug switches each
 * place on by itself; while it is off it costs a nop.
 */
#define af_ktls_dbg_record(ks, seq, why) \
	net_dbg_ratelimited("port %u: record %llu of epoch %u dropped: " why "\n", \
			    inet_sk((ks)->taken)->inet_num, (seq) & AF_KTLS_SEQ_MAX, \
			    af_ktls_epoch(seq))
#define af_ktls_dbg_bytes(ks, size, why) \
	net_dbg_ratelimited("port %u: %u bytes of a datagram dropped: " why "\n", \
			    inet_sk((ks)->taken)->inet_num, (unsigned int)(size))

static inline struct af_ktls_sock *af_ktls_sk(const struct sock *sk)
{
	return (struct af_ktls_sock *)sk;
}

static inline struct af_ktls_cb *af_ktls_cb(struct sk_buff *skb)
{
	return (struct af_ktls_cb *)skb->cb;
}

static inline struct socket *af_ktls_lower(struct af_ktls_sock *ks)
{
	return smp_load_acquire(&ks->lower); /* pairs with af_ktls_attach() */
}

/* aead.c */
bool af_ktls_cipher_present(const struct af_ktls_cipher *cipher);
int af_ktls_direction_init(struct af_ktls_direction *direction, const struct af_ktls_cipher *cipher,
			   const struct ktls_key *key, bool send);
void af_ktls_direction_clear(struct af_ktls_direction *direction);
int af_ktls_encrypt(struct af_ktls_sealer *sealer, struct scatterlist *from, size_t payload);
void af_ktls_decrypt(struct af_ktls_sock *ks, struct sk_buff *skb,
		     const struct af_ktls_record *record);

/* attach.c */
int af_ktls_attach(struct socket *sock, const struct ktls_attach *attach);
int af_ktls_detach(struct socket *sock);

/* cmsg.c */
int af_ktls_message_type(struct msghdr *msg, u8 *type);
size_t af_ktls_type_room(const struct msghdr *msg);

/* dtls_charge.c */
bool af_ktls_charge(struct af_ktls_sock *ks, struct sk_buff *skb);
bool af_ktls_full(struct af_ktls_sock *ks);

/* dtls_deliver.c */
void af_ktls_dtls_hold(struct af_ktls_sock *ks, u64 first);
void af_ktls_dtls_off(struct af_ktls_sock *ks);
int af_ktls_dtls_enable(struct af_ktls_sock *ks, u64 floor);
void af_ktls_dtls_opened(struct af_ktls_sock *ks, struct sk_buff *skb, u8 type, u64 seq);

/* dtls_rx.c */
bool af_ktls_wanted(struct af_ktls_sock *ks, u64 seq, bool queued);
int af_ktls_encap_rcv(struct sock *lower, struct sk_buff *skb);

/* dtls_sock.c */
extern struct proto_ops af_ktls_dgram_ops;

/* dtls_tx.c */
int af_ktls_dgram_sendmsg(struct socket *sock, struct msghdr *msg, size_t length);
int af_ktls_turn(struct af_ktls_sock *ks, bool noblock);
void af_ktls_turn_over(struct af_ktls_sock *ks);
int af_ktls_tx_number(struct af_ktls_sock *ks, u64 *seq);

/* keys.c */
int af_ktls_keys_set(struct socket *sock, const struct ktls_key *tx, const struct ktls_key *rx);

/* main.c */
int af_ktls_release(struct socket *sock);
void af_ktls_put(struct af_ktls_sock *ks);

/* options.c */
int af_ktls_setsockopt(struct socket *sock, int level, int name, sockptr_t value,
		       unsigned int length);
int af_ktls_getsockopt(struct socket *sock, int level, int name, char __user *value,
		       int __user *length);

/* proc.c */
void af_ktls_proc_add(struct af_ktls_sock *ks);
void af_ktls_proc_del(struct af_ktls_sock *ks);
int af_ktls_proc_init(void);
void af_ktls_proc_exit(void);

/* tls_stream.c */
extern struct proto_ops af_ktls_stream_ops;
int af_ktls_stream_flush(struct af_ktls_sock *ks, bool noblock);

/* tls_ulp.c */
int af_ktls_stream_attach(struct af_ktls_sock *ks, struct socket *lower);
int af_ktls_stream_record_size(struct af_ktls_sock *ks, struct socket *lower, u32 size);
int af_ktls_stream_key(struct af_ktls_sock *ks, int direction, const struct ktls_key *key);
struct crypto_aead *af_ktls_stream_aead(struct af_ktls_sock *ks, int direction);

/* udp_lower.c */
int af_ktls_lower_take(struct af_ktls_sock *ks, struct socket *lower);
void af_ktls_lower_leave(struct af_ktls_sock *ks);
int af_ktls_lower_queue(struct af_ktls_sock *ks, void (*ready)(struct sock *sk));
void af_ktls_lower_unqueue(struct af_ktls_sock *ks);

/* udp_xmit.c */
struct sk_buff *af_ktls_udp_alloc(struct af_ktls_sock *ks, size_t size, bool noblock, int *err);
int af_ktls_udp_send(struct socket *lower, struct sk_buff *skb);
int af_ktls_udp_depart(struct sock *sk, struct sk_buff *skb);
void af_ktls_udp_wake(struct af_ktls_sock *ks);

#endif
