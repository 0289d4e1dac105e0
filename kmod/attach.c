// SPDX-License-Identifier: GPL-2.0-only
/* A lower socket is attached, and detached: every wrong argument and order has its errno here. */
#include <linux/file.h>
#include <linux/in.h>

#include "tunnel.h"

static bool af_ktls_version_known(int type, u16 version)
{
	if (type == SOCK_DGRAM)
		return version == KTLS_DTLS_1_2;
	return version == KTLS_TLS_1_2 || version == KTLS_TLS_1_3;
}

static int af_ktls_lower_check(const struct socket *sock, const struct socket *lower)
{
	const struct sock *sk = lower->sk;
	int protocol = sock->type == SOCK_DGRAM ? IPPROTO_UDP : IPPROTO_TCP;

	if (sk->sk_family != AF_INET && sk->sk_family != AF_INET6)
		return -EAFNOSUPPORT;
	if (lower->type != sock->type || sk->sk_protocol != protocol)
		return -EPROTOTYPE;
	return 0;
}

/**
 * af_ktls_attach - take a lower socket
 * @sock: our socket, locked
 * @attach: what the option says
 */
int af_ktls_attach(struct socket *sock, const struct ktls_attach *attach)
{
	struct af_ktls_sock *ks = af_ktls_sk(sock->sk);
	const struct af_ktls_cipher *cipher = af_ktls_cipher_find(attach->cipher);
	struct socket *lower;
	int err;

	if (attach->flags || attach->reserved)
		return -EINVAL;
	if (ks->lower)
		return -EISCONN;
	if (!cipher || !af_ktls_version_known(sock->type, attach->version) ||
	    !af_ktls_cipher_present(cipher))
		return -EPROTONOSUPPORT;
	lower = sockfd_lookup(attach->fd, &err);
	if (!lower)
		return err;
	err = af_ktls_lower_check(sock, lower);
	if (!err)
		err = sock->type == SOCK_DGRAM ? af_ktls_lower_take(ks, lower) :
						 af_ktls_stream_attach(ks, lower);
	if (err) {
		sockfd_put(lower);
		return err;
	}
	ks->cipher = cipher;
	ks->version = attach->version;
	smp_store_release(&ks->lower, lower); /* pairs with af_ktls_lower() */
	return 0;
}

/**
 * af_ktls_detach - give the lower socket back
 * @sock: our socket, locked
 */
int af_ktls_detach(struct socket *sock)
{
	struct af_ktls_sock *ks = af_ktls_sk(sock->sk);
	int err;

	if (sock->type == SOCK_STREAM)
		return -EOPNOTSUPP; /* the kernel's TLS cannot be taken off a TCP socket */
	if (!ks->lower || ks->detached)
		return -ENOTCONN;
	/* A sender that has begun finishes first: then the sequence is final. */
	err = af_ktls_turn(ks, false);
	if (err)
		return err;
	af_ktls_tunnel_off(ks);
	ks->detached = true;
	af_ktls_turn_over(ks);
	af_ktls_lower_leave(ks);
	WRITE_ONCE(sock->sk->sk_shutdown, SHUTDOWN_MASK);
	sock->sk->sk_state_change(sock->sk);
	af_ktls_udp_wake(ks);
	return 0;
}
