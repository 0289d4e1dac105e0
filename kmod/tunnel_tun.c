// SPDX-License-Identifier: GPL-2.0-only
/* The TUN device of a tunnel: found by its descriptor, taken, given back. */
#include <linux/file.h>
#include <linux/if_arp.h>
#include <linux/module.h>
#include <net/rtnetlink.h>

#include "tunnel.h"

/*
 * Nothing that is exported leads from a TUN's file to its device. The private part of a device
 * begins with the files of its queues, on all kernels that this builds for. Another layout finds
 * none: the tunnel is refused, and its packets stay the daemon's.
 */
static struct net_device *af_ktls_tun_device(struct net *net, struct file *file)
{
	struct net_device *dev;

	for_each_netdev_rcu(net, dev)
		if (dev->rtnl_link_ops && !strcmp(dev->rtnl_link_ops->kind, "tun") &&
		    READ_ONCE(*(void **)netdev_priv(dev)) == file->private_data)
			return dev;
	return NULL;
}

static int af_ktls_tun_check(struct net_device *dev)
{
	/* A TAP can be given another type, but not another header. */
	if (dev->type != ARPHRD_NONE || dev->hard_header_len || dev->addr_len)
		return -EPROTOTYPE;
	/* Other queues have other readers, whose packets would overtake ours. */
	if (READ_ONCE(dev->real_num_tx_queues) > 1)
		return -EOPNOTSUPP;
	return 0;
}

/* The driver is a module that may not be there: who has a descriptor of it has loaded it. */
static int af_ktls_tun_driver(struct af_ktls_tunnel *t, struct file *file)
{
	struct ptr_ring *(*get_ring)(struct file *file) = symbol_get(tun_get_tx_ring);
	struct socket *(*get_socket)(struct file *file) = symbol_get(tun_get_socket);
	struct ptr_ring *ring = ERR_PTR(-EINVAL);
	struct socket *sock = ERR_PTR(-EINVAL);

	if (get_socket) {
		sock = get_socket(file);
		symbol_put(tun_get_socket);
	}
	if (get_ring) {
		ring = get_ring(file);
		symbol_put(tun_get_tx_ring);
	}
	if (IS_ERR(sock) || IS_ERR(ring))
		return -ENODEV;
	t->ptr_free = symbol_get(tun_ptr_free);
	if (!t->ptr_free)
		return -ENODEV;
	t->wake_queue = symbol_get(tun_wake_queue);
	t->tun = sock->sk;
	t->ring = ring;
	return 0;
}

/**
 * af_ktls_tun_find - find the device and hold it; under af_ktls_tunnels_lock
 * @t: the tunnel
 * @fd: a descriptor of its only queue
 *
 * Return: 0, or -EBADF, -ENODEV (no TUN device of this network namespace), -EPROTOTYPE (a TAP),
 * -EOPNOTSUPP (several queues). What was held then, af_ktls_tun_put() gives back.
 */
int af_ktls_tun_find(struct af_ktls_tunnel *t, int fd)
{
	struct net_device *dev;
	int err;

	t->file = fget(fd);
	if (!t->file)
		return -EBADF;
	err = af_ktls_tun_driver(t, t->file);
	if (err)
		return err;
	rcu_read_lock();
	dev = af_ktls_tun_device(sock_net(&t->ks->sk), t->file);
	err = dev ? af_ktls_tun_check(dev) : -ENODEV;
	if (!err) {
		netdev_hold(dev, &t->tracker, GFP_ATOMIC);
		WRITE_ONCE(t->dev, dev);
	}
	rcu_read_unlock();
	return err;
}

/* A packet is in the ring. Under RCU, with bottom halves off. */
static void af_ktls_tun_ready(struct sock *sk)
{
	struct af_ktls_tunnel *t = rcu_dereference_sk_user_data(sk);

	if (t)
		napi_schedule(&t->tx);
}

/**
 * af_ktls_tun_hook - take the packets that leave by the device
 * @t: the tunnel, ready
 *
 * Return: 0, or -EBUSY when somebody else does.
 */
int af_ktls_tun_hook(struct af_ktls_tunnel *t)
{
	struct sock *sk = t->tun;
	int err = 0;

	write_lock_bh(&sk->sk_callback_lock);
	if (rcu_access_pointer(__sk_user_data(sk))) {
		err = -EBUSY;
	} else {
		t->tun_ready = sk->sk_data_ready;
		rcu_assign_sk_user_data(sk, t);
		WRITE_ONCE(sk->sk_data_ready, af_ktls_tun_ready);
	}
	write_unlock_bh(&sk->sk_callback_lock);
	return err;
}

/**
 * af_ktls_tun_unhook - leave the packets in the ring to whoever reads the descriptor
 * @t: the tunnel
 */
void af_ktls_tun_unhook(struct af_ktls_tunnel *t)
{
	struct sock *sk = t->tun;

	if (!t->tun_ready)
		return;
	write_lock_bh(&sk->sk_callback_lock);
	WRITE_ONCE(sk->sk_data_ready, t->tun_ready);
	rcu_assign_sk_user_data(sk, NULL);
	write_unlock_bh(&sk->sk_callback_lock);
	sk->sk_data_ready(sk);
}

/**
 * af_ktls_tun_put - give back what af_ktls_tun_find() held, but the device
 * @t: the tunnel, unhooked
 */
void af_ktls_tun_put(struct af_ktls_tunnel *t)
{
	if (t->wake_queue)
		symbol_put(tun_wake_queue);
	if (t->ptr_free)
		symbol_put(tun_ptr_free);
	if (t->file)
		fput(t->file);
	t->file = NULL;
}
