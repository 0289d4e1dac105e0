// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the UDP socket's queue to the TUN device, in softirq. A train is taken whole; each record of
 * it is copied out and decrypted: in a run of packets that follow each other, or in an skb of its
 * own. GRO has the one and the other.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/filter.h>
#include <linux/udp.h>
#include <net/gro.h>
#include <net/udp.h>

#include "tunnel.h"

/* Bytes of a datagram: whole in a page, mostly. */
static __always_inline int af_ktls_rx_bytes(const struct sk_buff *skb, int offset, void *to, int size)
{
	int at = offset - skb_headlen(skb), i;

	for (i = 0; at >= 0 && i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];
		int there = skb_frag_size(frag);

		if (at + size <= there && !PageHighMem(skb_frag_page(frag))) {
			memcpy(to, skb_frag_address(frag) + at, size);
			return 0;
		}
		if (at < there)
			break;
		at -= there;
	}
	return skb_copy_bits(skb, offset, to, size);
}

static int af_ktls_rx_header(const struct sk_buff *skb, int offset, u8 *header, int length)
{
	const int most = AF_KTLS_HEADER + AF_KTLS_MAX_EXPLICIT;

	return af_ktls_rx_bytes(skb, offset, header, likely(length >= most) ? most : length);
}

/* A record that is not a packet, or is the library's: to the reader of our socket. */
static void af_ktls_rx_control(struct af_ktls_sock *ks, struct sk_buff *skb, u8 type, u64 seq)
{
	if (!af_ktls_charge(ks, skb) || sk_filter(&ks->sk, skb)) {
		af_ktls_count(ks, rx_full);
		af_ktls_dbg_record(ks, seq, "no room in the receive buffer, or its filter");
		kfree_skb(skb);
		return;
	}
	*af_ktls_cb(skb) = (struct af_ktls_cb){ .type = type, .seq = seq };
	skb_queue_tail(&ks->sk.sk_receive_queue, skb);
	ks->sk.sk_data_ready(&ks->sk);
}

/* Version and length of a packet; the IP stack looks at the rest. */
static __be16 af_ktls_rx_protocol(const struct sk_buff *skb)
{
	if (skb->len >= sizeof(struct iphdr) && skb->data[0] >> 4 == 4)
		return htons(ETH_P_IP);
	if (skb->len >= sizeof(struct ipv6hdr) && skb->data[0] >> 4 == 6)
		return htons(ETH_P_IPV6);
	return 0;
}

static void af_ktls_rx_count(struct af_ktls_tunnel *t, size_t length)
{
	af_ktls_count(t->ks, tunnel_rx_packets);
	af_ktls_add(t->ks, tunnel_rx_bytes, length);
	dev_sw_netstats_rx_add(t->to, length);
}

static void af_ktls_rx_packet(struct af_ktls_tunnel *t, struct sk_buff *skb)
{
	struct net_device *dev = t->to;
	__be16 protocol;

	__skb_pull(skb, AF_KTLS_PREFIX);
	protocol = af_ktls_rx_protocol(skb);
	if (!protocol || !(READ_ONCE(dev->flags) & IFF_UP)) {
		af_ktls_count(t->ks, tunnel_rx_dropped);
		dev_core_stats_rx_dropped_inc(dev);
		kfree_skb(skb);
		return;
	}
	af_ktls_tunnel_dress(skb, dev, protocol);
	af_ktls_rx_count(t, skb->len);
	napi_gro_receive(&t->rx, skb);
}

/* Is an authentic record a packet for the device? */
static bool af_ktls_rx_for(const struct net_device *dev, const struct af_ktls_record *record,
			   const u8 *text, size_t length)
{
	return dev && record->type == AF_KTLS_TYPE_DATA && length > AF_KTLS_PREFIX &&
	       text[0] == AF_KTLS_PREFIX_DATA;
}

/* A record that was decrypted in an skb: where to. */
static void af_ktls_rx_opened(struct af_ktls_tunnel *t, struct sk_buff *skb,
			      const struct af_ktls_record *record)
{
	if (!af_ktls_rx_for(t->to, record, skb->data, skb->len)) {
		af_ktls_rx_control(t->ks, skb, record->type, record->seq);
		return;
	}
	af_ktls_run_end(t); /* what came before it, goes before it */
	if (t->run.allowed)
		af_ktls_run_look(&t->run, skb->data + AF_KTLS_PREFIX, skb->len - AF_KTLS_PREFIX);
	af_ktls_rx_packet(t, skb);
}

static struct sk_buff *af_ktls_rx_skb(struct af_ktls_tunnel *t, size_t size)
{
	struct sk_buff *skb = napi_alloc_skb(&t->rx, size + NET_SKB_PAD);

