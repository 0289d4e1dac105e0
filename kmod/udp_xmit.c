// SPDX-License-Identifier: GPL-2.0-only
/*
 * Datagrams of our own through the UDP socket underneath.
 *
 * The usual one goes to IP as it is: the socket has a route, and the datagram fits it. Whatever is
 * unusual goes through the socket's own sendmsg(), which copies, but knows what to do: it finds a
 * route and remembers it, cuts into fragments, or says EMSGSIZE.
 */
#include <linux/bvec.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/udp.h>

#include "af_ktls.h"

/*
 * What fits a page with everything that belongs to it; the rest goes to single pages: large ones
 * are scarce.
 */
#define AF_KTLS_LINEAR	(SKB_WITH_OVERHEAD(PAGE_SIZE) - AF_KTLS_HEADROOM)

/* Sleep until there may be room at the UDP socket, or an error of ours or of that one. */
static int af_ktls_udp_wait(struct af_ktls_sock *ks, struct sock *lower, long *timeout)
{
	DEFINE_WAIT(wait);
	int err = 0;

	set_bit(SOCK_NOSPACE, &lower->sk_socket->flags);
	prepare_to_wait(sk_sleep(lower), &wait, TASK_INTERRUPTIBLE);
	if (READ_ONCE(ks->sk.sk_shutdown) & SEND_SHUTDOWN)
		err = -EPIPE;
	else if (signal_pending(current))
		err = sock_intr_errno(*timeout);
	else if (!*timeout)
		err = -EAGAIN;
	else if (sk_wmem_alloc_get(lower) >= READ_ONCE(lower->sk_sndbuf) &&
		 !READ_ONCE(lower->sk_err) && !(READ_ONCE(lower->sk_shutdown) & SEND_SHUTDOWN))
		*timeout = schedule_timeout(*timeout);
	finish_wait(sk_sleep(lower), &wait);
	return err;
}

/**
 * af_ktls_udp_wake - wake who waits for room: our socket is shut down or detached
 * @ks: our socket, attached
 */
void af_ktls_udp_wake(struct af_ktls_sock *ks)
{
	wake_up_interruptible_poll(sk_sleep(ks->lower->sk), EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
}

/**
 * af_ktls_udp_alloc - room for a datagram's payload, when the UDP socket has room to send
 * @ks: our socket, attached
 * @size: of the payload
 * @noblock: do not wait
 * @err: what went wrong, if NULL is returned: EAGAIN, EINTR, ENOBUFS, EPIPE, or what is pending at
 *       the UDP socket
 */
struct sk_buff *af_ktls_udp_alloc(struct af_ktls_sock *ks, size_t size, bool noblock, int *err)
{
	size_t linear = min(size, AF_KTLS_LINEAR), pages = size - linear;
	struct sock *lower = ks->lower->sk;
	long timeout = sock_sndtimeo(lower, noblock);
	struct sk_buff *skb;

	for (;;) {
		skb = sock_alloc_send_pskb(lower, AF_KTLS_HEADROOM + linear, pages, true, err, 0);
		if (skb || *err != -EAGAIN || noblock)
			break;
		*err = af_ktls_udp_wait(ks, lower, &timeout);
		if (*err)
			break;
	}
	if (!skb)
		return NULL;
	skb_reserve(skb, AF_KTLS_HEADROOM);
	skb_put(skb, linear);
	skb->data_len = size - linear;
	skb->len += size - linear;
	return skb;
}

/* What a datagram needs of its socket, all of one moment: connect() changes it at any. */
struct af_ktls_way {
	struct dst_entry *dst;		/* ours; NULL: the socket has none that would do */
	int family;
	__be16 source, dest;
	u8 tclass;
	struct flowi flow;
};

/*
 * The socket's route, if it has one that is good for `size` bytes of IP's payload. An IPv6 socket
 * has IPv4's after a mapped peer, and whoever sends through the socket itself may put there one of
 * before.
 */
static struct dst_entry *af_ktls_route(struct sock *sk, int family, u32 cookie, size_t size)
{
	struct dst_entry *dst = sk_dst_get(sk);

	if (dst && (dst->ops->family != family ||
		    (READ_ONCE(dst->obsolete) && !dst->ops->check(dst, cookie)) ||
		    size > dst_mtu(dst))) {
		dst_release(dst);
		return NULL;
	}
	return dst;
}

static void af_ktls_way4(struct sock *sk, size_t size, struct af_ktls_way *way)
{
	struct inet_sock *inet = inet_sk(sk);

	/* Groups have a TTL and an interface of their own. */
	if (ipv4_is_multicast(inet->inet_daddr) || rcu_access_pointer(inet->inet_opt))
		return;
	way->family = AF_INET;
	way->flow.u.ip4.saddr = inet->inet_saddr;
	way->flow.u.ip4.daddr = inet->inet_daddr;
	way->dst = af_ktls_route(sk, AF_INET, 0, sizeof(struct iphdr) + size);
}

#if IS_ENABLED(CONFIG_IPV6)
static void af_ktls_way6(struct sock *sk, size_t size, struct af_ktls_way *way)
{
	struct ipv6_pinfo *np = inet6_sk(sk);

	if (ipv6_addr_is_multicast(&sk->sk_v6_daddr) || rcu_access_pointer(np->opt))
		return;
	way->family = AF_INET6;
	way->tclass = np->tclass;
	way->flow.u.ip6.flowi6_proto = IPPROTO_UDP;
	way->flow.u.ip6.saddr = np->saddr;
	way->flow.u.ip6.daddr = sk->sk_v6_daddr;
	way->flow.u.ip6.flowlabel = np->flow_label;
	way->flow.u.ip6.fl6_sport = inet_sk(sk)->inet_sport;
	way->flow.u.ip6.fl6_dport = inet_sk(sk)->inet_dport;
	way->dst = af_ktls_route(sk, AF_INET6, np->dst_cookie, sizeof(struct ipv6hdr) + size);
}
#endif

/* Where a datagram of `size` bytes goes; no `dst`: the socket itself must find out. It is locked. */
static void af_ktls_way_locked(struct sock *sk, size_t size, struct af_ktls_way *way)
{
	memset(way, 0, sizeof(*way));
	/* It may have been disconnected since. */
	if (sk->sk_state != TCP_ESTABLISHED || sock_flag(sk, SOCK_LOCALROUTE))
		return;
	way->source = inet_sk(sk)->inet_sport;
	way->dest = inet_sk(sk)->inet_dport;
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6 && !ipv6_addr_v4mapped(&sk->sk_v6_daddr)) {
		af_ktls_way6(sk, size, way);
		return;
	}
#endif
	af_ktls_way4(sk, size, way);
}

