// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the TUN device to the wire, in softirq: a superpacket is cut into packets, each becomes a
 * record, encrypted in its place beside the others, and all of them leave as one train.
 */
#include <linux/udp.h>
#include <net/gso.h>
#include <net/udp.h>

#include "tunnel.h"

/* How long a full socket is left alone; then there may be room again. */
#define AF_KTLS_PAUSE		(50 * NSEC_PER_USEC)
/* What a train may have: records of one length, the last may be shorter (udp(7), UDP_SEGMENT). */
#define AF_KTLS_TRAIN_RECORDS	UDP_MAX_SEGMENTS
#define AF_KTLS_TRAIN_PAYLOAD	(IP_MAX_MTU - sizeof(struct iphdr) - sizeof(struct udphdr))

/* The device is there as long as this runs. */
static void af_ktls_tx_drop(struct af_ktls_tunnel *t, unsigned int packets)
{
	af_ktls_add(t->ks, tunnel_tx_dropped, packets);
	dev_core_stats_tx_dropped_inc(t->dev);
}

static void af_ktls_train_clear(struct af_ktls_train *train)
{
	train->skb = NULL;
	train->records = 0;
	train->payload = 0;
	train->bytes = 0;
}

/**
 * af_ktls_train_free - free what was not sent
 * @train: the train, which nobody works on any more
 */
void af_ktls_train_free(struct af_ktls_train *train)
{
	kfree_skb(train->skb);
	if (train->page.page)
		put_page(train->page.page);
}

static void af_ktls_train_depart(struct af_ktls_tunnel *t)
{
	struct af_ktls_train *train = &t->train;
	struct af_ktls_sock *ks = t->ks;
	struct sk_buff *skb = train->skb;
	int err;

	if (!skb)
		return;
	if (!train->records) {
		kfree_skb(skb);
		train->skb = NULL;
		return;
	}
	if (train->records > 1) {
		skb_shinfo(skb)->gso_size = train->size;
		skb_shinfo(skb)->gso_segs = train->records;
		skb_shinfo(skb)->gso_type = SKB_GSO_UDP_L4;
	}
	err = af_ktls_udp_depart(ks->lower->sk, skb);
	if (err) {
		af_ktls_add(ks, tx_errors, train->records);
		af_ktls_tx_drop(t, train->records);
		if (err == -EMSGSIZE)
			af_ktls_tunnel_tell(ks, EMSGSIZE); /* it lowers the device's MTU */
	} else {
		af_ktls_add(ks, tx_records, train->records);
		af_ktls_add(ks, tx_bytes, train->bytes + AF_KTLS_PREFIX * train->records);
		af_ktls_add(ks, tunnel_tx_packets, train->records);
		af_ktls_add(ks, tunnel_tx_bytes, train->bytes);
		af_ktls_count(ks, tunnel_tx_trains);
	}
	af_ktls_train_clear(train);
}

/* Would a record of `size` bytes go on the train's last page, or on another that it may have? */
static bool af_ktls_train_fits(const struct af_ktls_train *train, size_t size)
{
	return size <= train->size && train->records < AF_KTLS_TRAIN_RECORDS &&
	       train->payload + size <= AF_KTLS_TRAIN_PAYLOAD &&
	       skb_shinfo(train->skb)->nr_frags < MAX_SKB_FRAGS;
}

/* Room for a record, in the train or the next one; NULL: there is no memory. */
static u8 *af_ktls_train_room(struct af_ktls_tunnel *t, size_t size)
{
	struct af_ktls_train *train = &t->train;

	if (train->skb && !af_ktls_train_fits(train, size))
		af_ktls_train_depart(t);
	if (!train->skb) {
		train->skb = alloc_skb(AF_KTLS_HEADROOM, GFP_ATOMIC | __GFP_NOWARN);
		if (!train->skb)
			return NULL;
		skb_reserve(train->skb, AF_KTLS_HEADROOM);
		train->size = size;
	}
	if (!skb_page_frag_refill(size, &train->page, GFP_ATOMIC | __GFP_NOWARN))
		return NULL;
	/* It is content with a single page, whatever was asked for. */
	if (train->page.offset + size > train->page.size) {
		put_page(train->page.page);
		train->page.page = NULL;
		return NULL;
	}
	return page_address(train->page.page) + train->page.offset;
}

