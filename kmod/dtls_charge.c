// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of received records, charged before the cipher sees them until somebody has read them: to
 * the receive buffer, to udp_mem, and to the memory cgroup of whoever made the socket.
 */
#include "af_ktls.h"

/* Any context that may take a lock with bottom halves off: nobody frees a record elsewhere. */
static void af_ktls_uncharge(struct sk_buff *skb)
{
	struct sock *sk = skb->sk;

	spin_lock_bh(&af_ktls_sk(sk)->rx_lock);
	atomic_sub(skb->truesize, &sk->sk_rmem_alloc);
	sk_mem_uncharge(sk, skb->truesize);
	spin_unlock_bh(&af_ktls_sk(sk)->rx_lock);
}

/**
 * af_ktls_full - whether the receive buffer has no room; under rx_lock
 * @ks: our socket
 *
 * As for any socket, the last record may go beyond: an empty buffer takes one of any length.
 */
bool af_ktls_full(struct af_ktls_sock *ks)
{
	return atomic_read(&ks->sk.sk_rmem_alloc) >= READ_ONCE(ks->sk.sk_rcvbuf);
}

/**
 * af_ktls_charge - charge a record, which nobody owns, to our socket
 * @ks: our socket
 * @skb: the record; uncharged when it is freed
 *
 * Return: whether there is room.
 */
bool af_ktls_charge(struct af_ktls_sock *ks, struct sk_buff *skb)
{
	struct sock *sk = &ks->sk;
	bool room;

	spin_lock_bh(&ks->rx_lock);
	room = !af_ktls_full(ks) && sk_rmem_schedule(sk, skb, skb->truesize);
	if (room) {
		atomic_add(skb->truesize, &sk->sk_rmem_alloc);
		sk_mem_charge(sk, skb->truesize);
	}
	spin_unlock_bh(&ks->rx_lock);
	if (room) {
		skb->sk = sk;
		skb->destructor = af_ktls_uncharge;
	}
	return room;
}
