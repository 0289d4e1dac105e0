// SPDX-License-Identifier: GPL-2.0
/* The family: sockets come and go here, and so does the module. */
#include <linux/file.h>
#include <linux/init.h>
#include <linux/module.h>

#include "af_ktls.h"

static int family = AF_KTLS;
module_param(family, int, 0444);
MODULE_PARM_DESC(family, "Number of the protocol family (default 12, which was DECnet's)");

static struct proto ktls_proto = {
	.name		= "KTLS",
	.owner		= THIS_MODULE,
	.obj_size	= sizeof(struct ktls_sock),
};

/**
 * ktls_release - the last descriptor was closed
 * @sock: our socket
 *
 * When the lower socket is given back and nothing is at the cipher's driver, nobody is left who could use a key.
 */
int ktls_release(struct socket *sock)
{
	struct sock *sk = sock->sk;
	struct ktls_sock *ks;

	if (!sk)
		return 0;
	ks = ktls_sk(sk);
	lock_sock(sk);
	if (ks->lower && sock->type == SOCK_DGRAM && !ks->detached)
		ktls_dtls_detach(ks);
	WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);
	release_sock(sk);
	ktls_direction_clear(&ks->tx);
	ktls_direction_clear(&ks->rx);
	if (ks->lower)
		sockfd_put(ks->lower);
	sock_orphan(sk);
	sock->sk = NULL;
	skb_queue_purge(&sk->sk_receive_queue);
	sock_put(sk);
	return 0;
}

static int ktls_create(struct net *net, struct socket *sock, int protocol, int kern)
{
	struct ktls_sock *ks;
	struct sock *sk;

	if (sock->type != SOCK_DGRAM && sock->type != SOCK_STREAM)
		return -ESOCKTNOSUPPORT;
	if (protocol)
		return -EPROTONOSUPPORT;
	sk = sk_alloc(net, family, GFP_KERNEL, &ktls_proto, kern);
	if (!sk)
		return -ENOMEM;
	sock->ops = sock->type == SOCK_DGRAM ? &ktls_dgram_ops : &ktls_stream_ops;
	sock_init_data(sock, sk);
	ks = ktls_sk(sk);
	ks->record_size = KTLS_MAX_PAYLOAD;
	ks->lower_size = KTLS_MAX_PAYLOAD;
	mutex_init(&ks->sending);
	spin_lock_init(&ks->rx_lock);
	__skb_queue_head_init(&ks->held);
	init_waitqueue_head(&ks->idle);
	return 0;
}

static struct net_proto_family ktls_family __ro_after_init = {
	.create		= ktls_create,
	.owner		= THIS_MODULE,
};

static int __init ktls_init(void)
{
	int err;

	if (family <= 0 || family >= AF_MAX)
		return -EINVAL;
	ktls_family.family = family;
	ktls_dgram_ops.family = family;
	ktls_stream_ops.family = family;
	err = proto_register(&ktls_proto, 1);
	if (err)
		return err;
	err = sock_register(&ktls_family); /* -EEXIST: the number is taken */
	if (err)
		proto_unregister(&ktls_proto);
	return err;
}

static void __exit ktls_exit(void)
{
	sock_unregister(family);
	proto_unregister(&ktls_proto);
}

module_init(ktls_init);
module_exit(ktls_exit);
MODULE_DESCRIPTION("AF_KTLS: TLS and DTLS records in the kernel");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
MODULE_ALIAS_NETPROTO(AF_KTLS);
MODULE_SOFTDEP("pre: tls gcm chacha20poly1305");