static bool af_ktls_way(struct sock *sk, size_t size, struct af_ktls_way *way)
{
	bool slow = lock_sock_fast(sk);

	af_ktls_way_locked(sk, size, way);
	unlock_sock_fast(sk, slow);
	return way->dst;
}

/* A route for a socket that has none that is good any more; it remembers it. It is locked. */
static void af_ktls_way_find(struct sock *sk, struct af_ktls_way *way)
{
	struct dst_entry *dst = NULL;

	if (way->family == AF_INET) {
		struct inet_sock *inet = inet_sk(sk);
		struct rtable *route;

		route = ip_route_output_ports(sock_net(sk), &way->flow.u.ip4, sk, inet->inet_daddr,
					      inet->inet_saddr, way->dest, way->source,
					      IPPROTO_UDP, READ_ONCE(inet->tos),
					      READ_ONCE(sk->sk_bound_dev_if));
		dst = IS_ERR(route) ? NULL : &route->dst;
	}
#if IS_ENABLED(CONFIG_IPV6)
	if (way->family == AF_INET6) {
		struct flowi6 *fl = &way->flow.u.ip6;

		fl->flowi6_oif = READ_ONCE(sk->sk_bound_dev_if);
		fl->flowi6_mark = READ_ONCE(sk->sk_mark);
		fl->flowi6_uid = sock_net_uid(sock_net(sk), sk);
		dst = ip6_dst_lookup_flow(sock_net(sk), sk, fl, NULL);
		if (IS_ERR(dst))
			dst = NULL;
		else
			inet6_sk(sk)->dst_cookie = rt6_get_cookie(dst_rt6_info(dst));
	}
#endif
	if (dst) {
		dst_hold(dst);
		sk_dst_set(sk, dst);
	}
	way->dst = dst;
}

/* As af_ktls_way(), where nobody can wait: the route is looked up here. */
static int af_ktls_way_now(struct sock *sk, struct af_ktls_way *way)
{
	int err = 0;

	bh_lock_sock(sk);
	if (sock_owned_by_user(sk)) {
		err = -EAGAIN;
	} else {
		/* Whether it fits, IP says. */
		af_ktls_way_locked(sk, 0, way);
		if (!way->dst && way->family)
			af_ktls_way_find(sk, way);
		if (!way->dst)
			err = way->family ? -EHOSTUNREACH : -EDESTADDRREQ;
	}
	bh_unlock_sock(sk);
	return err;
}

static void af_ktls_udp_header(struct sk_buff *skb, const struct af_ktls_way *way)
{
	struct udphdr *udp;

	skb_push(skb, sizeof(*udp));
	skb_reset_transport_header(skb);
	udp = udp_hdr(skb);
	udp->source = way->source;
	udp->dest = way->dest;
	udp->len = htons(skb->len);
	udp->check = 0;
	skb_dst_set(skb, way->dst);
	if (skb_is_gso(skb)) {
		/* Of each datagram, once it is cut: udp_set_csum() writes the sum for the whole. */
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->csum_start = skb_transport_header(skb) - skb->head;
		skb->csum_offset = offsetof(struct udphdr, check);
	}
}

