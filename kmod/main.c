// SPDX-License-Identifier: GPL-2.0
/* The family: sockets come and go here, and so does the module. */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/uidgid.h>
#include <net/udp.h>

#include "af_ktls.h"

static int family = AF_KTLS;
module_param(family, int, 0444);
MODULE_PARM_DESC(family, "Number of the protocol family (default 12, which was DECnet's)");

static char *allow = "admin";
module_param(allow, charp, 0444);
MODULE_PARM_DESC(allow, "Who may make sockets: admin (CAP_NET_ADMIN, the default), a group's number, or all");
static kgid_t ktls_group = INVALID_GID;
static bool ktls_all;

static struct workqueue_struct *ktls_work;

static struct proto ktls_proto = {
	.name		= "KTLS",
	.owner		= THIS_MODULE,
	.obj_size	= sizeof(struct ktls_sock),
};

/* Nobody has it, and a grace period has passed since: nobody in softirq has it either. */
static void ktls_gone(struct work_struct *work)
{
	struct ktls_sock *ks = container_of(to_rcu_work(work), struct ktls_sock, gone);

	ktls_direction_clear(&ks->tx);
	ktls_direction_clear(&ks->rx);
	if (ks->taken)
		sock_put(ks->taken);
	sock_put(&ks->sk);
}

/**
 * ktls_put - give up one of a socket's uses
 * @ks: our socket
 */
void ktls_put(struct ktls_sock *ks)
{
	if (refcount_dec_and_test(&ks->uses))
		queue_rcu_work(ktls_work, &ks->gone);
}

/**
 * ktls_release - the last descriptor was closed
 * @sock: our socket
 *
 * The lower socket is given back and closed at once; keys go when nobody is left who could use them.
 */
int ktls_release(struct socket *sock)
{
	struct sock *sk = sock->sk;
	struct ktls_sock *ks;

	if (!sk)
		return 0;
	ks = ktls_sk(sk);
	if (sock->type == SOCK_STREAM)
		ktls_stream_flush(ks, true);
	lock_sock(sk);
	if (ks->lower && sock->type == SOCK_DGRAM && !ks->detached)
		ktls_lower_leave(ks);
	WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);
	release_sock(sk);
	if (ks->lower)
		sockfd_put(ks->lower);
	sock_orphan(sk);
	sock->sk = NULL;
	skb_queue_purge(&sk->sk_receive_queue);
	ktls_put(ks);
	return 0;
}

/* In the first user name space: in one of their own everybody has every capability. */
static bool ktls_may(void)
{
	return ktls_all || (gid_valid(ktls_group) && in_egroup_p(ktls_group)) || capable(CAP_NET_ADMIN);
}

static int ktls_create(struct net *net, struct socket *sock, int protocol, int kern)
{
	struct ktls_sock *ks;
	struct sock *sk;

	if (sock->type != SOCK_DGRAM && sock->type != SOCK_STREAM)
		return -ESOCKTNOSUPPORT;
	if (protocol)
		return -EPROTONOSUPPORT;
	if (!kern && !ktls_may())
		return -EPERM;
	sk = sk_alloc(net, family, GFP_KERNEL, &ktls_proto, kern);
	if (!sk)
		return -ENOMEM;
	sock->ops = sock->type == SOCK_DGRAM ? &ktls_dgram_ops : &ktls_stream_ops;
	set_bit(SOCK_CUSTOM_SOCKOPT, &sock->flags);
	sock_init_data(sock, sk);
	ks = ktls_sk(sk);
	ks->record_size = KTLS_MAX_PAYLOAD;
	ks->lower_size = KTLS_MAX_PAYLOAD;
	mutex_init(&ks->sending);
	spin_lock_init(&ks->rx_lock);
	__skb_queue_head_init(&ks->held);
	refcount_set(&ks->uses, 1);
	INIT_RCU_WORK(&ks->gone, ktls_gone);
	return 0;
}

static struct net_proto_family ktls_family __ro_after_init = {
	.create		= ktls_create,
	.owner		= THIS_MODULE,
};

static int __init ktls_allow(void)
{
	unsigned int group;

	ktls_all = !strcmp(allow, "all");
	if (ktls_all || !strcmp(allow, "admin"))
		return 0;
	if (kstrtouint(allow, 10, &group))
		return -EINVAL;
	ktls_group = make_kgid(&init_user_ns, group);
	return gid_valid(ktls_group) ? 0 : -EINVAL;
}

/* Received records are UDP's memory, and under its limits. */
static void __init ktls_account(void)
{
	ktls_proto.memory_allocated = udp_prot.memory_allocated;
	ktls_proto.per_cpu_fw_alloc = udp_prot.per_cpu_fw_alloc;
	ktls_proto.sysctl_mem = udp_prot.sysctl_mem;
	ktls_proto.sysctl_wmem_offset = udp_prot.sysctl_wmem_offset;
	ktls_proto.sysctl_rmem_offset = udp_prot.sysctl_rmem_offset;
}

static int __init ktls_init(void)
{
	int err;

	if (family <= 0 || family >= AF_MAX || ktls_allow())
		return -EINVAL;
	ktls_account();
	ktls_family.family = family;
	ktls_dgram_ops.family = family;
	ktls_stream_ops.family = family;
	ktls_work = alloc_workqueue("af_ktls", WQ_UNBOUND, 0);
	if (!ktls_work)
		return -ENOMEM;
	err = proto_register(&ktls_proto, 1);
	if (err)
		goto work;
	err = sock_register(&ktls_family); /* -EEXIST: the number is taken */
	if (err)
		goto proto;
	return 0;
proto:
	proto_unregister(&ktls_proto);
work:
	destroy_workqueue(ktls_work);
	return err;
}

static void __exit ktls_exit(void)
{
	sock_unregister(family);
	/* Each socket has held the module until it was freed: here the last of them is over. */
	rcu_barrier();
	destroy_workqueue(ktls_work);
	proto_unregister(&ktls_proto);
}

module_init(ktls_init);
module_exit(ktls_exit);
MODULE_DESCRIPTION("AF_KTLS: TLS and DTLS records in the kernel");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
MODULE_SOFTDEP("pre: tls gcm chacha20poly1305");
