// SPDX-License-Identifier: GPL-2.0
/*
 * Authentic records on their way to the reader: held until the least number to accept is known, then
 * delivered, each once.
 */
#include <linux/filter.h>

#include "af_ktls.h"

/* To the reader; under rx_lock. Who has read a record must find it counted. */
static void ktls_deliver(struct ktls_sock *ks, struct sk_buff *skb)
{
	ktls_count(ks, rx_records);
	ktls_add(ks, rx_bytes, skb->len);
	skb_queue_tail(&ks->sk.sk_receive_queue, skb);
}

/**
 * ktls_dtls_hold - hold records from now on; what came before is the library's
 * @ks: our socket, locked, with its key set
 * @first: the number that came with the key
 *
 * Who is in ktls_encap_rcv() may still pass one on: before the library may be told to read its last,
 * a grace period must be over.
 */
void ktls_dtls_hold(struct ktls_sock *ks, u64 first)
{
	spin_lock_bh(&ks->rx_lock);
	ks->rx_first = first & KTLS_SEQ_MAX;
	ktls_window_init(&ks->window, 0);
	smp_store_release(&ks->rx_state, KTLS_RX_HOLD); /* whoever sees it sees the key */
	spin_unlock_bh(&ks->rx_lock);
}

/**
 * ktls_dtls_off - accept nothing any more
 * @ks: our socket, locked
 */
void ktls_dtls_off(struct ktls_sock *ks)
{
	struct sk_buff_head held;

	__skb_queue_head_init(&held);
	spin_lock_bh(&ks->rx_lock);
	ks->rx_state = KTLS_RX_OFF;
	skb_queue_splice_init(&ks->held, &held);
	spin_unlock_bh(&ks->rx_lock);
	__skb_queue_purge(&held);
}

/**
 * ktls_dtls_enable - receive, beginning with what was held
 * @ks: our socket, locked
 * @floor: the least sequence number to accept, epoch on top
 *
 * What was held is authentic, and in the window already: only what is below the floor goes.
 *
 * Return: 0, -ENOKEY, -EALREADY, -ESTALE for a floor of another epoch.
 */
int ktls_dtls_enable(struct ktls_sock *ks, u64 floor)
{
	struct sk_buff_head old;
	struct sk_buff *skb;

	if (ks->rx_state == KTLS_RX_OFF)
		return -ENOKEY;
	if (ks->rx_state == KTLS_RX_ON)
		return -EALREADY;
	if (ktls_epoch(floor) != ks->rx.epoch)
		return -ESTALE;
	__skb_queue_head_init(&old);
	spin_lock_bh(&ks->rx_lock);
	ktls_window_floor(&ks->window, floor & KTLS_SEQ_MAX);
	while ((skb = __skb_dequeue(&ks->held))) {
		if (ktls_cb(skb)->seq >= floor) {
			ktls_deliver(ks, skb);
		} else {
			ktls_count(ks, rx_old);
			__skb_queue_tail(&old, skb);
		}
	}
	ks->floored = true;
	ks->rx_state = KTLS_RX_ON;
	spin_unlock_bh(&ks->rx_lock);
	__skb_queue_purge(&old);
	if (!skb_queue_empty_lockless(&ks->sk.sk_receive_queue))
		ks->sk.sk_data_ready(&ks->sk);
	return 0;
}

/**
 * ktls_dtls_opened - a record turned out authentic: deliver it unless it is a replay
 * @ks: our socket
 * @skb: the record, header first, decrypted
 * @type: its content type
 * @seq: epoch and sequence number
 *
 * Only now does the window move. Records may have been overtaken at a driver, or on another
 * processor, by one of the same number.
 */
void ktls_dtls_opened(struct ktls_sock *ks, struct sk_buff *skb, u8 type, u64 seq)
{
	bool on, off;
	int err = 0;

	__skb_pull(skb, KTLS_HEADER + ks->cipher->explicit);
	if (pskb_trim(skb, skb->len - KTLS_TAG) || sk_filter(&ks->sk, skb)) {
		ktls_count(ks, rx_errors);
		kfree_skb(skb);
		return;
	}
	skb->ip_summed = CHECKSUM_NONE;
	*ktls_cb(skb) = (struct ktls_cb){ .type = type, .seq = seq };
	spin_lock_bh(&ks->rx_lock);
	on = ks->rx_state == KTLS_RX_ON;
	off = ks->rx_state == KTLS_RX_OFF;
	if (!off)
		err = ktls_window_accept(&ks->window, seq & KTLS_SEQ_MAX);
	if (!off && !err && on)
		ktls_deliver(ks, skb);
	else if (!off && !err)
		__skb_queue_tail(&ks->held, skb);
	spin_unlock_bh(&ks->rx_lock);
	if (err == -EALREADY)
		ktls_count(ks, rx_replayed);
	else if (err)
		ktls_count(ks, rx_old);
	if (off || err)
		kfree_skb(skb);
	else if (on)
		ks->sk.sk_data_ready(&ks->sk);
}
