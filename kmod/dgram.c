// SPDX-License-Identifier: GPL-2.0
/* Datagram sockets: sending, receiving and waiting. A record is a datagram. */
#include <linux/bvec.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/uio.h>

#include "af_ktls.h"

/* The first bytes of a record's first page: what the cipher's driver reads and nobody is sent. */
#define SCRATCH_AAD		0
#define SCRATCH_NONCE		16
#define SCRATCH			32
#define TX_PAGES		DIV_ROUND_UP(SCRATCH + KTLS_HEADER + KTLS_MAX_EXPLICIT + KTLS_MAX_PAYLOAD + KTLS_TAG, \
					     PAGE_SIZE)

struct ktls_tx {
	struct page *pages[TX_PAGES];
	struct bio_vec bvec[TX_PAGES];
	struct scatterlist sg[TX_PAGES + 1];
	int count;
};

static void ktls_tx_free(struct ktls_tx *tx)
{
	while (tx->count)
		put_page(tx->pages[--tx->count]);
}

/* Pages for a record of `size` bytes, and the payload in its place. Single pages: large ones are scarce. */
static int ktls_tx_fill(struct ktls_tx *tx, size_t size, size_t head, size_t payload, struct iov_iter *from)
{
	size_t place = SCRATCH + head;
	int i, pages = DIV_ROUND_UP(SCRATCH + size, PAGE_SIZE);

	for (tx->count = 0; tx->count < pages; tx->count++) {
		tx->pages[tx->count] = alloc_page(GFP_KERNEL);
		if (!tx->pages[tx->count])
			return -ENOMEM;
	}
	for (i = 0; i < pages; i++) {
		size_t skip = i ? 0 : SCRATCH, part = min(size, PAGE_SIZE - skip);

		bvec_set_page(&tx->bvec[i], tx->pages[i], part, skip);
		size -= part;
	}
	while (payload) {
		size_t part = min(payload, PAGE_SIZE - place % PAGE_SIZE);

		if (copy_page_from_iter(tx->pages[place / PAGE_SIZE], place % PAGE_SIZE, part, from) != part)
			return -EFAULT;
		place += part;
		payload -= part;
	}
	return 0;
}

static int ktls_tx_seal(struct ktls_sock *ks, struct ktls_tx *tx, u8 type, u64 seq, size_t payload)
{
	size_t head = KTLS_HEADER + ks->cipher->explicit;
	u8 *scratch = page_address(tx->pages[0]);
	int i;

	ktls_record_aad(scratch + SCRATCH_AAD, type, seq, payload);
	ktls_record_header(scratch + SCRATCH, type, seq, payload, ks->cipher);
	ktls_record_nonce(scratch + SCRATCH_NONCE, ks->tx.salt, seq, scratch + SCRATCH + KTLS_HEADER, ks->cipher);
	sg_init_table(tx->sg, tx->count + 1);
	sg_set_buf(&tx->sg[0], scratch + SCRATCH_AAD, KTLS_AAD);
	for (i = 0; i < tx->count; i++) {
		size_t skip = i ? 0 : head;

		sg_set_page(&tx->sg[i + 1], tx->pages[i], tx->bvec[i].bv_len - skip, tx->bvec[i].bv_offset + skip);
	}
	return ktls_encrypt(ks->tx.aead, tx->sg, payload, scratch + SCRATCH_NONCE);
}

/* A number that was taken is never taken again, whatever becomes of its record: a nonce must not be used twice. */
static int ktls_tx_number(struct ktls_sock *ks, u64 *seq)
{
	*seq = atomic64_fetch_add_unless(&ks->tx_next, 1, KTLS_SEQ_MAX + 1);
	if (*seq > KTLS_SEQ_MAX)
		return -EKEYEXPIRED;
	*seq |= (u64)ks->tx.epoch << KTLS_SEQ_BITS;
	return 0;
}

static int ktls_send_record(struct ktls_sock *ks, u8 type, struct msghdr *from, size_t payload)
{
	struct msghdr msg = { .msg_flags = from->msg_flags & (MSG_DONTWAIT | MSG_NOSIGNAL) };
	size_t size = ktls_overhead(ks->cipher) + payload;
	struct ktls_tx tx;
	u64 seq;
	int err;

	err = ktls_tx_fill(&tx, size, KTLS_HEADER + ks->cipher->explicit, payload, &from->msg_iter);
	if (!err)
		err = ktls_tx_number(ks, &seq);
	if (err)
		goto free;
	err = ktls_tx_seal(ks, &tx, type, seq, payload);
	if (!err) {
		iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, tx.bvec, tx.count, size);
		err = sock_sendmsg(ks->lower, &msg);
	}
	if (err < 0) {
		ktls_count(ks, tx_errors);
	} else {
		err = 0;
		ktls_count(ks, tx_records);
		ktls_add(ks, tx_bytes, payload);
	}
free:
	ktls_tx_free(&tx);
	return err;
}

