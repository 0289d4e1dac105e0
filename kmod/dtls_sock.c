// SPDX-License-Identifier: GPL-2.0-only
/* Datagram sockets: reading, waiting, shutting down. A record is a datagram. */
#include <linux/file.h>
#include <linux/mutex.h>
#include <linux/wait.h>
#include <linux/splice.h>

#include "af_ktls.h"

/* The next record; NULL with `err` 0: there will be none any more. */
static struct sk_buff *af_ktls_dgram_receive(struct sock *sk, int flags, int *err)
{
	struct af_ktls_sock *ks = af_ktls_sk(sk);
	struct sk_buff *skb = NULL;

	if (!af_ktls_lower(ks)) {
		*err = -ENOTCONN;
	} else if (!smp_load_acquire(&ks->rx.aead)) { /* pairs with af_ktls_dgram_keys_set() */
		*err = -ENOKEY;
	} else {
		skb = skb_recv_datagram(sk, flags, err);
		/* Or who polls would come back for ever. */
		if (!skb && *err == -EAGAIN && READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN)
			*err = 0;
	}
	return skb;
}

/*
 * Not read after all: it is the next again. One reader was woken for it; another may be the one
 * that can read it.
 */
static void af_ktls_dgram_put_back(struct sock *sk, struct sk_buff *skb, int flags)
{
	if (flags & MSG_PEEK)
		skb_free_datagram(sk, skb);
	else
		skb_queue_head(&sk->sk_receive_queue, skb);
	sk->sk_data_ready(sk);
}

static int af_ktls_dgram_recvmsg(struct socket *sock, struct msghdr *msg, size_t length, int flags)
{
	struct sock *sk = sock->sk;
	struct sk_buff *skb;
	size_t copied, there;
	u32 offset;
	int err;
	u8 type;

	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (flags & MSG_ERRQUEUE)
		return -EAGAIN;
	skb = af_ktls_dgram_receive(sk, flags, &err);
	if (!skb)
		return err;
	type = af_ktls_cb(skb)->type;
	/* An alert must not be taken for data: who cannot be told the type has to come again. */
	if (type != AF_KTLS_TYPE_DATA && msg->msg_controllen < af_ktls_type_room(msg)) {
		af_ktls_dgram_put_back(sk, skb, flags);
		return -EIO;
	}
	offset = READ_ONCE(af_ktls_cb(skb)->offset);
	there = skb->len - offset;
	copied = min(length, there);
	if (copied < there)
		msg->msg_flags |= MSG_TRUNC;
	err = skb_copy_datagram_msg(skb, offset, msg, copied);
	if (!err) {
		if (msg->msg_controllen)
			put_cmsg(msg, SOL_KTLS, KTLS_RECORD_TYPE, sizeof(type), &type);
		err = flags & MSG_TRUNC ? there : copied;
		skb_free_datagram(sk, skb);
	} else {
		af_ktls_dgram_put_back(sk, skb, flags); /* nobody has it yet */
	}
	return err;
}

/*
 * One record at a time: its end can be told. What the pipe has no room for stays; an empty record
 * is no end of file.
 */
static ssize_t af_ktls_dgram_splice_read(struct socket *sock, loff_t *position,
					 struct pipe_inode_info *pipe, size_t length,
					 unsigned int flags)
{
	int wait = flags & SPLICE_F_NONBLOCK || sock->file->f_flags & O_NONBLOCK ? MSG_DONTWAIT : 0;
	struct sock *sk = sock->sk;
	struct sk_buff *skb;
	ssize_t taken;
	int err;

	for (;;) {
		skb = af_ktls_dgram_receive(sk, wait, &err);
		if (!skb)
			return err;
		if (skb->len)
			break;
		skb_free_datagram(sk, skb);
	}
	if (af_ktls_cb(skb)->type != AF_KTLS_TYPE_DATA) {
		af_ktls_dgram_put_back(sk, skb, 0);
		return -EIO;
	}
	taken = skb_splice_bits(skb, sk, af_ktls_cb(skb)->offset, pipe,
				min_t(size_t, length, skb->len - af_ktls_cb(skb)->offset), flags);
	if (taken > 0)
		WRITE_ONCE(af_ktls_cb(skb)->offset, af_ktls_cb(skb)->offset + taken);
	if (af_ktls_cb(skb)->offset < skb->len)
		af_ktls_dgram_put_back(sk, skb, 0);
	else
		skb_free_datagram(sk, skb);
	return taken;
}

/* Room to send is the lower socket's: wait there too. Before the attachment there is none. */
static __poll_t af_ktls_dgram_poll(struct file *file, struct socket *sock,
				   struct poll_table_struct *wait)
{
	__poll_t mask = datagram_poll(file, sock, wait) & ~(EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	struct af_ktls_sock *ks = af_ktls_sk(sock->sk);
	struct socket *lower = af_ktls_lower(ks);

	if (!lower)
		return mask;
	sock_poll_wait(file, lower, wait);
	if (sock_writeable(lower->sk))
		mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	else
		set_bit(SOCK_NOSPACE, &lower->flags);
	return mask;
}

static int af_ktls_dgram_shutdown(struct socket *sock, int how)
{
	struct sock *sk = sock->sk;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	if (!af_ktls_lower(af_ktls_sk(sk)))
		return -ENOTCONN;
	lock_sock(sk);
	/* SHUT_RD is 0, RCV_SHUTDOWN 1, and so on. */
	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | (how + 1));
	sk->sk_state_change(sk);
	af_ktls_udp_wake(af_ktls_sk(sk));
	release_sock(sk);
	return 0;
}

struct proto_ops af_ktls_dgram_ops __ro_after_init = {
	.owner		= THIS_MODULE,
	.release	= af_ktls_release,
	.bind		= sock_no_bind,
	.connect	= sock_no_connect,
	.socketpair	= sock_no_socketpair,
	.accept		= sock_no_accept,
	.getname	= sock_no_getname,
	.poll		= af_ktls_dgram_poll,
	.ioctl		= sock_no_ioctl,
	.listen		= sock_no_listen,
	.shutdown	= af_ktls_dgram_shutdown,
	.setsockopt	= af_ktls_setsockopt,
	.getsockopt	= af_ktls_getsockopt,
	.sendmsg	= af_ktls_dgram_sendmsg,
	.recvmsg	= af_ktls_dgram_recvmsg,
	.splice_read	= af_ktls_dgram_splice_read,
	.mmap		= sock_no_mmap,
};
