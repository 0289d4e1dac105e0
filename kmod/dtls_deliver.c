// SPDX-License-Identifier: GPL-2.0-only
/*
 * Authentic records on their way to the reader: held until the least number to accept is known,
 * then delivered, each once.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/filter.h>

#include "af_ktls.h"

/* To the reader; under rx_lock. Who has read a record must find it counted. */
static void af_ktls_deliver(struct af_ktls_sock *ks, struct sk_buff *skb)
{
	af_ktls_count(ks, rx_records);
	af_ktls_add(ks, rx_bytes, skb->len);
	skb_queue_tail(&ks->sk.sk_receive_queue, skb);
}

/**
 * af_ktls_dtls_hold - hold records from now on; what came before is the library's
 * @ks: our socket, locked, with its key set
 * @first: the number that came with the key
 *
 * Who is in af_ktls_encap_rcv() may still pass one on: before the library may be told to read its
 * last, a grace period must be over.
 */
void af_ktls_dtls_hold(struct af_ktls_sock *ks, u64 first)
{
	spin_lock_bh(&ks->rx_lock);
	ks->rx_first = first & AF_KTLS_SEQ_MAX;
	af_ktls_window_init(&ks->window, 0);
	smp_store_release(&ks->rx_state, AF_KTLS_RX_HOLD); /* whoever sees it sees the key */
	spin_unlock_bh(&ks->rx_lock);
}

/**
 * af_ktls_dtls_off - accept nothing any more
 * @ks: our socket, locked
 */
void af_ktls_dtls_off(struct af_ktls_sock *ks)
{
	struct sk_buff_head held;

	__skb_queue_head_init(&held);
	spin_lock_bh(&ks->rx_lock);
	ks->rx_state = AF_KTLS_RX_OFF;
	skb_queue_splice_init(&ks->held, &held);
	spin_unlock_bh(&ks->rx_lock);
	__skb_queue_purge(&held);
}

/**
 * af_ktls_dtls_enable - receive, beginning with what was held
 * @ks: our socket, locked
 * @floor: the least sequence number to accept, epoch on top
 *
 * What was held is authentic, and in the window already: only what is below the floor goes.
 *
 * Return: 0, -ENOKEY, -EALREADY, -ESTALE for a floor of another epoch.
 */
int af_ktls_dtls_enable(struct af_ktls_sock *ks, u64 floor)
{
	struct sk_buff_head old;
	struct sk_buff *skb;

	if (ks->rx_state == AF_KTLS_RX_OFF)
		return -ENOKEY;
	if (ks->rx_state == AF_KTLS_RX_ON)
		return -EALREADY;
	if (af_ktls_epoch(floor) != ks->rx.epoch)
		return -ESTALE;
	__skb_queue_head_init(&old);
	spin_lock_bh(&ks->rx_lock);
	af_ktls_window_floor(&ks->window, floor & AF_KTLS_SEQ_MAX);
	while ((skb = __skb_dequeue(&ks->held))) {
		if (af_ktls_cb(skb)->seq >= floor) {
			af_ktls_deliver(ks, skb);
		} else {
			af_ktls_count(ks, rx_old);
			__skb_queue_tail(&old, skb);
		}
	}
	ks->floored = true;
	ks->rx_state = AF_KTLS_RX_ON;
	spin_unlock_bh(&ks->rx_lock);
	skb_queue_walk(&old, skb)
		af_ktls_dbg_record(ks, af_ktls_cb(skb)->seq, "held, but below the floor");
	__skb_queue_purge(&old);
	if (!skb_queue_empty_lockless(&ks->sk.sk_receive_queue))
		ks->sk.sk_data_ready(&ks->sk);
	return 0;
}

/**
 * af_ktls_dtls_opened - a record turned out authentic: deliver it unless it is a replay
 * @ks: our socket
 * @skb: the record, header first, decrypted
 * @type: its content type
 * @seq: epoch and sequence number
 *
 * Only now does the window move. Records may have been overtaken at a driver, or on another
 * processor, by one of the same number.
 */
void af_ktls_dtls_opened(struct af_ktls_sock *ks, struct sk_buff *skb, u8 type, u64 seq)
{
	bool on, off;
	int err = 0;

	__skb_pull(skb, AF_KTLS_HEADER + ks->cipher->explicit);
	if (pskb_trim(skb, skb->len - AF_KTLS_TAG) || sk_filter(&ks->sk, skb)) {
		af_ktls_count(ks, rx_errors);
		af_ktls_dbg_record(ks, seq, "no memory, or refused by the socket's filter");
		kfree_skb(skb);
		return;
	}
	skb->ip_summed = CHECKSUM_NONE;
	*af_ktls_cb(skb) = (struct af_ktls_cb){ .type = type, .seq = seq };
	spin_lock_bh(&ks->rx_lock);
	on = ks->rx_state == AF_KTLS_RX_ON;
	off = ks->rx_state == AF_KTLS_RX_OFF;
	if (!off)
		err = af_ktls_window_accept(&ks->window, seq & AF_KTLS_SEQ_MAX);
	if (!off && !err && on)
		af_ktls_deliver(ks, skb);
	else if (!off && !err)
		__skb_queue_tail(&ks->held, skb);
	spin_unlock_bh(&ks->rx_lock);
	if (off) {
		af_ktls_dbg_record(ks, seq, "the UDP socket was given back");
	} else if (err == -EALREADY) {
		af_ktls_count(ks, rx_replayed);
		af_ktls_dbg_record(ks, seq, "replayed, found when it was decrypted");
	} else if (err) {
		af_ktls_count(ks, rx_old);
		af_ktls_dbg_record(ks, seq, "below the window or the floor when it was decrypted");
	}
	if (off || err)
		kfree_skb(skb);
	else if (on)
		ks->sk.sk_data_ready(&ks->sk);
}