/* The record that is in the room is the train's last. */
static void af_ktls_train_add(struct af_ktls_tunnel *t, size_t size, size_t packet)
{
	struct af_ktls_train *train = &t->train;
	struct page_frag *page = &train->page;
	struct sk_buff *skb = train->skb;
	int frags = skb_shinfo(skb)->nr_frags;

	if (skb_can_coalesce(skb, frags, page->page, page->offset)) {
		skb_frag_size_add(&skb_shinfo(skb)->frags[frags - 1], size);
	} else {
		skb_fill_page_desc(skb, frags, page->page, page->offset, size);
		get_page(page->page);
	}
	page->offset += size;
	skb->len += size;
	skb->data_len += size;
	skb->truesize += size;
	train->payload += size;
	train->bytes += packet;
	train->records++;
}

/* Where a packet is to be written, behind the prefix of its record; NULL: it is dropped. */
static u8 *af_ktls_tx_place(struct af_ktls_tunnel *t, size_t length)
{
	const struct af_ktls_cipher *cipher = t->ks->cipher;
	u8 *record;

	if (AF_KTLS_PREFIX + length > KTLS_MAX_PAYLOAD || !t->seal)
		return NULL;
	record = af_ktls_train_room(t, af_ktls_overhead(cipher) + AF_KTLS_PREFIX + length);
	if (!record)
		return NULL;
	record += AF_KTLS_HEADER + cipher->explicit;
	*record = AF_KTLS_PREFIX_DATA;
	return record + AF_KTLS_PREFIX;
}

/* The packet is in its place. */
static bool af_ktls_tx_seal(struct af_ktls_tunnel *t, u8 *packet, size_t length)
{
	struct af_ktls_sock *ks = t->ks;
	size_t payload = AF_KTLS_PREFIX + length, size = af_ktls_overhead(ks->cipher) + payload;
	u8 *record = packet - AF_KTLS_PREFIX - ks->cipher->explicit - AF_KTLS_HEADER;
	int err;
	u64 seq;

	if (af_ktls_tx_number(ks, &seq)) {
		af_ktls_tunnel_tell(ks, EKEYEXPIRED);
		return false;
	}
	err = af_ktls_job_seal(ks, &t->seal, t->train.skb, record, payload, seq);
	if (err)
		af_ktls_count(ks, tx_errors);
	if (err && err != -EINPROGRESS)
		return false;
	af_ktls_train_add(t, size, length);
	if (err) {
		/* A driver writes to its pages yet: they stay until it is done, and nobody gets them. */
		af_ktls_tx_drop(t, t->train.records - 1);
		kfree_skb(t->train.skb);
		af_ktls_train_clear(&t->train);
		return false;
	}
	/* Nothing may follow a shorter one. */
	if (size < t->train.size)
		af_ktls_train_depart(t);
	return true;
}

/* A packet as it leaves, but for a checksum that is left to whoever copies it. */
static void af_ktls_tx_packet(struct af_ktls_tunnel *t, const struct sk_buff *skb)
{
	u8 *packet = NULL;

	if (skb->ip_summed != CHECKSUM_PARTIAL ||
	    skb_checksum_start_offset(skb) <= skb_headlen(skb))
		packet = af_ktls_tx_place(t, skb->len);
	if (packet)
		skb_copy_and_csum_dev(skb, packet);
	if (!packet || !af_ktls_tx_seal(t, packet, skb->len))
		af_ktls_tx_drop(t, 1);
}

static int af_ktls_tx_segments(struct af_ktls_tunnel *t, struct sk_buff *segments)
{
	struct sk_buff *skb, *next;
	int count = 0;

	skb_list_walk_safe(segments, skb, next) {
		skb_mark_not_on_list(skb);
		af_ktls_tx_packet(t, skb);
		consume_skb(skb);
		count++;
	}
	return count;
}

