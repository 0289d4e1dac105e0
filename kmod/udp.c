// SPDX-License-Identifier: GPL-2.0
/*
 * Datagrams of our own through the UDP socket underneath.
 *
 * The usual one goes to IP as it is: the socket has a route, and the datagram fits it. Whatever is unusual goes
 * through the socket's own sendmsg(), which copies, but knows what to do: it finds a route and remembers it, cuts
 * into fragments, or says EMSGSIZE.
 */
#include <linux/bvec.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>
#include <net/udp.h>

#include "af_ktls.h"

/* Room for what lower layers put in front: links, IPv6, UDP. Tunnels' devices get more if they need it. */
#define KTLS_HEADROOM	(LL_MAX_HEADER + sizeof(struct ipv6hdr) + sizeof(struct udphdr))
/* What fits a page with everything that belongs to it; the rest goes to single pages: large ones are scarce. */
#define KTLS_LINEAR	(SKB_WITH_OVERHEAD(PAGE_SIZE) - KTLS_HEADROOM)

/**
 * ktls_udp_alloc - room for a datagram's payload, when the socket has room to send
 * @lower: the UDP socket
 * @size: of the payload
 * @noblock: do not wait
 * @err: what went wrong, if NULL is returned: EAGAIN, EINTR, ENOBUFS, EPIPE, or what is pending at the UDP socket
 */
struct sk_buff *ktls_udp_alloc(struct sock *lower, size_t size, bool noblock, int *err)
{
	size_t linear = min(size, KTLS_LINEAR);
	struct sk_buff *skb = sock_alloc_send_pskb(lower, KTLS_HEADROOM + linear, size - linear, noblock, err, 0);

	if (!skb)
		return NULL;
	skb_reserve(skb, KTLS_HEADROOM);
	skb_put(skb, linear);
	skb->data_len = size - linear;
	skb->len += size - linear;
	return skb;
}

/* The socket's route, if it has one that is good for `size` bytes of IP's payload; under RCU. */
static struct dst_entry *ktls_route(struct sock *sk, u32 cookie, size_t size)
{
	struct dst_entry *dst = rcu_dereference(sk->sk_dst_cache);

	if (!dst || (READ_ONCE(dst->obsolete) && !dst->ops->check(dst, cookie)))
		return NULL;
	return size <= dst_mtu(dst) ? dst : NULL;
}

static void ktls_udp_header(struct sock *sk, struct sk_buff *skb)
{
	struct udphdr *udp;

	skb_push(skb, sizeof(*udp));
	skb_reset_transport_header(skb);
	udp = udp_hdr(skb);
	udp->source = inet_sk(sk)->inet_sport;
	udp->dest = inet_sk(sk)->inet_dport;
	udp->len = htons(skb->len);
	udp->check = 0;
}

/* False: not usual, nothing was done. Else the skb is gone; under RCU. */
static bool ktls_send4(struct sock *sk, struct sk_buff *skb, int *err)
{
	struct inet_sock *inet = inet_sk(sk);
	struct flowi fl = { .u.ip4.saddr = inet->inet_saddr, .u.ip4.daddr = inet->inet_daddr };
	struct dst_entry *dst = ktls_route(sk, 0, sizeof(struct iphdr) + sizeof(struct udphdr) + skb->len);

	if (!dst || rcu_access_pointer(inet->inet_opt))
		return false;
	ktls_udp_header(sk, skb);
	udp_set_csum(sk->sk_no_check_tx, skb, fl.u.ip4.saddr, fl.u.ip4.daddr, skb->len);
	skb_dst_set_noref(skb, dst);
	*err = ip_queue_xmit(sk, skb, &fl);
	return true;
}

#if IS_ENABLED(CONFIG_IPV6)
static bool ktls_send6(struct sock *sk, struct sk_buff *skb, int *err)
{
	struct ipv6_pinfo *np = inet6_sk(sk);
	struct flowi6 fl6 = {
		.flowi6_proto = IPPROTO_UDP,
		.saddr = np->saddr,
		.daddr = sk->sk_v6_daddr,
		.flowlabel = np->flow_label,
		.fl6_sport = inet_sk(sk)->inet_sport,
		.fl6_dport = inet_sk(sk)->inet_dport,
	};
	struct dst_entry *dst;

	dst = ktls_route(sk, READ_ONCE(np->dst_cookie), sizeof(struct ipv6hdr) + sizeof(struct udphdr) + skb->len);
	if (!dst || rcu_access_pointer(np->opt))
		return false;
	ktls_udp_header(sk, skb);
	udp6_set_csum(udp_get_no_check6_tx(sk), skb, &fl6.saddr, &fl6.daddr, skb->len);
	skb_dst_set_noref(skb, dst);
	*err = ip6_xmit(sk, skb, &fl6, READ_ONCE(sk->sk_mark), NULL, np->tclass, READ_ONCE(sk->sk_priority));
	return true;
}
#endif

static int ktls_send_slowly(struct socket *lower, struct sk_buff *skb)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct bio_vec parts[1 + MAX_SKB_FRAGS];
	int i, err, count = 0;

	if (skb_headlen(skb))
		bvec_set_virt(&parts[count++], skb->data, skb_headlen(skb));
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

		bvec_set_page(&parts[count++], skb_frag_page(frag), skb_frag_size(frag), skb_frag_off(frag));
	}
	/* It is accounted for again on its way. */
	skb_orphan(skb);
	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, parts, count, skb->len);
	err = sock_sendmsg(lower, &msg);
	consume_skb(skb);
	/* The room that it had was taken by another: not to be waited for with a number used and others behind. */
	return err == -EAGAIN ? -ENOBUFS : min(err, 0);
}

/**
 * ktls_udp_send - send a datagram
 * @lower: the UDP socket
 * @skb: the payload, of ktls_udp_alloc(); consumed
 *
 * Return: 0 or what the UDP socket would say. A queue that drops it is the network's, as for any UDP socket.
 */
int ktls_udp_send(struct socket *lower, struct sk_buff *skb)
{
	struct sock *sk = lower->sk;
	bool usual = false;
	int err;

	rcu_read_lock();
	/* It may have been disconnected since. */
	if (READ_ONCE(sk->sk_state) == TCP_ESTABLISHED) {
#if IS_ENABLED(CONFIG_IPV6)
		if (sk->sk_family == AF_INET6 && !ipv6_addr_v4mapped(&sk->sk_v6_daddr))
			usual = ktls_send6(sk, skb, &err);
		else
#endif
			usual = ktls_send4(sk, skb, &err);
	}
	rcu_read_unlock();
	if (!usual)
		return ktls_send_slowly(lower, skb);
	return err > 0 || err == -ENOBUFS ? 0 : err;
}
