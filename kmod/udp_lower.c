// SPDX-License-Identifier: GPL-2.0-only
/* The UDP socket underneath: taken, guarded while it is ours, and given back without waiting. */
#include <linux/in6.h>
#include <linux/module.h>
#include <linux/udp.h>
#include <net/udp.h>
#include <net/udp_tunnel.h>

#include "af_ktls.h"

/* What UDP_ENCAP says of a socket that is ours: not 0, and not one of the kernel's. */
#define UDP_ENCAP_KTLS		75

/*
 * A guarded socket's operations, those of IPv4's and of IPv6's: as they were, but for what would
 * merge or cut records or take them elsewhere. Once guarded a socket stays so, and holds this
 * module as the owner of its operations: what is given back is never in the middle of one that is
 * gone.
 */
static struct proto_ops af_ktls_guarded[2];
static const struct proto_ops *af_ktls_plain[2];
static DEFINE_MUTEX(af_ktls_guarding);

static const struct proto_ops *af_ktls_ops(const struct socket *lower)
{
	return af_ktls_plain[READ_ONCE(lower->ops) == &af_ktls_guarded[1]];
}

static bool af_ktls_is_taken(const struct sock *sk)
{
	return READ_ONCE(udp_sk(sk)->encap_type) == UDP_ENCAP_KTLS;
}

static int af_ktls_guarded_setsockopt(struct socket *lower, int level, int name, sockptr_t value,
				      unsigned int length)
{
	/* It would change the operations themselves. */
	if (level == SOL_IPV6 && name == IPV6_ADDRFORM)
		return -EBUSY;
	if (level == SOL_UDP && af_ktls_is_taken(lower->sk) &&
	    (name == UDP_CORK || name == UDP_SEGMENT || name == UDP_GRO || name == UDP_ENCAP))
		return -EBUSY;
	return af_ktls_ops(lower)->setsockopt(lower, level, name, value, length);
}

static int af_ktls_guarded_sendmsg(struct socket *lower, struct msghdr *msg, size_t length)
{
	/* Left open, it would take our next record into its datagram. */
	if (msg->msg_flags & MSG_MORE && af_ktls_is_taken(lower->sk))
		return -EBUSY;
	return af_ktls_ops(lower)->sendmsg(lower, msg, length);
}

/* The UDP socket is locked. */
static int af_ktls_guard(struct socket *lower)
{
	const struct proto_ops *ops = READ_ONCE(lower->ops);
	int six = lower->sk->sk_family == AF_INET6;
	struct proto_ops *guarded = &af_ktls_guarded[six];

	if (ops == guarded)
		return 0;
	mutex_lock(&af_ktls_guarding);
	if (!af_ktls_plain[six]) {
		*guarded = *ops;
		guarded->owner = THIS_MODULE;
		guarded->setsockopt = af_ktls_guarded_setsockopt;
		guarded->sendmsg = af_ktls_guarded_sendmsg;
		af_ktls_plain[six] = ops;
	}
	mutex_unlock(&af_ktls_guarding);
	if (af_ktls_plain[six] != ops)
		return -EBUSY;
	__module_get(THIS_MODULE);
	smp_store_release(&lower->ops, guarded); /* who sees them sees them whole */
	module_put(ops->owner);
	return 0;
}

/* Nobody listens at the peer: told once. It can be forged, so it ends nothing. */
static void af_ktls_encap_err_rcv(struct sock *lower, struct sk_buff *skb, int err, __be16 port,
				  u32 info, u8 *payload)
{
	struct af_ktls_sock *ks = rcu_dereference_sk_user_data(lower);

	if (!ks || err != ECONNREFUSED || !af_ktls_is_taken(lower))
		return;
	WRITE_ONCE(ks->sk.sk_err, err);
	sk_error_report(&ks->sk);
}

/* The UDP socket is locked. Who hears of its errors tells what another of ours is just leaving. */
static int af_ktls_hook(struct af_ktls_sock *ks, struct sock *sk)
{
	struct udp_sock *up = udp_sk(sk);
	int err = 0;

	write_lock_bh(&sk->sk_callback_lock);
	if (up->encap_type || up->encap_rcv ||
	    (rcu_access_pointer(__sk_user_data(sk)) &&
	     up->encap_err_rcv != af_ktls_encap_err_rcv)) {
		err = -EBUSY;
	} else {
		sock_hold(sk);
		ks->taken = sk;
		rcu_assign_sk_user_data(sk, ks);
		WRITE_ONCE(up->encap_err_rcv, af_ktls_encap_err_rcv);
		WRITE_ONCE(up->encap_rcv, af_ktls_encap_rcv);
		WRITE_ONCE(up->encap_type, UDP_ENCAP_KTLS);
	}
	write_unlock_bh(&sk->sk_callback_lock);
	if (!err)
		udp_tunnel_encap_enable(sk);
	return err;
}

