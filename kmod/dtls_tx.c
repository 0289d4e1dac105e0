// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records to be sent: number, frame, encrypt, hand over.
 *
 * What a user writes is copied once, to where it is then encrypted. A file's pages are not copied:
 * they are encrypted from where they are to where the record is. Somebody may write them meanwhile.
 * The ciphers read each byte of them once, and authenticate what they have written, so whatever is
 * sent is authentic.
 */
#include <linux/uio.h>

#include "af_ktls.h"

/**
 * af_ktls_turn - wait for one's turn to send
 * @ks: our socket
 * @noblock: do not wait
 *
 * Return: 0, -EINTR, or -EAGAIN: then whoever has the turn wakes those who poll.
 */
int af_ktls_turn(struct af_ktls_sock *ks, bool noblock)
{
	if (!noblock)
		return mutex_lock_killable(&ks->sending) ? -EINTR : 0;
	if (mutex_trylock(&ks->sending))
		return 0;
	set_bit(0, &ks->put_off);
	/* Pairs with af_ktls_turn_over(): it sees the bit, or we see that it is over. */
	smp_mb__after_atomic();
	return mutex_trylock(&ks->sending) ? 0 : -EAGAIN;
}

/**
 * af_ktls_turn_over - let others send
 * @ks: our socket
 */
