// SPDX-License-Identifier: GPL-2.0-only
/* Datagrams are taken from the UDP socket as they arrive, in softirq, under RCU alone. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/udp.h>
#include <net/udp.h>

#include "af_ktls.h"

/**
 * af_ktls_wanted - refuse a record without the cipher, if that can be
 * @ks: our socket
 * @seq: its number, epoch on top
 * @queued: it takes room in the receive buffer
 *
 * What can be refused without the cipher is refused and counted here: what is too old or was
 * accepted before (RFC 6347, 4.1.2.6), and what there is no room for. Nothing is authentic yet, so
 * nothing is remembered.
 */
bool af_ktls_wanted(struct af_ktls_sock *ks, u64 seq, bool queued)
{
	bool off, full = false;
	int err = 0;

	spin_lock_bh(&ks->rx_lock);
	off = ks->rx_state == AF_KTLS_RX_OFF;
	if (!off) {
		err = af_ktls_window_look(&ks->window, seq & AF_KTLS_SEQ_MAX);
		full = queued && af_ktls_full(ks);
	}
	spin_unlock_bh(&ks->rx_lock);
	if (off) {
		af_ktls_dbg_record(ks, seq, "the UDP socket was given back");
	} else if (err == -EALREADY) {
		af_ktls_count(ks, rx_replayed);
		af_ktls_dbg_record(ks, seq, "replayed");
	} else if (err) {
		af_ktls_count(ks, rx_old);
		af_ktls_dbg_record(ks, seq, "below the window or the floor");
	} else if (full) {
		af_ktls_count(ks, rx_full);
		af_ktls_dbg_record(ks, seq, "no room in the receive buffer");
	}
	return !off && !err && !full;
}

/* Bytes of a datagram as an skb of their own: its linear part, then single pages. */
static struct sk_buff *af_ktls_copy(const struct sk_buff *datagram, int offset, size_t size)
{
	size_t linear = min_t(size_t, size, SKB_WITH_OVERHEAD(PAGE_SIZE));
	struct sk_buff *skb;
	int i, err;

	skb = alloc_skb_with_frags(linear, size - linear, 0, &err, GFP_ATOMIC);
	if (!skb)
		return NULL;
	skb_put(skb, linear);
	skb->data_len = size - linear;
	skb->len += size - linear;
	err = skb_copy_bits(datagram, offset, skb->data, linear);
	offset += linear;
	for (i = 0; !err && i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

		err = skb_copy_bits(datagram, offset, skb_frag_address(frag), skb_frag_size(frag));
		offset += skb_frag_size(frag);
	}
	if (err) {
		kfree_skb(skb);
		return NULL;
	}
	return skb;
}

/*
 * A datagram that is one record: itself, where its bytes are surely nobody else's. A sniffer shares
 * what is cloned; pages may be a file's, or anybody's who can still write them (sendfile, splice, a
 * packet ring): of those a copy is made before anything of them is authenticated.
 */
static struct sk_buff *af_ktls_alone(struct sk_buff *skb)
{
	struct sk_buff *copy = NULL;

	if (!skb_is_nonlinear(skb) && !skb_cloned(skb)) {
		__skb_pull(skb, sizeof(struct udphdr));
		/* It may outlive this softirq, without its route, device and early-found socket. */
		skb_orphan(skb);
		skb_scrub_packet(skb, false);
		skb->dev = NULL;
		return skb;
	}
	copy = af_ktls_copy(skb, sizeof(struct udphdr), skb->len - sizeof(struct udphdr));
	consume_skb(skb);
	return copy;
}

/* A record by itself, header first, or NULL: there was no memory for it. */
static void af_ktls_take(struct af_ktls_sock *ks, struct sk_buff *skb,
			 const struct af_ktls_record *record)
{
	if (!skb) {
		af_ktls_count(ks, rx_errors);
		af_ktls_dbg_record(ks, record->seq, "no memory");
	} else if (!af_ktls_charge(ks, skb)) {
		af_ktls_count(ks, rx_full);
		af_ktls_dbg_record(ks, record->seq, "no room in the receive buffer or its limits");
		kfree_skb(skb);
	} else {
		af_ktls_decrypt(ks, skb, record);
	}
}