	if (!skb)
		return NULL;
	/* The packet behind the prefix is aligned. */
	skb_reserve(skb, L1_CACHE_BYTES - NET_IP_ALIGN - AF_KTLS_PREFIX);
	skb_put(skb, size);
	return skb;
}

/* A record that was decrypted in the run's room: of the run, or it moves to an skb of its own. */
static void af_ktls_rx_in_run(struct af_ktls_tunnel *t, const u8 *text, size_t length,
			      const struct af_ktls_record *record)
{
	struct sk_buff *skb;

	if (af_ktls_rx_for(t->to, record, text, length) &&
	    af_ktls_run_take(t, length - AF_KTLS_PREFIX)) {
		af_ktls_rx_count(t, length - AF_KTLS_PREFIX);
		return;
	}
	skb = af_ktls_rx_skb(t, length);
	if (skb)
		memcpy(skb->data, text, length);
	af_ktls_run_leave(&t->run);
	if (skb)
		af_ktls_rx_opened(t, skb, record);
	else
		af_ktls_count(t->ks, rx_errors);
}

static bool af_ktls_rx_accept(struct af_ktls_sock *ks, u64 seq)
{
	int err;

	spin_lock(&ks->rx_lock);
	err = af_ktls_window_accept(&ks->window, seq & AF_KTLS_SEQ_MAX);
	spin_unlock(&ks->rx_lock);
	if (err == -EALREADY)
		af_ktls_count(ks, rx_replayed);
	else if (err)
		af_ktls_count(ks, rx_old);
	return !err;
}

/*
 * One of our records: from where its sender may still write to where nobody else can, then
 * decrypted there.
 */
static void af_ktls_rx_record(struct af_ktls_tunnel *t, const struct sk_buff *datagram, int offset,
			      const u8 *header, const struct af_ktls_record *record)
{
	struct af_ktls_sock *ks = t->ks;
	size_t explicit = ks->cipher->explicit, sealed = record->length - explicit;
	size_t length = sealed - AF_KTLS_TAG;
	u8 *room = t->open ? af_ktls_run_room(&t->run, sealed) : NULL;
	struct sk_buff *skb = t->open && !room ? af_ktls_rx_skb(t, sealed) : NULL;
	u8 *text = skb ? skb->data : room;
	int err = -ENOMEM;

	if (text)
		err = af_ktls_rx_bytes(datagram, offset + AF_KTLS_HEADER + explicit, text, sealed);
	if (!err)
		err = af_ktls_job_open(ks, &t->open, skb, text, header + AF_KTLS_HEADER, record);
	if (!err && af_ktls_rx_accept(ks, record->seq)) {
		af_ktls_count(ks, rx_records);
		af_ktls_add(ks, rx_bytes, length);
		if (room) {
			af_ktls_rx_in_run(t, text, length, record);
		} else {
			skb_trim(skb, length);
			af_ktls_rx_opened(t, skb, record);
		}
		return;
	}
	if (err == -EBADMSG) {
		af_ktls_count(ks, rx_forged);
		af_ktls_dbg_record(ks, record->seq, "forged");
	} else if (err) {
		af_ktls_count(ks, rx_errors);
		af_ktls_dbg_record(ks, record->seq, "no memory, or the cipher's driver failed");
	}
	if (room)
		af_ktls_run_leave(&t->run);
	kfree_skb(skb);
}

/*
 * A handshake in this epoch is the library's, and goes to it by our socket: the UDP socket is not
 * read any more. Those of other epochs are over: both ends have this one's keys. Nothing of it is
 * authentic yet, so it leaves room to what is.
 */
static void af_ktls_rx_pass(struct af_ktls_sock *ks, const struct sk_buff *datagram, int offset,
			    const struct af_ktls_record *record)
{
	size_t size = AF_KTLS_HEADER + record->length;
	struct sk_buff *skb;

	if (record->type != AF_KTLS_TYPE_HANDSHAKE ||
	    af_ktls_epoch(record->seq) != ks->rx.epoch) {
		af_ktls_count(ks, tunnel_rx_stale);
		af_ktls_dbg_record(ks, record->seq, "no handshake of this epoch");
		return;
	}
	if (atomic_read(&ks->sk.sk_rmem_alloc) > READ_ONCE(ks->sk.sk_rcvbuf) / 2) {
		af_ktls_count(ks, rx_full);
		af_ktls_dbg_record(ks, record->seq, "no room for what is the library's");
		return;
	}
	skb = alloc_skb(size, GFP_ATOMIC | __GFP_NOWARN);
	if (!skb || skb_copy_bits(datagram, offset, skb_put(skb, size), size)) {
		af_ktls_count(ks, rx_errors);
		kfree_skb(skb);
		return;
	}
	af_ktls_count(ks, rx_passed);
	af_ktls_rx_control(ks, skb, KTLS_RAW, record->seq);
}

