// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tunnels: made, ended. Two NAPI instances each, of one device of the module's own: from the TUN
 * device's ring to the wire, and from the UDP socket's queue to the TUN device.
 *
 * Lock order: our socket's lock or rtnl, af_ktls_tunnels_lock, callback locks. Nobody holds the mutex who may wait for a user:
 * who waits for it may hold rtnl.
 */
#include <linux/slab.h>

#include "tunnel.h"

static DEFINE_MUTEX(af_ktls_tunnels_lock);
static LIST_HEAD(af_ktls_tunnels);
static struct net_device *af_ktls_napi_device;

/* A datagram has come: under RCU, with bottom halves off. */
static void af_ktls_udp_ready(struct sock *lower)
{
	struct af_ktls_sock *ks = rcu_dereference_sk_user_data(lower);

	/* Another socket of ours may have the place already. */
	struct af_ktls_tunnel *t = ks ? READ_ONCE(ks->tunnel) : NULL;

	if (t)
		napi_schedule(&t->rx);
}

/**
 * af_ktls_tunnel_tell - let the daemon know, by its socket's error
 * @ks: our socket
 * @err: what went wrong; the one before is told first
 */
void af_ktls_tunnel_tell(struct af_ktls_sock *ks, int err)
{
	if (cmpxchg(&ks->sk.sk_err, 0, err) == 0)
		sk_error_report(&ks->sk);
}

static void af_ktls_tunnel_kick(struct napi_struct *napi)
{
	local_bh_disable();
	napi_schedule(napi);
	local_bh_enable();
}

/* The device's packets are the daemon's again. Under af_ktls_tunnels_lock. */
static void af_ktls_tunnel_leave_device(struct af_ktls_tunnel *t)
{
	struct net_device *dev = t->dev;

	if (!dev)
		return;
	af_ktls_tun_unhook(t);
	napi_disable(&t->tx);
	hrtimer_cancel(&t->pause);
	WRITE_ONCE(t->dev, NULL);
	/* What GRO holds for the device goes up, and nobody has seen it any more. */
	napi_disable(&t->rx);
	napi_enable(&t->rx);
	af_ktls_tunnel_kick(&t->rx);
	list_del(&t->list);
	netdev_put(dev, &t->tracker);
}

static void af_ktls_tunnel_undo(struct af_ktls_tunnel *t)
{
	if (t->dev)
		netdev_put(t->dev, &t->tracker);
	af_ktls_tun_put(t);
	af_ktls_job_cancel(t->seal);
	af_ktls_job_cancel(t->open);
	kfree(t);
}

static int af_ktls_tunnel_start(struct af_ktls_sock *ks, struct af_ktls_tunnel *t)
{
	int err;

	netif_napi_add_tx(af_ktls_napi_device, &t->tx, af_ktls_tunnel_tx);
	netif_napi_add(af_ktls_napi_device, &t->rx, af_ktls_tunnel_rx);
	af_ktls_timer_setup(&t->pause, af_ktls_tunnel_paused);
	napi_enable(&t->tx);
	napi_enable(&t->rx);
	WRITE_ONCE(ks->tunnel, t);
	err = af_ktls_tun_hook(t);
	if (!err) {
		err = af_ktls_lower_queue(ks, af_ktls_udp_ready);
		if (err)
			af_ktls_tun_unhook(t);
	}
	if (!err) {
		list_add(&t->list, &af_ktls_tunnels);
		af_ktls_tunnel_kick(&t->tx);
		af_ktls_tunnel_kick(&t->rx);
		return 0;
	}
	napi_disable(&t->tx);
	hrtimer_cancel(&t->pause);
	napi_disable(&t->rx);
	netif_napi_del(&t->tx); /* waits until nobody is in its hook */
	netif_napi_del(&t->rx);
	WRITE_ONCE(ks->tunnel, NULL);
	return err;
}

static int af_ktls_tunnel_make(struct af_ktls_sock *ks, int fd)
{
	struct af_ktls_tunnel *t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);
	int err = -ENOMEM;

	if (!t)
		return -ENOMEM;
	t->ks = ks;
	t->seal = af_ktls_job_make(ks->tx.aead, GFP_KERNEL_ACCOUNT);
	t->open = af_ktls_job_make(ks->rx.aead, GFP_KERNEL_ACCOUNT);
	if (t->seal && t->open)
		err = af_ktls_tun_find(t, fd);
	if (!err)
		err = af_ktls_tunnel_start(ks, t);
	if (err)
		af_ktls_tunnel_undo(t);
	return err;
}

