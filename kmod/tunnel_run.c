// SPDX-License-Identifier: GPL-2.0-only
/*
 * A run: packets of one TCP stream that follow each other, put together where their records are decrypted, so that none of them
 * has an skb and a way through GRO of its own. A record is decrypted with its packet's payload right behind the payload
 * before: its headers lie on the end of that one meanwhile, which is kept aside and put back. What GRO would not merge is
 * not merged here, and what becomes of a run is GRO's, as a packet that a device has merged.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <net/gro.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/tcp.h>

#include "tunnel.h"

/**
 * struct af_ktls_segment - a packet of TCP that might be one of a run
 * @headers: its headers, and more of it
 * @six: IPv6
 * @transport: where TCP's header begins
 * @head: bytes of headers
 * @payload: bytes of payload
 * @flags: TCP's flags
 */
struct af_ktls_segment {
	u8 headers[AF_KTLS_RUN_HEAD] __aligned(8);
	bool six;
	unsigned int transport;
	unsigned int head;
	unsigned int payload;
	u8 flags;
};

static bool af_ktls_segment_network(struct af_ktls_segment *s, size_t length)
{
	const struct iphdr *ip = (void *)s->headers;
	const struct ipv6hdr *ip6 = (void *)s->headers;

	s->six = ip->version == 6;
	if (s->six) {
		s->transport = sizeof(*ip6);
		return ip6->nexthdr == IPPROTO_TCP &&
		       ntohs(ip6->payload_len) == length - s->transport;
	}
	s->transport = sizeof(*ip);
	return ip->version == 4 && ip->ihl == 5 && ip->protocol == IPPROTO_TCP &&
	       !ip_is_fragment(ip) && ntohs(ip->tot_len) == length && !ip_fast_csum(ip, 5);
}

/* With payload, and nothing but ACK said, or PSH. Small ones are not worth it. */
static bool af_ktls_segment_parse(struct af_ktls_segment *s, const u8 *packet, size_t length)
{
	const struct tcphdr *tcp;

	if (length < sizeof(s->headers))
		return false;
	memcpy(s->headers, packet, sizeof(s->headers));
	if (!af_ktls_segment_network(s, length))
		return false;
	tcp = (void *)s->headers + s->transport;
	s->head = s->transport + tcp->doff * 4;
	s->payload = length - s->head;
	s->flags = tcp_flag_byte(tcp);
	return tcp->doff >= 5 && s->head < length && !(((u8 *)tcp)[12] & 0xf) && /* reserved */
	       (s->flags | TCPHDR_PSH) == (TCPHDR_ACK | TCPHDR_PSH);
}

static bool af_ktls_segment_same_network(const struct af_ktls_segment *s, const void *first)
{
	const struct ipv6hdr *ip6 = (void *)s->headers, *was6 = first;
	const struct iphdr *ip = (void *)s->headers, *was = first;

	if (s->six)
		return *(__be32 *)ip6 == *(__be32 *)was6 && ip6->hop_limit == was6->hop_limit &&
		       !memcmp(&ip6->saddr, &was6->saddr, 2 * sizeof(ip6->saddr));
	return ip->tos == was->tos && ip->frag_off == was->frag_off && ip->ttl == was->ttl &&
	       ip->saddr == was->saddr && ip->daddr == was->daddr;
}

/* Is it what comes after the run's last? The first says what all of them have in common. */
static bool af_ktls_segment_follows(const struct af_ktls_segment *s, const struct af_ktls_run *run)
{
	const struct tcphdr *tcp = (void *)s->headers + s->transport, *was;

	if (s->head != run->head || s->six != run->six || s->payload > run->size ||
	    run->skb->len + s->payload >= GRO_LEGACY_MAX_SIZE)
		return false;
	if (!s->six && ntohs(((struct iphdr *)s->headers)->id) != run->id)
		return false;
	was = (void *)run->skb->data + s->transport;
	return ntohl(tcp->seq) == run->seq && tcp->source == was->source &&
	       tcp->dest == was->dest && tcp->ack_seq == was->ack_seq &&
	       tcp->window == was->window && tcp->urg_ptr == was->urg_ptr &&
	       af_ktls_segment_same_network(s, run->skb->data) &&
	       !memcmp(tcp + 1, was + 1, s->head - s->transport - sizeof(*tcp));
}

/**
 * af_ktls_run_room - where a record can be decrypted
 * @run: the run
 * @size: bytes of the record, behind its nonce
 *
 * Return: as many bytes, which nobody else can see; NULL: not in a run. Followed by
 * af_ktls_run_take() or af_ktls_run_leave().
 */
u8 *af_ktls_run_room(struct af_ktls_run *run, size_t size)
{
	struct page_frag *page = &run->page;
	unsigned int under = run->skb ? AF_KTLS_PREFIX + run->head : 0;

	if (!run->allowed || !run->likely)
		return NULL;
	if (!page->page || page->offset - under + size > page->size) {
		under = 0;
		if (!skb_page_frag_refill(size, page, GFP_ATOMIC | __GFP_NOWARN))
			return NULL;
		/* It is content with a single page, whatever was asked for. */
		if (page->offset + size > page->size)
			return NULL;
	}
	run->under = under;
	run->text = page_address(page->page) + page->offset - under;
	memcpy(run->kept, run->text, under);
	return run->text;
}

/**
 * af_ktls_run_leave - what was in the room is no part of the run
 * @run: the run
 */
void af_ktls_run_leave(struct af_ktls_run *run)
{
	memcpy(run->text, run->kept, run->under);
}

