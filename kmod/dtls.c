// SPDX-License-Identifier: GPL-2.0
/* The UDP socket underneath: datagrams are taken from it as they arrive, in softirq, under RCU alone. */
#include <linux/udp.h>
#include <net/ip.h>
#include <net/udp.h>
#include <net/udp_tunnel.h>

#include "af_ktls.h"

/* What UDP_ENCAP says of a socket that is ours: not 0, and not one of the kernel's. */
#define UDP_ENCAP_KTLS		75

/* A record by itself, header first. */
static void ktls_take(struct ktls_sock *ks, struct sk_buff *skb, const struct ktls_record *record)
{
	enum ktls_rx_state state;

	spin_lock_bh(&ks->rx_lock);
	state = ks->rx_state;
	if (state == KTLS_RX_HOLD && ks->held_bytes + skb->truesize <= READ_ONCE(ks->sk.sk_rcvbuf)) {
		ks->held_bytes += skb->truesize;
		__skb_queue_tail(&ks->held, skb);
		skb = NULL;
	}
	spin_unlock_bh(&ks->rx_lock);
	if (!skb)
		return;
	if (state == KTLS_RX_ON) {
		ktls_decrypt(ks, skb, record);
		return;
	}
	ktls_count(ks, rx_full);
	kfree_skb(skb);
}

/* The record at `offset` of a datagram with several. */
static void ktls_take_copy(struct ktls_sock *ks, const struct sk_buff *datagram, int offset,
			   const struct ktls_record *record)
{
	size_t size = KTLS_HEADER + record->length;
	struct sk_buff *skb = alloc_skb(size, GFP_ATOMIC);

	if (!skb || skb_copy_bits(datagram, offset, skb_put(skb, size), size)) {
		ktls_count(ks, rx_errors);
		kfree_skb(skb);
		return;
	}
	ktls_take(ks, skb, record);
}

/*
 * A datagram in which our records and the library's are mixed: take ours out and close the gaps. Left in, a replayed
 * record of ours would reach a library that has no window for it.
 */
static int ktls_sort_out(struct ktls_sock *ks, struct sk_buff *skb)
{
	int from = sizeof(struct udphdr), to = from;
	struct ktls_record record;

	if (skb_linearize(skb) || skb_ensure_writable(skb, skb->len)) {
		ktls_count(ks, rx_errors);
		kfree_skb(skb);
		return 0;
	}
	while (from < skb->len) {
		int size;

		switch (ktls_record_parse(skb->data + from, skb->len - from, ks->rx.epoch, ks->cipher, &record)) {
		case KTLS_OURS:
			ktls_take_copy(ks, skb, from, &record);
			from += KTLS_HEADER + record.length;
			break;
		case KTLS_PASS:
			size = KTLS_HEADER + record.length;
			memmove(skb->data + to, skb->data + from, size);
			to += size;
			from += size;
			break;
		default:
			ktls_count(ks, rx_malformed);
			from = skb->len;
		}
	}
	if (to == sizeof(struct udphdr)) {
		kfree_skb(skb);
		return 0;
	}
	skb_trim(skb, to);
	ktls_count(ks, rx_passed);
	return 1;
}