/* What is left of a superpacket goes where one of it had no room. */
static int af_ktls_tx_cut(struct af_ktls_tunnel *t, struct af_ktls_cut *cut)
{
	unsigned int length;
	int count = 0;
	u8 *packet;

	while ((length = af_ktls_cut_next(cut))) {
		count++;
		packet = af_ktls_tx_place(t, length);
		if (packet)
			af_ktls_cut_write(cut, packet);
		if (!packet || !af_ktls_tx_seal(t, packet, length)) {
			af_ktls_tx_drop(t, 1);
			break;
		}
	}
	return count;
}

/* What the ring has: a packet, a superpacket, or a frame of XDP's. Returns how many packets. */
static int af_ktls_tx_frame(struct af_ktls_tunnel *t, void *frame)
{
	struct sk_buff *skb = frame, *segments = NULL;
	struct af_ktls_cut cut;
	int count;

	if (tun_is_xdp_frame(frame)) {
		t->ptr_free(frame);
		af_ktls_tx_drop(t, 1);
		return 1;
	}
	if (skb->protocol != htons(ETH_P_IP) && skb->protocol != htons(ETH_P_IPV6))
		goto drop;
	/* As a reader of the descriptor would be counted: a superpacket is one. */
	dev_sw_netstats_tx_add(t->dev, 1, skb->len);
	if (skb_is_gso(skb) && af_ktls_cut_begin(&cut, skb)) {
		count = af_ktls_tx_cut(t, &cut);
		consume_skb(skb);
		return count;
	}
	if (skb_is_gso(skb)) {
		segments = __skb_gso_segment(skb, NETIF_F_SG | NETIF_F_HW_CSUM, true);
		if (IS_ERR(segments))
			goto drop;
	}
	if (!segments)
		return af_ktls_tx_segments(t, skb);
	consume_skb(skb);
	return af_ktls_tx_segments(t, segments);
drop:
	kfree_skb(skb);
	af_ktls_tx_drop(t, 1);
	return 1;
}

/* The socket's send buffer is the bound of what is on its way; what has no room waits in the ring. */
static bool af_ktls_tx_full(struct af_ktls_tunnel *t)
{
	struct sock *lower = t->ks->lower->sk;

	if (sk_wmem_alloc_get(lower) < READ_ONCE(lower->sk_sndbuf))
		return false;
	hrtimer_start(&t->pause, AF_KTLS_PAUSE, HRTIMER_MODE_REL_SOFT);
	return true;
}

/**
 * af_ktls_tunnel_paused - there may be room to send again
 * @timer: the tunnel's
 */
enum hrtimer_restart af_ktls_tunnel_paused(struct hrtimer *timer)
{
	napi_schedule(&container_of(timer, struct af_ktls_tunnel, pause)->tx);
	return HRTIMER_NORESTART;
}

static void *af_ktls_tx_take(struct af_ktls_tunnel *t)
{
	void *frame;

	if (af_ktls_tx_full(t))
		return NULL;
	/* Who reads or polls the descriptor takes it with softirqs on: whom we interrupt we must not wait for. */
	if (!spin_trylock(&t->ring->consumer_lock)) {
		hrtimer_start(&t->pause, AF_KTLS_PAUSE, HRTIMER_MODE_REL_SOFT);
		return NULL;
	}
	frame = __ptr_ring_consume(t->ring);
	if (frame && t->wake_queue)
		t->wake_queue(t->file, 1);
	spin_unlock(&t->ring->consumer_lock);
	return frame;
}

/**
 * af_ktls_tunnel_tx - send packets that are in the ring
 * @napi: the tunnel's
 * @budget: how many packets; the last superpackets may go beyond
 */
int af_ktls_tunnel_tx(struct napi_struct *napi, int budget)
{
	struct af_ktls_tunnel *t = container_of(napi, struct af_ktls_tunnel, tx);
	void *frame;
	int work = 0;

	while (work < budget && (frame = af_ktls_tx_take(t)))
		work += af_ktls_tx_frame(t, frame);
	af_ktls_train_depart(t);
	if (work < budget)
		napi_complete_done(napi, work);
	return min(work, budget);
}