static void af_ktls_run_add(struct af_ktls_run *run, const struct af_ktls_segment *s)
{
	struct sk_buff *skb = run->skb;
	struct page_frag *page = &run->page;
	int frags = skb_shinfo(skb)->nr_frags;
	unsigned int at = run->text + AF_KTLS_PREFIX + s->head - (u8 *)page_address(page->page);

	if (skb_can_coalesce(skb, frags, page->page, at)) {
		skb_frag_size_add(&skb_shinfo(skb)->frags[frags - 1], s->payload);
	} else {
		skb_fill_page_desc(skb, frags, page->page, at, s->payload);
		get_page(page->page);
	}
	page->offset = at + s->payload;
	skb->len += s->payload;
	skb->data_len += s->payload;
	skb->truesize += s->payload;
	run->seq += s->payload;
	run->id++;
	run->count++;
}

static bool af_ktls_run_begin(struct af_ktls_tunnel *t, const struct af_ktls_segment *s)
{
	struct sk_buff *skb = napi_alloc_skb(&t->rx, sizeof(s->headers) + NET_SKB_PAD);
	const struct tcphdr *tcp = (void *)s->headers + s->transport;
	struct af_ktls_run *run = &t->run;

	if (!skb)
		return false;
	skb_reserve(skb, NET_SKB_PAD - NET_IP_ALIGN); /* the packet is aligned */
	skb_put_data(skb, s->headers, s->head);
	af_ktls_tunnel_dress(skb, t->to, s->six ? htons(ETH_P_IPV6) : htons(ETH_P_IP));
	run->skb = skb;
	run->six = s->six;
	run->transport = s->transport;
	run->head = s->head;
	run->size = s->payload;
	run->seq = ntohl(tcp->seq);
	run->id = ntohs(((struct iphdr *)s->headers)->id);
	run->count = 0;
	return true;
}

/**
 * af_ktls_run_look - a packet has come that was not decrypted in the room: could the next one be?
 * @run: the run
 * @packet: the packet
 * @length: its length
 */
void af_ktls_run_look(struct af_ktls_run *run, const u8 *packet, size_t length)
{
	struct af_ktls_segment s;

	run->likely = af_ktls_segment_parse(&s, packet, length);
}

/**
 * af_ktls_run_take - a packet is in the room, behind its prefix: is it one of a run?
 * @t: the tunnel
 * @length: bytes of the packet
 *
 * Return: whether it is, and will reach the device with the run. If not, the packet is where it was, and a run that there
 * is has to end before the packet goes on: af_ktls_run_leave(), af_ktls_run_end().
 */
bool af_ktls_run_take(struct af_ktls_tunnel *t, size_t length)
{
	struct af_ktls_run *run = &t->run;
	struct af_ktls_segment s;
	bool follows;

	run->likely = af_ktls_segment_parse(&s, run->text + AF_KTLS_PREFIX, length);
	follows = run->likely && run->skb && af_ktls_segment_follows(&s, run);
	if (follows) {
		/* Its headers lie where the payload before ends, if that is on the same page. */
		af_ktls_run_leave(run);
	} else if (run->skb || !run->likely || s.flags != TCPHDR_ACK ||
		   !af_ktls_run_begin(t, &s)) {
		return false;
	}
	af_ktls_run_add(run, &s);
	if (s.flags & TCPHDR_PSH)
		tcp_flag_byte((struct tcphdr *)(run->skb->data + run->transport)) |= TCPHDR_PSH;
	/* Nothing may follow a shorter one. */
	if (s.flags & TCPHDR_PSH || s.payload < run->size ||
	    skb_shinfo(run->skb)->nr_frags == MAX_SKB_FRAGS)
		af_ktls_run_end(t);
	return true;
}

/* The headers of the first become those of all. */
static void af_ktls_run_finish(struct af_ktls_run *run)
{
	struct sk_buff *skb = run->skb;
	struct ipv6hdr *ip6 = (void *)skb->data;
	struct iphdr *ip = (void *)skb->data;
	struct tcphdr *tcp = (void *)skb->data + run->transport;
	unsigned int length = skb->len - run->transport;

	if (run->six) {
		ip6->payload_len = htons(length);
		tcp->check = ~tcp_v6_check(length, &ip6->saddr, &ip6->daddr, 0);
	} else {
		ip->tot_len = htons(skb->len);
		ip_send_check(ip);
		tcp->check = ~tcp_v4_check(length, ip->saddr, ip->daddr, 0);
	}
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = (u8 *)tcp - skb->head;
	skb->csum_offset = offsetof(struct tcphdr, check);
	skb_shinfo(skb)->gso_size = run->size;
	skb_shinfo(skb)->gso_segs = run->count;
	skb_shinfo(skb)->gso_type = run->six ? SKB_GSO_TCPV6 : SKB_GSO_TCPV4;
}

/**
 * af_ktls_run_end - what there is of a run goes to the device
 * @t: the tunnel
 */
void af_ktls_run_end(struct af_ktls_tunnel *t)
{
	struct af_ktls_run *run = &t->run;
	struct sk_buff *skb = run->skb;

	if (!skb)
		return;
	if (run->count > 1)
		af_ktls_run_finish(run);
	run->skb = NULL;
	napi_gro_receive(&t->rx, skb);
}

/**
 * af_ktls_run_free - free what is left, when nobody works on it any more
 * @run: the run
 */
void af_ktls_run_free(struct af_ktls_run *run)
{
	kfree_skb(run->skb);
	if (run->page.page)
		put_page(run->page.page);
}
