// SPDX-License-Identifier: GPL-2.0-only
/*
 * A superpacket of TCP as the local stack makes it, cut into the packets that it stands for, each written once: to where it is
 * encrypted. Everything else is cut by skb_segment(), which makes an skb of each.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/tcp.h>

#include "tunnel.h"

static bool af_ktls_cut_network(struct af_ktls_cut *cut)
{
	const struct iphdr *ip = (void *)cut->headers;
	const struct ipv6hdr *ip6 = (void *)cut->headers;
	unsigned int length = cut->skb->len;

	if (cut->six) {
		cut->transport = sizeof(*ip6);
		return ip6->version == 6 && ip6->nexthdr == IPPROTO_TCP &&
		       ntohs(ip6->payload_len) == length - cut->transport;
	}
	cut->transport = ip->ihl * 4;
	return ip->version == 4 && ip->ihl >= 5 && ip->protocol == IPPROTO_TCP &&
	       !ip_is_fragment(ip) && ntohs(ip->tot_len) == length;
}

/**
 * af_ktls_cut_begin - begin to cut a superpacket
 * @cut: state
 * @skb: the superpacket, which stays as it is
 *
 * Return: whether it is one that can be cut here.
 */
bool af_ktls_cut_begin(struct af_ktls_cut *cut, const struct sk_buff *skb)
{
	unsigned int type = skb_shinfo(skb)->gso_type & ~SKB_GSO_TCP_ECN;
	unsigned int there = min_t(unsigned int, skb->len, sizeof(cut->headers));
	const struct tcphdr *tcp;

	cut->skb = skb;
	cut->six = type == SKB_GSO_TCPV6;
	if ((type != SKB_GSO_TCPV4 && !cut->six) || skb->ip_summed != CHECKSUM_PARTIAL ||
	    there < sizeof(struct ipv6hdr) + sizeof(*tcp) || !skb_shinfo(skb)->gso_size ||
	    skb_copy_bits(skb, 0, cut->headers, there) || !af_ktls_cut_network(cut))
		return false;
	tcp = (void *)cut->headers + cut->transport;
	cut->head = cut->transport + tcp->doff * 4;
	if (tcp->doff < 5 || cut->head >= skb->len || cut->head > there)
		return false;
	cut->id = ntohs(((struct iphdr *)cut->headers)->id);
	cut->seq = ntohl(tcp->seq);
	cut->flags = tcp_flag_byte(tcp);
	cut->at = 0;
	return true;
}

/**
 * af_ktls_cut_next - length of the next packet; 0: there is none
 * @cut: state
 */
unsigned int af_ktls_cut_next(const struct af_ktls_cut *cut)
{
	unsigned int left = cut->skb->len - cut->head - cut->at;

	return left ? cut->head + min_t(unsigned int, left, skb_shinfo(cut->skb)->gso_size) : 0;
}

/* As tcp_gso_segment() has them: what ends a run stands in the last, what tells of congestion in the first. */
static u8 af_ktls_cut_flags(const struct af_ktls_cut *cut, unsigned int payload)
{
	u8 flags = cut->flags;

	if (cut->head + cut->at + payload < cut->skb->len)
		flags &= ~(TCPHDR_FIN | TCPHDR_PSH);
	if (cut->at)
		flags &= ~TCPHDR_CWR;
	return flags;
}

/**
 * af_ktls_cut_write - write the next packet
 * @cut: state
 * @to: where to; af_ktls_cut_next() bytes
 */
void af_ktls_cut_write(struct af_ktls_cut *cut, u8 *to)
{
	unsigned int length = af_ktls_cut_next(cut), payload = length - cut->head;
	unsigned int segment = length - cut->transport;
	struct tcphdr *tcp = (void *)cut->headers + cut->transport;
	struct ipv6hdr *ip6 = (void *)cut->headers;
	struct iphdr *ip = (void *)cut->headers;
	__wsum sum;

	tcp->seq = htonl(cut->seq + cut->at);
	tcp_flag_byte(tcp) = af_ktls_cut_flags(cut, payload);
	tcp->check = 0;
	sum = skb_copy_and_csum_bits(cut->skb, cut->head + cut->at, to + cut->head, payload);
	sum = csum_partial(tcp, cut->head - cut->transport, sum);
	if (cut->six) {
		ip6->payload_len = htons(segment);
		tcp->check = csum_ipv6_magic(&ip6->saddr, &ip6->daddr, segment, IPPROTO_TCP, sum);
	} else {
		ip->tot_len = htons(length);
		ip->id = htons(cut->id++);
		ip->check = 0;
		ip->check = ip_fast_csum(ip, ip->ihl);
		tcp->check = csum_tcpudp_magic(ip->saddr, ip->daddr, segment, IPPROTO_TCP, sum);
	}
	memcpy(to, cut->headers, cut->head);
	cut->at += payload;
}