static int ktls_dgram_sendmsg(struct socket *sock, struct msghdr *msg, size_t length)
{
	struct sock *sk = sock->sk;
	struct ktls_sock *ks = ktls_sk(sk);
	size_t most = READ_ONCE(ks->record_size), sent = 0;
	u8 type = KTLS_TYPE_DATA;
	int err;

	if (msg->msg_flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE | MSG_EOR | MSG_SPLICE_PAGES | MSG_CMSG_COMPAT |
			       MSG_NO_SHARED_FRAGS))
		return -EOPNOTSUPP;
	if (msg->msg_namelen)
		return -EISCONN;
	err = ktls_message_type(msg, &type);
	if (err)
		return err;
	/* A file's pages are a stream and may be cut; a message may not. */
	if (length > most && !(msg->msg_flags & MSG_SPLICE_PAGES))
		return -EMSGSIZE;
	if (!ktls_lower(ks))
		return -ENOTCONN;
	err = sock_error(sk);
	if (err)
		return err;
	if (READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN)
		return -EPIPE;
	if (down_read_killable(&ks->sending))
		return -EINTR;
	if (ks->detached)
		err = -ENOTCONN;
	else if (!smp_load_acquire(&ks->tx.aead)) /* pairs with ktls_direction_set() */
		err = -ENOKEY;
	while (!err) {
		size_t part = min(length - sent, most);

		err = ktls_send_record(ks, type, msg, part);
		if (!err)
			sent += part;
		if (sent == length)
			break;
	}
	up_read(&ks->sending);
	return sent ? sent : err;
}

static int ktls_dgram_recvmsg(struct socket *sock, struct msghdr *msg, size_t length, int flags)
{
	struct sock *sk = sock->sk;
	struct ktls_sock *ks = ktls_sk(sk);
	struct sk_buff *skb;
	size_t copied;
	int err;
	u8 type;

	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (flags & MSG_ERRQUEUE)
		return -EAGAIN;
	if (!ktls_lower(ks))
		return -ENOTCONN;
	if (!smp_load_acquire(&ks->rx.aead)) /* pairs with ktls_direction_set() */
		return -ENOKEY;
	skb = skb_recv_datagram(sk, flags, &err);
	if (!skb)
		return err;
	type = ktls_cb(skb)->type;
	/* An alert must not be taken for data: a reader that cannot be told the type has to come again. */
	if (type != KTLS_TYPE_DATA && msg->msg_controllen < CMSG_SPACE(sizeof(type))) {
		if (flags & MSG_PEEK)
			skb_free_datagram(sk, skb);
		else
			skb_queue_head(&sk->sk_receive_queue, skb);
		return -EIO;
	}
	copied = min_t(size_t, length, skb->len);
	if (copied < skb->len)
		msg->msg_flags |= MSG_TRUNC;
	err = skb_copy_datagram_msg(skb, 0, msg, copied);
	if (!err) {
		if (msg->msg_controllen)
			put_cmsg(msg, SOL_KTLS, KTLS_RECORD_TYPE, sizeof(type), &type);
		err = flags & MSG_TRUNC ? skb->len : copied;
	}
	skb_free_datagram(sk, skb);
	return err;
}

/* Room to send is the lower socket's: wait there too. Before the attachment there is none. */
static __poll_t ktls_dgram_poll(struct file *file, struct socket *sock, struct poll_table_struct *wait)
{
	__poll_t mask = datagram_poll(file, sock, wait) & ~(EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	struct ktls_sock *ks = ktls_sk(sock->sk);
	struct socket *lower = ktls_lower(ks);

	if (!lower)
		return mask;
	sock_poll_wait(file, lower, wait);
	if (sock_writeable(lower->sk))
		mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	else
		set_bit(SOCK_NOSPACE, &lower->flags);
	return mask;
}

static int ktls_dgram_shutdown(struct socket *sock, int how)
{
	struct sock *sk = sock->sk;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	if (!ktls_lower(ktls_sk(sk)))
		return -ENOTCONN;
	lock_sock(sk);
	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | (how + 1)); /* SHUT_RD is 0, RCV_SHUTDOWN 1, and so on */
	sk->sk_state_change(sk);
	release_sock(sk);
	return 0;
}

struct proto_ops ktls_dgram_ops __ro_after_init = {
	.owner		= THIS_MODULE,
	.release	= ktls_release,
	.bind		= sock_no_bind,
	.connect	= sock_no_connect,
	.socketpair	= sock_no_socketpair,
	.accept		= sock_no_accept,
	.getname	= sock_no_getname,
	.poll		= ktls_dgram_poll,
	.ioctl		= sock_no_ioctl,
	.listen		= sock_no_listen,
	.shutdown	= ktls_dgram_shutdown,
	.setsockopt	= ktls_setsockopt,
	.getsockopt	= ktls_getsockopt,
	.sendmsg	= ktls_dgram_sendmsg,
	.recvmsg	= ktls_dgram_recvmsg,
	.mmap		= sock_no_mmap,
};