/* 0: taken. 1: the UDP socket's own. skb->data is at the UDP header, its checksum was verified. */
static int ktls_encap_rcv(struct sock *lower, struct sk_buff *skb)
{
	struct ktls_sock *ks = rcu_dereference_sk_user_data(lower);
	u8 buffer[KTLS_HEADER];
	struct ktls_record record;
	enum ktls_verdict verdict;
	const u8 *header;
	int length;

	/* GSO: somebody turned on UDP_GRO since. */
	if (!ks || smp_load_acquire(&ks->rx_state) == KTLS_RX_OFF || skb_is_gso(skb))
		return 1;
	length = skb->len - sizeof(struct udphdr);
	header = skb_header_pointer(skb, sizeof(struct udphdr), KTLS_HEADER, buffer);
	verdict = header ? ktls_record_parse(header, length, ks->rx.epoch, ks->cipher, &record) : KTLS_MALFORMED;
	if (verdict == KTLS_MALFORMED) {
		ktls_count(ks, rx_malformed);
		kfree_skb(skb);
		return 0;
	}
	if (length != KTLS_HEADER + record.length)
		return ktls_sort_out(ks, skb);
	if (verdict == KTLS_PASS) {
		ktls_count(ks, rx_passed);
		return 1;
	}
	__skb_pull(skb, sizeof(struct udphdr));
	/* It may outlive this softirq, and its route, device and early-found socket with it. */
	skb_orphan(skb);
	skb_scrub_packet(skb, false);
	skb->dev = NULL;
	ktls_take(ks, skb, &record);
	return 0;
}

/* Nobody listens at the peer: told once, to whoever sends or receives next. It can be forged, so it ends nothing. */
static void ktls_encap_err_rcv(struct sock *lower, struct sk_buff *skb, int err, __be16 port, u32 info, u8 *payload)
{
	struct ktls_sock *ks = rcu_dereference_sk_user_data(lower);

	if (!ks || err != ECONNREFUSED)
		return;
	WRITE_ONCE(ks->sk.sk_err, err);
	sk_error_report(&ks->sk);
}

/**
 * ktls_dtls_attach - take a UDP socket
 * @ks: our socket
 * @lower: the UDP socket
 *
 * Return: 0, -ENOTCONN, -EBUSY when it has another owner, -EOPNOTSUPP when it merges or cuts datagrams (UDP_GRO,
 * UDP_CORK, UDP_SEGMENT).
 */
int ktls_dtls_attach(struct ktls_sock *ks, struct socket *lower)
{
	struct sock *sk = lower->sk;
	struct udp_sock *up = udp_sk(sk);
	int err = 0;

	lock_sock(sk);
	if (sk->sk_state != TCP_ESTABLISHED) {
		err = -ENOTCONN;
	} else if (READ_ONCE(sk->sk_user_data) || up->encap_type) {
		err = -EBUSY;
	} else if (udp_test_bit(GRO_ENABLED, sk) || udp_test_bit(CORK, sk) || READ_ONCE(up->gso_size)) {
		err = -EOPNOTSUPP;
	} else {
		rcu_assign_sk_user_data(sk, ks);
		WRITE_ONCE(up->encap_err_rcv, ktls_encap_err_rcv);
		WRITE_ONCE(up->encap_rcv, ktls_encap_rcv);
		WRITE_ONCE(up->encap_type, UDP_ENCAP_KTLS);
		udp_tunnel_encap_enable(sk);
	}
	release_sock(sk);
	return err;
}

/**
 * ktls_dtls_detach - give the UDP socket back; when it returns, no record is on its way any more
 * @ks: our socket, locked, not detached yet
 */
void ktls_dtls_detach(struct ktls_sock *ks)
{
	struct sock *sk = ks->lower->sk;
	struct udp_sock *up = udp_sk(sk);

	lock_sock(sk);
	/* UDP_ENCAP may have been set over our head. */
	if (up->encap_rcv == ktls_encap_rcv) {
		WRITE_ONCE(up->encap_type, 0);
		WRITE_ONCE(up->encap_rcv, NULL);
	}
	WRITE_ONCE(up->encap_err_rcv, NULL);
	release_sock(sk);
	/* Only now may another owner come: softirq that is still in ktls_encap_rcv() must not read its user data. */
	synchronize_net();
	rcu_assign_sk_user_data(sk, NULL);

	spin_lock_bh(&ks->rx_lock);
	ks->rx_state = KTLS_RX_OFF;
	__skb_queue_purge(&ks->held);
	spin_unlock_bh(&ks->rx_lock);
	wait_event(ks->idle, !atomic_read(&ks->decrypting));
}

/**
 * ktls_dtls_hold - hold records from now on; what came before is in the UDP socket's queue, for the library
 * @ks: our socket, locked, with its key set
 */