void af_ktls_turn_over(struct af_ktls_sock *ks)
{
	mutex_unlock(&ks->sending);
	smp_mb(); /* pairs with af_ktls_turn() */
	if (test_bit(0, &ks->put_off) && test_and_clear_bit(0, &ks->put_off))
		wake_up_interruptible_poll(sk_sleep(&ks->sk), EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
}

/*
 * A number that was taken is never taken again, whatever becomes of its record: a nonce must not be
 * used twice.
 */
int af_ktls_tx_number(struct af_ktls_sock *ks, u64 *seq)
{
	*seq = atomic64_fetch_add_unless(&ks->tx_next, 1, AF_KTLS_SEQ_MAX + 1);
	if (*seq > AF_KTLS_SEQ_MAX)
		return -EKEYEXPIRED;
	*seq |= (u64)ks->tx.epoch << AF_KTLS_SEQ_BITS;
	return 0;
}

/* Pages to encrypt from; false if they are too scattered: nothing is taken of the message then. */
static bool af_ktls_plain_pages(struct af_ktls_sealer *sealer, struct iov_iter *from,
				size_t payload)
{
	struct sg_table table = { .sgl = sealer->plain + 1 };
	ssize_t got;

	sg_init_table(sealer->plain, ARRAY_SIZE(sealer->plain));
	sg_set_buf(sealer->plain, sealer->aad, AF_KTLS_AAD);
	got = extract_iter_to_sg(from, payload, &table, AF_KTLS_PLAIN_PARTS, 0);
	if (got == payload && table.nents) {
		sg_mark_end(&table.sgl[table.nents - 1]);
		return true;
	}
	if (got > 0)
		iov_iter_revert(from, got);
	return false;
}

/* The sender holds `sending`. */
static int af_ktls_seal(struct af_ktls_sock *ks, struct sk_buff *skb, u8 type, struct msghdr *msg,
			size_t payload, bool pages)
{
	const struct af_ktls_cipher *cipher = ks->cipher;
	struct af_ktls_sealer *sealer = ks->tx.sealer;
	size_t head = AF_KTLS_HEADER + cipher->explicit;
	struct scatterlist *from = sealer->sealed;
	u64 seq;
	int err;

	if (pages && af_ktls_plain_pages(sealer, &msg->msg_iter, payload))
		from = sealer->plain;
	else if (pages && skb_copy_datagram_from_iter(skb, head, &msg->msg_iter, payload))
		return -EFAULT;
	err = af_ktls_tx_number(ks, &seq);
	if (err)
		return err;
	af_ktls_record_header(skb->data, type, seq, payload, cipher);
	af_ktls_record_aad(sealer->aad, type, seq, payload);
	af_ktls_record_nonce(sealer->nonce, ks->tx.salt, seq, skb->data + AF_KTLS_HEADER, cipher);
	sg_init_table(sealer->sealed, 2 + skb_shinfo(skb)->nr_frags);
	sg_set_buf(sealer->sealed, sealer->aad, AF_KTLS_AAD);
	err = skb_to_sgvec(skb, sealer->sealed + 1, head, payload + AF_KTLS_TAG);
	if (err >= 0)
		err = af_ktls_encrypt(sealer, from, payload);
	if (err)
		af_ktls_count(ks, tx_errors);
	return err;
}

/*
 * The wait for room, and for the user's pages, is before a number is taken: a sender that is put
 * off has used none.
 */
static int af_ktls_send_record(struct af_ktls_sock *ks, u8 type, struct msghdr *msg, size_t payload)
{
	bool pages = msg->msg_flags & MSG_SPLICE_PAGES && iov_iter_is_bvec(&msg->msg_iter);
	bool noblock = msg->msg_flags & MSG_DONTWAIT;
	struct sk_buff *skb;
	int err;

	skb = af_ktls_udp_alloc(ks, af_ktls_overhead(ks->cipher) + payload, noblock, &err);
	if (!skb)
		return err;
	err = -EFAULT;
	if (!pages && skb_copy_datagram_from_iter(skb, AF_KTLS_HEADER + ks->cipher->explicit,
						  &msg->msg_iter, payload))
		goto free;
	err = af_ktls_turn(ks, noblock);
	if (err)
		goto free;
	if (ks->detached || READ_ONCE(ks->sk.sk_shutdown) & SEND_SHUTDOWN)
		err = -EPIPE;
	else
		err = af_ktls_seal(ks, skb, type, msg, payload, pages);
	if (!err) {
		err = af_ktls_udp_send(ks->lower, skb);
		skb = NULL;
		if (err) {
			af_ktls_count(ks, tx_errors);
		} else {
			af_ktls_count(ks, tx_records);
			af_ktls_add(ks, tx_bytes, payload);
		}
	}
	af_ktls_turn_over(ks);
free:
	kfree_skb(skb);
	return err;
}

static int af_ktls_may_send(struct sock *sk)
{
	struct af_ktls_sock *ks = af_ktls_sk(sk);
	int err;

	if (!af_ktls_lower(ks))
		return -ENOTCONN;
	err = sock_error(sk);
	if (err)
		return err;
	if (READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN)
		return -EPIPE;
	if (!smp_load_acquire(&ks->tx.aead)) /* pairs with af_ktls_dgram_keys_set() */
		return -ENOKEY;
	return 0;
}

/**
 * af_ktls_dgram_sendmsg - send a message as one record, or a file's pages as several
 * @sock: our socket
 * @msg: the message
 * @length: its length
 *
 * Return: what has been sent, or an error if nothing has.
 */
int af_ktls_dgram_sendmsg(struct socket *sock, struct msghdr *msg, size_t length)
{
	struct af_ktls_sock *ks = af_ktls_sk(sock->sk);
	size_t most = READ_ONCE(ks->record_size), sent = 0;
	u8 type = AF_KTLS_TYPE_DATA;
	int err;

	/* MSG_BATCH: sendmmsg() says that more messages follow. */
	if (msg->msg_flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE | MSG_EOR | MSG_SPLICE_PAGES |
			       MSG_CMSG_COMPAT | MSG_NO_SHARED_FRAGS | MSG_BATCH))
		return -EOPNOTSUPP;
	if (msg->msg_namelen)
		return -EISCONN;
	err = af_ktls_message_type(msg, &type);
	if (err)
		return err;
	/* A file's pages are a stream and may be cut; a message may not. */
	if (length > most && !(msg->msg_flags & MSG_SPLICE_PAGES))
		return -EMSGSIZE;
	err = af_ktls_may_send(sock->sk);
	while (!err) {
		size_t part = min(length - sent, most);

		err = af_ktls_send_record(ks, type, msg, part);
		if (!err)
			sent += part;
		if (sent == length)
			break;
	}
	return sent ? sent : err;
}