static bool af_ktls_merges(struct sock *sk)
{
	const struct udp_sock *up = udp_sk(sk);

	return udp_test_bit(GRO_ENABLED, sk) || udp_test_bit(CORK, sk) ||
	       READ_ONCE(up->gso_size) || READ_ONCE(up->pending);
}

/**
 * af_ktls_lower_take - take a UDP socket
 * @ks: our socket
 * @lower: the UDP socket
 *
 * Return: 0, -ENOTCONN, -EBUSY when it has another owner, -EOPNOTSUPP when it merges or cuts
 * datagrams (UDP_GRO, UDP_CORK, UDP_SEGMENT, an open MSG_MORE).
 */
int af_ktls_lower_take(struct af_ktls_sock *ks, struct socket *lower)
{
	struct sock *sk = lower->sk;
	int err;

	lock_sock(sk);
	if (sk->sk_state != TCP_ESTABLISHED)
		err = -ENOTCONN;
	else if (af_ktls_merges(sk))
		err = -EOPNOTSUPP;
	else
		err = af_ktls_guard(lower) ?: af_ktls_hook(ks, sk);
	release_sock(sk);
	return err;
}

/**
 * af_ktls_lower_queue - leave datagrams in the UDP socket's queue, and be told of them
 * @ks: our socket, locked, attached
 * @ready: whom to tell: under RCU, with bottom halves off
 *
 * So trains of datagrams come whole: while a socket has an encap_rcv(), UDP cuts them. What is
 * nobody's goes nowhere: the queue is bounded, and charged, by UDP itself. The socket itself is not
 * locked: who has it may wait for a user.
 *
 * Return: 0, or -EBUSY when an UDP_ENCAP came between.
 */
int af_ktls_lower_queue(struct af_ktls_sock *ks, void (*ready)(struct sock *sk))
{
	struct sock *sk = ks->taken;
	int err = 0;

	write_lock_bh(&sk->sk_callback_lock);
	if (!af_ktls_is_taken(sk)) {
		err = -EBUSY;
	} else {
		ks->queue_ready = sk->sk_data_ready;
		WRITE_ONCE(sk->sk_data_ready, ready);
		udp_set_bit(GRO_ENABLED, sk);
		udp_set_bit(ACCEPT_L4, sk);
		WRITE_ONCE(udp_sk(sk)->encap_rcv, NULL);
	}
	write_unlock_bh(&sk->sk_callback_lock);
	return err;
}

/**
 * af_ktls_lower_unqueue - the queue is the reader's of the UDP socket again
 * @ks: our socket, locked
 */
void af_ktls_lower_unqueue(struct af_ktls_sock *ks)
{
	struct sock *sk = ks->taken;

	write_lock_bh(&sk->sk_callback_lock);
	WRITE_ONCE(sk->sk_data_ready, ks->queue_ready);
	udp_clear_bit(GRO_ENABLED, sk);
	udp_clear_bit(ACCEPT_L4, sk);
	write_unlock_bh(&sk->sk_callback_lock);
}

/* Nobody is in af_ktls_encap_rcv() any more who came there before it was left. */
static void af_ktls_left(struct rcu_head *head)
{
	struct af_ktls_sock *ks = container_of(head, struct af_ktls_sock, leaving);
	struct sock *sk = ks->taken;

	write_lock_bh(&sk->sk_callback_lock);
	if (rcu_access_pointer(__sk_user_data(sk)) == ks) {
		WRITE_ONCE(udp_sk(sk)->encap_err_rcv, NULL);
		rcu_assign_sk_user_data(sk, NULL);
	}
	write_unlock_bh(&sk->sk_callback_lock);
	af_ktls_put(ks);
}

/**
 * af_ktls_lower_leave - give the UDP socket back; when it returns, no record is accepted any more
 * @ks: our socket, locked, not detached yet
 *
 * Another AF_KTLS socket may have it at once. Anybody else's data would be taken for ours by who is
 * still in af_ktls_encap_rcv(), so the place is kept for a grace period.
 */
void af_ktls_lower_leave(struct af_ktls_sock *ks)
{
	struct sock *sk = ks->taken;

	lock_sock(sk);
	write_lock_bh(&sk->sk_callback_lock);
	/* An UDP_ENCAP that had begun before the attachment may have come after it. */
	if (af_ktls_is_taken(sk)) {
		WRITE_ONCE(udp_sk(sk)->encap_type, 0);
		WRITE_ONCE(udp_sk(sk)->encap_rcv, NULL);
	}
	write_unlock_bh(&sk->sk_callback_lock);
	release_sock(sk);
	af_ktls_dtls_off(ks);
	refcount_inc(&ks->uses);
	call_rcu(&ks->leaving, af_ktls_left);
}