void ktls_dtls_hold(struct ktls_sock *ks)
{
	spin_lock_bh(&ks->rx_lock);
	smp_store_release(&ks->rx_state, KTLS_RX_HOLD); /* whoever sees it sees the key */
	spin_unlock_bh(&ks->rx_lock);
	synchronize_net();
}

/* How often what came while the held records were decrypted goes before what comes later. */
#define HELD_ROUNDS	16

/* Take what is held; under rx_lock. */
static void ktls_held(struct ktls_sock *ks, struct sk_buff_head *held)
{
	skb_queue_splice_init(&ks->held, held);
	ks->held_bytes = 0;
}

static void ktls_decrypt_held(struct ktls_sock *ks, struct sk_buff_head *held)
{
	struct ktls_record record;
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(held))) {
		u8 header[KTLS_HEADER];

		/* It was judged when it came. */
		skb_copy_bits(skb, 0, header, sizeof(header));
		ktls_record_parse(header, skb->len, ks->rx.epoch, ks->cipher, &record);
		local_bh_disable();
		ktls_decrypt(ks, skb, &record);
		local_bh_enable();
	}
}

/**
 * ktls_dtls_enable - receive, beginning with what was held
 * @ks: our socket, locked
 * @floor: the least sequence number to accept, epoch on top
 *
 * Return: 0, -ENOKEY, -EALREADY, -ESTALE for a floor of another epoch.
 */
int ktls_dtls_enable(struct ktls_sock *ks, u64 floor)
{
	struct sk_buff_head held;
	int rounds = HELD_ROUNDS;

	if (ks->rx_state == KTLS_RX_OFF)
		return -ENOKEY;
	if (ks->rx_state == KTLS_RX_ON)
		return -EALREADY;
	if (ktls_epoch(floor) != ks->rx.epoch)
		return -ESTALE;
	__skb_queue_head_init(&held);
	spin_lock_bh(&ks->rx_lock);
	ktls_window_init(&ks->window, floor & KTLS_SEQ_MAX);
	/* What comes meanwhile is held as well, so that nothing overtakes; but this has an end. */
	while (rounds-- && !skb_queue_empty(&ks->held)) {
		ktls_held(ks, &held);
		spin_unlock_bh(&ks->rx_lock);
		ktls_decrypt_held(ks, &held);
		spin_lock_bh(&ks->rx_lock);
	}
	ks->rx_state = KTLS_RX_ON;
	ktls_held(ks, &held);
	spin_unlock_bh(&ks->rx_lock);
	ktls_decrypt_held(ks, &held);
	return 0;
}

/**
 * ktls_dtls_opened - a record turned out authentic: deliver it unless it is a replay
 * @ks: our socket
 * @skb: its payload
 * @type: its content type
 * @seq: epoch and sequence number
 */
void ktls_dtls_opened(struct ktls_sock *ks, struct sk_buff *skb, u8 type, u64 seq)
{
	size_t payload = skb->len;
	int err;

	spin_lock_bh(&ks->rx_lock);
	err = ktls_window_accept(&ks->window, seq & KTLS_SEQ_MAX);
	spin_unlock_bh(&ks->rx_lock);
	if (err) {
		if (err == -EALREADY)
			ktls_count(ks, rx_replayed);
		else
			ktls_count(ks, rx_old);
		goto drop;
	}
	skb->ip_summed = CHECKSUM_NONE;
	*ktls_cb(skb) = (struct ktls_cb){ .type = type };
	/* Before it is delivered: who has read a record must find it counted. */
	ktls_count(ks, rx_records);
	ktls_add(ks, rx_bytes, payload);
	if (!sock_queue_rcv_skb(&ks->sk, skb))
		return;
	ktls_add(ks, rx_records, -1);
	ktls_add(ks, rx_bytes, -(s64)payload);
	ktls_count(ks, rx_full);
drop:
	kfree_skb(skb);
}