/*
 * A datagram with several records, ours and the library's perhaps: take ours out and close the
 * gaps. Left in, a replayed record of ours would reach a library that has no window for it. Ciphers
 * are slow, and this is softirq: of tiny records there are too many for one of it.
 */
static int af_ktls_sort_out(struct af_ktls_sock *ks, struct sk_buff *skb)
{
	int from = sizeof(struct udphdr), to = from, left = KTLS_MAX_RECORDS;
	struct af_ktls_record record;

	if (skb_linearize(skb) || skb_ensure_writable(skb, skb->len)) {
		af_ktls_count(ks, rx_errors);
		af_ktls_dbg_bytes(ks, skb->len - sizeof(struct udphdr), "no memory");
		kfree_skb(skb);
		return 0;
	}
	while (from < skb->len) {
		int size;

		switch (af_ktls_record_parse(skb->data + from, skb->len - from, ks->rx.epoch,
					     ks->cipher, &record)) {
		case AF_KTLS_OURS:
			size = AF_KTLS_HEADER + record.length;
			if (left-- <= 0) {
				af_ktls_count(ks, rx_excess);
				af_ktls_dbg_record(ks, record.seq, "too many in its datagram");
			} else if (af_ktls_wanted(ks, record.seq, true)) {
				af_ktls_take(ks, af_ktls_copy(skb, from, size), &record);
			}
			from += size;
			break;
		case AF_KTLS_PASS:
			size = AF_KTLS_HEADER + record.length;
			memmove(skb->data + to, skb->data + from, size);
			to += size;
			from += size;
			break;
		default:
			af_ktls_count(ks, rx_malformed);
			af_ktls_dbg_bytes(ks, skb->len - from, "malformed");
			from = skb->len;
		}
	}
	if (to == sizeof(struct udphdr)) {
		kfree_skb(skb);
		return 0;
	}
	skb_trim(skb, to);
	af_ktls_count(ks, rx_passed);
	return 1;
}

/**
 * af_ktls_encap_rcv - a datagram has come
 * @lower: the UDP socket
 * @skb: the datagram; skb->data is at the UDP header, its checksum was verified
 *
 * Return: 0: taken. 1: the UDP socket's own.
 */
int af_ktls_encap_rcv(struct sock *lower, struct sk_buff *skb)
{
	struct af_ktls_sock *ks = rcu_dereference_sk_user_data(lower);
	enum af_ktls_verdict verdict = AF_KTLS_MALFORMED;
	struct af_ktls_record record;
	int length;

	/* The acquisition pairs with af_ktls_dtls_hold(). */
	if (!ks || smp_load_acquire(&ks->rx_state) == AF_KTLS_RX_OFF)
		return 1;
	length = skb->len - sizeof(struct udphdr);
	/* Of a GSO train UDP itself makes datagrams; a tunnel's is none of ours. */
	if (length >= AF_KTLS_HEADER && !skb_is_gso(skb)) {
		/* From pages, too, a header is read once: what is judged is what is passed on. */
		if (!pskb_may_pull(skb, sizeof(struct udphdr) + AF_KTLS_HEADER)) {
			af_ktls_count(ks, rx_errors);
			af_ktls_dbg_bytes(ks, length, "no memory");
			kfree_skb(skb);
			return 0;
		}
		verdict = af_ktls_record_parse(skb->data + sizeof(struct udphdr), length,
					       ks->rx.epoch, ks->cipher, &record);
	}
	if (verdict == AF_KTLS_MALFORMED) {
		af_ktls_count(ks, rx_malformed);
		af_ktls_dbg_bytes(ks, length, "malformed");
		kfree_skb(skb);
		return 0;
	}
	if (length != AF_KTLS_HEADER + record.length)
		return af_ktls_sort_out(ks, skb);
	if (verdict == AF_KTLS_PASS) {
		af_ktls_count(ks, rx_passed);
		return 1;
	}
	if (af_ktls_wanted(ks, record.seq, true))
		af_ktls_take(ks, af_ktls_alone(skb), &record);
	else
		kfree_skb(skb);
	return 0;
}
