// SPDX-License-Identifier: GPL-2.0-only
/* The family: sockets come and go here, and so does the module. */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/uidgid.h>
#include <net/udp.h>

#include "tunnel.h"

static int family = AF_KTLS;
module_param(family, int, 0444);
MODULE_PARM_DESC(family, "Number of the protocol family (default 12, which was DECnet's)");

static char *allow = "admin";
module_param(allow, charp, 0444);
MODULE_PARM_DESC(allow,
	"Who may make sockets: admin (CAP_NET_ADMIN, the default), a group's number, or all");
static kgid_t af_ktls_group = INVALID_GID;
static bool af_ktls_all;

static struct workqueue_struct *af_ktls_work;

static struct proto af_ktls_proto = {
	.name		= "KTLS",
	.owner		= THIS_MODULE,
	.obj_size	= sizeof(struct af_ktls_sock),
};

/* Nobody has it, and a grace period has passed since: nobody in softirq has it either. */
static void af_ktls_gone(struct work_struct *work)
{
	struct af_ktls_sock *ks = container_of(to_rcu_work(work), struct af_ktls_sock, gone);

	af_ktls_proc_del(ks);
	af_ktls_tunnel_free(ks);
	af_ktls_direction_clear(&ks->tx);
	af_ktls_direction_clear(&ks->rx);
	if (ks->taken)
		sock_put(ks->taken);
	sock_put(&ks->sk);
}

/**
 * af_ktls_put - give up one of a socket's uses
 * @ks: our socket
 */
void af_ktls_put(struct af_ktls_sock *ks)
{
	if (refcount_dec_and_test(&ks->uses))
		queue_rcu_work(af_ktls_work, &ks->gone);
}

/**
 * af_ktls_release - the last descriptor was closed
 * @sock: our socket
 *
 * The lower socket is given back and closed at once; the keys go when nobody can use them any more.
 */
int af_ktls_release(struct socket *sock)
{
	struct sock *sk = sock->sk;
	struct af_ktls_sock *ks;

	if (!sk)
		return 0;
	ks = af_ktls_sk(sk);
	if (sock->type == SOCK_STREAM)
		af_ktls_stream_flush(ks, true);
	lock_sock(sk);
	af_ktls_tunnel_off(ks);
	if (ks->lower && sock->type == SOCK_DGRAM && !ks->detached)
		af_ktls_lower_leave(ks);
	WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);
	release_sock(sk);
	if (ks->lower)
		sockfd_put(ks->lower);
	sock_orphan(sk);
	sock->sk = NULL;
	skb_queue_purge(&sk->sk_receive_queue);
	af_ktls_put(ks);
	return 0;
}

/* In the first user name space: in one of their own everybody has every capability. */
static bool af_ktls_may(void)
{
	return af_ktls_all || (gid_valid(af_ktls_group) && in_egroup_p(af_ktls_group)) ||
	       capable(CAP_NET_ADMIN);
}

static int af_ktls_create(struct net *net, struct socket *sock, int protocol, int kern)
{
	struct af_ktls_sock *ks;
	struct sock *sk;

	if (sock->type != SOCK_DGRAM && sock->type != SOCK_STREAM)
		return -ESOCKTNOSUPPORT;
	if (protocol)
		return -EPROTONOSUPPORT;
	if (!kern && !af_ktls_may())
		return -EPERM;
	sk = sk_alloc(net, family, GFP_KERNEL, &af_ktls_proto, kern);
	if (!sk)
		return -ENOMEM;
	sock->ops = sock->type == SOCK_DGRAM ? &af_ktls_dgram_ops : &af_ktls_stream_ops;
	set_bit(SOCK_CUSTOM_SOCKOPT, &sock->flags);
	sock_init_data(sock, sk);
	ks = af_ktls_sk(sk);
	ks->record_size = KTLS_MAX_PAYLOAD;
	ks->lower_size = KTLS_MAX_PAYLOAD;
	mutex_init(&ks->sending);
	spin_lock_init(&ks->rx_lock);
	__skb_queue_head_init(&ks->held);
	refcount_set(&ks->uses, 1);
	INIT_RCU_WORK(&ks->gone, af_ktls_gone);
	af_ktls_proc_add(ks);
	return 0;
}

static struct net_proto_family af_ktls_family __ro_after_init = {
	.create		= af_ktls_create,
	.owner		= THIS_MODULE,
};

static int __init af_ktls_allow(void)
{
	unsigned int group;

	af_ktls_all = !strcmp(allow, "all");
	if (af_ktls_all || !strcmp(allow, "admin"))
		return 0;
	if (kstrtouint(allow, 10, &group))
		return -EINVAL;
	af_ktls_group = make_kgid(&init_user_ns, group);
	return gid_valid(af_ktls_group) ? 0 : -EINVAL;
}

/* Received records are UDP's memory, and under its limits. */
static void __init af_ktls_account(void)
{
	af_ktls_proto.memory_allocated = udp_prot.memory_allocated;
	af_ktls_proto.per_cpu_fw_alloc = udp_prot.per_cpu_fw_alloc;
	af_ktls_proto.sysctl_mem = udp_prot.sysctl_mem;
	af_ktls_proto.sysctl_wmem_offset = udp_prot.sysctl_wmem_offset;
	af_ktls_proto.sysctl_rmem_offset = udp_prot.sysctl_rmem_offset;
}

static int __init af_ktls_init(void)
{
	int err;

	if (family <= 0 || family >= AF_MAX || af_ktls_allow())
		return -EINVAL;
	af_ktls_account();
	af_ktls_family.family = family;
	af_ktls_dgram_ops.family = family;
	af_ktls_stream_ops.family = family;
	af_ktls_work = alloc_workqueue("af_ktls", WQ_UNBOUND, 0);
	if (!af_ktls_work)
		return -ENOMEM;
	err = af_ktls_tunnels_init();
	if (err)
		goto work;
	err = af_ktls_proc_init();
	if (err)
		goto tunnels;
	err = proto_register(&af_ktls_proto, 1);
	if (err)
		goto proc;
	err = sock_register(&af_ktls_family); /* -EEXIST: the number is taken */
	if (err)
		goto proto;
	return 0;
proto:
	proto_unregister(&af_ktls_proto);
proc:
	af_ktls_proc_exit();
tunnels:
	af_ktls_tunnels_exit();
work:
	destroy_workqueue(af_ktls_work);
	return err;
}

static void __exit af_ktls_exit(void)
{
	sock_unregister(family);
	/* Each socket has held the module until it was freed: here the last of them is over. */
	rcu_barrier();
	destroy_workqueue(af_ktls_work);
	af_ktls_proc_exit();
	af_ktls_tunnels_exit();
	proto_unregister(&af_ktls_proto);
}

module_init(af_ktls_init);
module_exit(af_ktls_exit);
MODULE_DESCRIPTION("AF_KTLS: TLS and DTLS records in the kernel");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
MODULE_SOFTDEP("pre: tls gcm chacha20poly1305");