static int af_ktls_send4(struct sock *sk, struct sk_buff *skb, struct af_ktls_way *way)
{
	struct flowi4 *fl = &way->flow.u.ip4;

	af_ktls_udp_header(skb, way);
	udp_set_csum(sk->sk_no_check_tx && !skb_is_gso(skb), skb, fl->saddr, fl->daddr, skb->len);
	return ip_queue_xmit(sk, skb, &way->flow);
}

#if IS_ENABLED(CONFIG_IPV6)
static int af_ktls_send6(struct sock *sk, struct sk_buff *skb, struct af_ktls_way *way)
{
	struct flowi6 *fl = &way->flow.u.ip6;

	af_ktls_udp_header(skb, way);
	udp6_set_csum(udp_get_no_check6_tx(sk) && !skb_is_gso(skb), skb, &fl->saddr, &fl->daddr, skb->len);
	return ip6_xmit(sk, skb, fl, READ_ONCE(sk->sk_mark), NULL, way->tclass,
			READ_ONCE(sk->sk_priority));
}
#else
static int af_ktls_send6(struct sock *sk, struct sk_buff *skb, struct af_ktls_way *way)
{
	return -EAFNOSUPPORT; /* no way leads here */
}
#endif

static int af_ktls_send_slowly(struct socket *lower, struct sk_buff *skb)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct bio_vec parts[1 + MAX_SKB_FRAGS];
	struct udp_sock *up = udp_sk(lower->sk);
	int i, err, count = 0;

	/* Refused since the attachment (udp_lower.c); but that may have begun before. */
	if (udp_test_bit(CORK, lower->sk) || READ_ONCE(up->pending) || READ_ONCE(up->gso_size)) {
		kfree_skb(skb);
		return -EBUSY;
	}
	if (skb_headlen(skb))
		bvec_set_virt(&parts[count++], skb->data, skb_headlen(skb));
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

		bvec_set_page(&parts[count++], skb_frag_page(frag), skb_frag_size(frag),
			      skb_frag_off(frag));
	}
	/* It is accounted for again on its way. */
	skb_orphan(skb);
	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, parts, count, skb->len);
	err = sock_sendmsg(lower, &msg);
	consume_skb(skb);
	/*
	 * The room that it had was taken by another: not to be waited for with a number used and
	 * others behind.
	 */
	return err == -EAGAIN ? -ENOBUFS : min(err, 0);
}

/**
 * af_ktls_udp_send - send a datagram
 * @lower: the UDP socket
 * @skb: the payload, of af_ktls_udp_alloc(); consumed
 *
 * Return: 0 or what the UDP socket would say. A queue that drops it is the network's, as for any
 * UDP socket.
 */
int af_ktls_udp_send(struct socket *lower, struct sk_buff *skb)
{
	struct sock *sk = lower->sk;
	struct af_ktls_way way;
	int err;

	if (!af_ktls_way(sk, sizeof(struct udphdr) + skb->len, &way))
		return af_ktls_send_slowly(lower, skb);
	rcu_read_lock();
	err = way.family == AF_INET6 ? af_ktls_send6(sk, skb, &way) : af_ktls_send4(sk, skb, &way);
	rcu_read_unlock();
	return err > 0 || err == -ENOBUFS ? 0 : err;
}

/*
 * A path that has become narrower than a datagram: as for the socket's own sendmsg(), IP cuts it into fragments, unless the
 * socket asked for none.
 */
static void af_ktls_allow_fragments(const struct sock *sk, struct sk_buff *skb,
				    const struct af_ktls_way *way)
{
	bool six = way->family == AF_INET6;
	unsigned int payload = skb_is_gso(skb) ? skb_shinfo(skb)->gso_size : skb->len;
	unsigned int headers = sizeof(struct udphdr) +
			       (six ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));

	if (headers + payload > dst_mtu(way->dst))
		skb->ignore_df = six ? ip6_sk_ignore_df(sk) : ip_sk_ignore_df(sk);
}

/**
 * af_ktls_udp_depart - send a datagram, or a train of them, where nobody can wait
 * @sk: the UDP socket
 * @skb: the payload; a train has gso_size and gso_segs; consumed, and charged to the socket
 *
 * In softirq, or with bottom halves off.
 *
 * Return: 0, -EAGAIN when somebody has the socket just now, -EHOSTUNREACH, -EDESTADDRREQ, or what
 * IP says.
 */
int af_ktls_udp_depart(struct sock *sk, struct sk_buff *skb)
{
	struct af_ktls_way way;
	int err = af_ktls_way_now(sk, &way);

	if (err) {
		kfree_skb(skb);
		return err;
	}
	skb_set_owner_w(skb, sk);
	af_ktls_allow_fragments(sk, skb, &way);
	rcu_read_lock();
	err = way.family == AF_INET6 ? af_ktls_send6(sk, skb, &way) : af_ktls_send4(sk, skb, &way);
	rcu_read_unlock();
	return err > 0 || err == -ENOBUFS ? 0 : err;
}
