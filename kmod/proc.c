// SPDX-License-Identifier: GPL-2.0-only
/* /proc/net/ktls: the datagram sockets of a network namespace, and what the kernel does for each. */
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <net/net_namespace.h>

#include "tunnel.h"

static DEFINE_MUTEX(af_ktls_socks_lock);
static LIST_HEAD(af_ktls_socks);

/**
 * af_ktls_proc_add - let a socket be seen
 * @ks: our socket, new
 */
void af_ktls_proc_add(struct af_ktls_sock *ks)
{
	mutex_lock(&af_ktls_socks_lock);
	list_add_tail(&ks->all, &af_ktls_socks);
	mutex_unlock(&af_ktls_socks_lock);
}

/**
 * af_ktls_proc_del - a socket is seen no longer
 * @ks: our socket, before anything of it is freed
 */
void af_ktls_proc_del(struct af_ktls_sock *ks)
{
	mutex_lock(&af_ktls_socks_lock);
	list_del(&ks->all);
	mutex_unlock(&af_ktls_socks_lock);
}

static void *af_ktls_proc_start(struct seq_file *m, loff_t *position)
{
	mutex_lock(&af_ktls_socks_lock);
	return seq_list_start_head(&af_ktls_socks, *position);
}

static void *af_ktls_proc_next(struct seq_file *m, void *at, loff_t *position)
{
	return seq_list_next(at, &af_ktls_socks, position);
}

static void af_ktls_proc_stop(struct seq_file *m, void *at)
{
	mutex_unlock(&af_ktls_socks_lock);
}

static const char *af_ktls_proc_driver(struct crypto_aead *aead)
{
	return aead ? crypto_tfm_alg_driver_name(crypto_aead_tfm(aead)) : "-";
}

static void af_ktls_proc_line(struct seq_file *m, struct af_ktls_sock *ks)
{
	struct inet_sock *inet = inet_sk(ks->taken);
	char device[IFNAMSIZ];
	size_t i;

	af_ktls_tunnel_name(ks, device);
	seq_printf(m, "DTLS1.2 %s %u %u %s %s %s", ks->cipher->name, inet->inet_num,
		   ntohs(inet->inet_dport), device, af_ktls_proc_driver(ks->tx.aead),
		   af_ktls_proc_driver(ks->rx.aead));
	for (i = 0; i < ARRAY_SIZE(ks->stats); i++)
		seq_printf(m, " %llu", (u64)atomic64_read(&ks->stats[i]));
	seq_putc(m, '\n');
}

static int af_ktls_proc_show(struct seq_file *m, void *at)
{
	struct af_ktls_sock *ks = list_entry(at, struct af_ktls_sock, all);

	if (at == &af_ktls_socks)
		seq_puts(m, "version cipher port peer tunnel tx_driver rx_driver tx_records tx_bytes tx_errors rx_records rx_bytes rx_passed rx_malformed rx_forged rx_replayed rx_old rx_full rx_errors rx_excess tunnel_tx_packets tunnel_tx_bytes tunnel_tx_trains tunnel_tx_dropped tunnel_rx_packets tunnel_rx_bytes tunnel_rx_trains tunnel_rx_stale tunnel_rx_dropped\n");
	else if (net_eq(sock_net(&ks->sk), seq_file_net(m)) && af_ktls_lower(ks) && ks->taken)
		af_ktls_proc_line(m, ks);
	return 0;
}

static const struct seq_operations af_ktls_proc_ops = {
	.start	= af_ktls_proc_start,
	.next	= af_ktls_proc_next,
	.stop	= af_ktls_proc_stop,
	.show	= af_ktls_proc_show,
};

static int __net_init af_ktls_proc_net(struct net *net)
{
	return proc_create_net("ktls", 0444, net->proc_net, &af_ktls_proc_ops,
			       sizeof(struct seq_net_private)) ? 0 : -ENOMEM;
}

static void __net_exit af_ktls_proc_net_gone(struct net *net)
{
	remove_proc_entry("ktls", net->proc_net);
}

static struct pernet_operations af_ktls_proc_nets = {
	.init = af_ktls_proc_net,
	.exit = af_ktls_proc_net_gone,
};

/**
 * af_ktls_proc_init - once, when the module is loaded
 */
int __init af_ktls_proc_init(void)
{
	return register_pernet_subsys(&af_ktls_proc_nets);
}

/**
 * af_ktls_proc_exit - once, when the last socket is freed
 */
void af_ktls_proc_exit(void)
{
	unregister_pernet_subsys(&af_ktls_proc_nets);
}