/* A datagram: one record, mostly. Returns how many were looked at. */
static int af_ktls_rx_datagram(struct af_ktls_tunnel *t, const struct sk_buff *skb, int offset,
			       int length)
{
	u8 header[AF_KTLS_HEADER + AF_KTLS_MAX_EXPLICIT];
	struct af_ktls_sock *ks = t->ks;
	struct af_ktls_record record;
	int seen, size, left = KTLS_MAX_RECORDS;

	for (seen = 0; length > 0; seen++, offset += size, length -= size) {
		enum af_ktls_verdict verdict = AF_KTLS_MALFORMED;

		/* Read once: what is judged is what is used. */
		if (!af_ktls_rx_header(skb, offset, header, length))
			verdict = af_ktls_record_parse(header, length, ks->rx.epoch, ks->cipher,
						       &record);
		if (verdict == AF_KTLS_MALFORMED) {
			af_ktls_count(ks, rx_malformed);
			af_ktls_dbg_bytes(ks, length, "malformed");
			return seen + 1;
		}
		size = AF_KTLS_HEADER + record.length;
		if (left-- <= 0) {
			af_ktls_count(ks, rx_excess);
			af_ktls_dbg_record(ks, record.seq, "too many in its datagram");
		} else if (verdict == AF_KTLS_PASS) {
			af_ktls_rx_pass(ks, skb, offset, &record);
		} else if (af_ktls_wanted(ks, record.seq, false)) {
			af_ktls_rx_record(t, skb, offset, header, &record);
		}
	}
	return seen;
}

/* Who has the packets of a train: a program of XDP's is the TUN driver's, which the daemon's write() meets. */
static void af_ktls_rx_look(struct af_ktls_tunnel *t)
{
	struct net_device *dev = READ_ONCE(t->dev);

	if (dev && dev_xdp_prog_count(dev))
		dev = NULL;
	t->to = dev;
	/* A driver that is done later has no place in a run. */
	t->run.allowed = dev && READ_ONCE(dev->flags) & IFF_UP &&
			 READ_ONCE(dev->features) & NETIF_F_GRO &&
			 !(crypto_aead_alg(t->ks->rx.aead)->base.cra_flags & CRYPTO_ALG_ASYNC);
}

static int af_ktls_rx_train(struct af_ktls_tunnel *t, struct sk_buff *skb)
{
	bool several = skb_is_gso(skb) && skb_shinfo(skb)->gso_type & SKB_GSO_UDP_L4;
	int size = several ? skb_shinfo(skb)->gso_size : skb->len, offset, seen = 0;

	/* Nobody else has verified it, if it is one by itself. */
	if (!skb_frags_readable(skb) || udp_lib_checksum_complete(skb)) {
		af_ktls_count(t->ks, rx_malformed);
		kfree_skb(skb);
		return 1;
	}
	af_ktls_count(t->ks, tunnel_rx_trains);
	af_ktls_rx_look(t);
	for (offset = 0; offset < skb->len; offset += size)
		seen += af_ktls_rx_datagram(t, skb, offset, min_t(int, size, skb->len - offset));
	consume_skb(skb);
	return seen;
}

/* What IP says of something sent: it may be forged, and ends nothing. */
static int af_ktls_rx_error(struct af_ktls_sock *ks, int err)
{
	af_ktls_tunnel_tell(ks, err);
	return 1;
}

static bool af_ktls_rx_idle(struct sock *lower)
{
	return skb_queue_empty_lockless(&lower->sk_receive_queue) &&
	       skb_queue_empty_lockless(&udp_sk(lower)->reader_queue) && !READ_ONCE(lower->sk_err);
}

/**
 * af_ktls_tunnel_rx - take datagrams from the UDP socket's queue
 * @napi: the tunnel's
 * @budget: how many records; the last train may go beyond
 */
int af_ktls_tunnel_rx(struct napi_struct *napi, int budget)
{
	struct af_ktls_tunnel *t = container_of(napi, struct af_ktls_tunnel, rx);
	struct sock *lower = t->ks->lower->sk;
	int work = 0, offset = 0, err = 0;
	struct sk_buff *skb;

	while (work < budget) {
		/* Asked of an empty queue, it might poll other devices from within this poll. */
		if (af_ktls_rx_idle(lower))
			break;
		skb = __skb_recv_udp(lower, MSG_DONTWAIT, &offset, &err);
		if (!skb && err == -EAGAIN)
			break;
		work += skb ? max(af_ktls_rx_train(t, skb), 1) : af_ktls_rx_error(t->ks, -err);
	}
	af_ktls_run_end(t);
	if (work < budget)
		napi_complete_done(napi, work);
	return min(work, budget);
}