/**
 * af_ktls_tunnel_set - carry the packets of a TUN device, or no longer
 * @ks: our socket, locked
 * @option: the device
 *
 * Return: 0; -ENOTCONN, -ENOKEY, -EINPROGRESS: not attached, keyed, receiving yet; -EALREADY: it
 * has a tunnel; or what af_ktls_tun_find() and af_ktls_tun_hook() say.
 */
int af_ktls_tunnel_set(struct af_ktls_sock *ks, const struct ktls_tunnel *option)
{
	int err = 0;

	if (option->framing != KTLS_ANYCONNECT || option->reserved || option->fd < -1)
		return -EINVAL;
	if (!ks->lower || ks->detached)
		return -ENOTCONN;
	mutex_lock(&af_ktls_tunnels_lock);
	if (option->fd < 0 && ks->tunnel)
		af_ktls_tunnel_leave_device(ks->tunnel);
	else if (option->fd < 0)
		err = -ENODEV;
	else if (ks->tunnel)
		err = -EALREADY;
	else if (!ks->tx.aead || !ks->rx.aead)
		err = -ENOKEY;
	else if (ks->rx_state != AF_KTLS_RX_ON)
		err = -EINPROGRESS;
	else
		err = af_ktls_tunnel_make(ks, option->fd);
	mutex_unlock(&af_ktls_tunnels_lock);
	return err;
}

/**
 * af_ktls_tunnel_off - end a socket's tunnel; when it returns, neither direction runs
 * @ks: our socket, locked
 *
 * Its memory stays until nobody is in a hook any more: af_ktls_tunnel_free().
 */
void af_ktls_tunnel_off(struct af_ktls_sock *ks)
{
	struct af_ktls_tunnel *t = ks->tunnel;

	if (!t || !t->file)
		return;
	mutex_lock(&af_ktls_tunnels_lock);
	af_ktls_tunnel_leave_device(t);
	af_ktls_lower_unqueue(ks);
	napi_disable(&t->rx);
	__netif_napi_del(&t->tx);
	__netif_napi_del(&t->rx);
	af_ktls_tun_put(t);
	mutex_unlock(&af_ktls_tunnels_lock);
}

/**
 * af_ktls_tunnel_free - free a socket's tunnel, a grace period after it ended
 * @ks: our socket
 */
void af_ktls_tunnel_free(struct af_ktls_sock *ks)
{
	struct af_ktls_tunnel *t = ks->tunnel;

	if (!t)
		return;
	af_ktls_train_free(&t->train);
	af_ktls_run_free(&t->run);
	af_ktls_job_cancel(t->seal);
	af_ktls_job_cancel(t->open);
	kfree(t);
}

/**
 * af_ktls_tunnel_name - the device whose packets a socket carries; "-" if there is none
 * @ks: our socket
 * @name: the device's name
 */
void af_ktls_tunnel_name(struct af_ktls_sock *ks, char name[IFNAMSIZ])
{
	mutex_lock(&af_ktls_tunnels_lock);
	strscpy(name, ks->tunnel && ks->tunnel->dev ? ks->tunnel->dev->name : "-", IFNAMSIZ);
	mutex_unlock(&af_ktls_tunnels_lock);
}

/* A device goes, or goes to another network namespace: its daemon hears of it. Under rtnl. */
static int af_ktls_tunnels_event(struct notifier_block *block, unsigned long event, void *info)
{
	struct net_device *dev = netdev_notifier_info_to_dev(info);
	struct af_ktls_tunnel *t, *next;

	if (event != NETDEV_UNREGISTER)
		return NOTIFY_DONE;
	mutex_lock(&af_ktls_tunnels_lock);
	list_for_each_entry_safe(t, next, &af_ktls_tunnels, list) {
		if (t->dev != dev)
			continue;
		af_ktls_tunnel_leave_device(t);
		af_ktls_tunnel_tell(t->ks, ENODEV);
	}
	mutex_unlock(&af_ktls_tunnels_lock);
	return NOTIFY_DONE;
}

static struct notifier_block af_ktls_tunnels_block = {
	.notifier_call = af_ktls_tunnels_event,
};

/**
 * af_ktls_tunnels_init - once, when the module is loaded
 */
int __init af_ktls_tunnels_init(void)
{
	int err;

	af_ktls_napi_device = alloc_netdev_dummy(0);
	if (!af_ktls_napi_device)
		return -ENOMEM;
	err = register_netdevice_notifier(&af_ktls_tunnels_block);
	if (err)
		free_netdev(af_ktls_napi_device);
	return err;
}

/**
 * af_ktls_tunnels_exit - once, when the last socket is freed
 */
void af_ktls_tunnels_exit(void)
{
	unregister_netdevice_notifier(&af_ktls_tunnels_block);
	free_netdev(af_ktls_napi_device);
}
