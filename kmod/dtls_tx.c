// SPDX-License-Identifier: GPL-2.0
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
 * ktls_turn - wait for one's turn to send
 * @ks: our socket
 * @noblock: do not wait
 *
 * Return: 0, -EINTR, or -EAGAIN: then whoever has the turn wakes those who poll.
 */
int ktls_turn(struct ktls_sock *ks, bool noblock)
{
	if (!noblock)
		return mutex_lock_killable(&ks->sending) ? -EINTR : 0;
	if (mutex_trylock(&ks->sending))
		return 0;
	set_bit(0, &ks->put_off);
	smp_mb__after_atomic(); /* pairs with ktls_turn_over(): it sees the bit, or we see that it is over */
	return mutex_trylock(&ks->sending) ? 0 : -EAGAIN;
}

/**
 * ktls_turn_over - let others send
 * @ks: our socket
 */
void ktls_turn_over(struct ktls_sock *ks)
{
	mutex_unlock(&ks->sending);
	smp_mb(); /* pairs with ktls_turn() */
	if (test_bit(0, &ks->put_off) && test_and_clear_bit(0, &ks->put_off))
		wake_up_interruptible_poll(sk_sleep(&ks->sk), EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
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

/* Pages to encrypt from; false if they are too scattered, and nothing is taken from the message then. */
static bool ktls_plain_pages(struct ktls_sealer *sealer, struct iov_iter *from, size_t payload)
{
	struct sg_table table = { .sgl = sealer->plain + 1 };
	ssize_t got;

	sg_init_table(sealer->plain, ARRAY_SIZE(sealer->plain));
	sg_set_buf(sealer->plain, sealer->aad, KTLS_AAD);
	got = extract_iter_to_sg(from, payload, &table, KTLS_PLAIN_PARTS, 0);
	if (got == payload && table.nents) {
		sg_mark_end(&table.sgl[table.nents - 1]);
		return true;
	}
	if (got > 0)
		iov_iter_revert(from, got);
	return false;
}

/* The sender holds `sending`. */
static int ktls_seal(struct ktls_sock *ks, struct sk_buff *skb, u8 type, struct msghdr *msg, size_t payload, bool pages)
{
	const struct ktls_cipher *cipher = ks->cipher;
	struct ktls_sealer *sealer = ks->tx.sealer;
	size_t head = KTLS_HEADER + cipher->explicit;
	struct scatterlist *from = sealer->sealed;
	u64 seq;
	int err;

	if (pages && ktls_plain_pages(sealer, &msg->msg_iter, payload))
		from = sealer->plain;
	else if (pages && skb_copy_datagram_from_iter(skb, head, &msg->msg_iter, payload))
		return -EFAULT;
	err = ktls_tx_number(ks, &seq);
	if (err)
		return err;
	ktls_record_header(skb->data, type, seq, payload, cipher);
	ktls_record_aad(sealer->aad, type, seq, payload);
	ktls_record_nonce(sealer->nonce, ks->tx.salt, seq, skb->data + KTLS_HEADER, cipher);
	sg_init_table(sealer->sealed, 2 + skb_shinfo(skb)->nr_frags);
	sg_set_buf(sealer->sealed, sealer->aad, KTLS_AAD);
	err = skb_to_sgvec(skb, sealer->sealed + 1, head, payload + KTLS_TAG);
	if (err >= 0)
		err = ktls_encrypt(sealer, from, payload);
	if (err)
		ktls_count(ks, tx_errors);
	return err;
}

/*
 * The wait for room, and for the user's pages, is before a number is taken: a sender that is put off has used none.
 */
static int ktls_send_record(struct ktls_sock *ks, u8 type, struct msghdr *msg, size_t payload)
{
	bool pages = msg->msg_flags & MSG_SPLICE_PAGES && iov_iter_is_bvec(&msg->msg_iter);
	bool noblock = msg->msg_flags & MSG_DONTWAIT;
	struct sk_buff *skb;
	int err;

	skb = ktls_udp_alloc(ks, ktls_overhead(ks->cipher) + payload, noblock, &err);
	if (!skb)
		return err;
	err = -EFAULT;
	if (!pages && skb_copy_datagram_from_iter(skb, KTLS_HEADER + ks->cipher->explicit, &msg->msg_iter, payload))
		goto free;
	err = ktls_turn(ks, noblock);
	if (err)
		goto free;
	if (ks->detached || READ_ONCE(ks->sk.sk_shutdown) & SEND_SHUTDOWN)
		err = -EPIPE;
	else
		err = ktls_seal(ks, skb, type, msg, payload, pages);
	if (!err) {
		err = ktls_udp_send(ks->lower, skb);
		skb = NULL;
		if (err) {
			ktls_count(ks, tx_errors);
		} else {
			ktls_count(ks, tx_records);
			ktls_add(ks, tx_bytes, payload);
		}
	}
	ktls_turn_over(ks);
free:
	kfree_skb(skb);
	return err;
}

static int ktls_may_send(struct sock *sk)
{
	struct ktls_sock *ks = ktls_sk(sk);
	int err;

	if (!ktls_lower(ks))
		return -ENOTCONN;
	err = sock_error(sk);
	if (err)
		return err;
	if (READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN)
		return -EPIPE;
	if (!smp_load_acquire(&ks->tx.aead)) /* pairs with ktls_dgram_keys_set() */
		return -ENOKEY;
	return 0;
}

/**
 * ktls_dgram_sendmsg - send a message as one record, or a file's pages as several
 * @sock: our socket
 * @msg: the message
 * @length: its length
 *
 * Return: what has been sent, or an error if nothing has.
 */
int ktls_dgram_sendmsg(struct socket *sock, struct msghdr *msg, size_t length)
{
	struct ktls_sock *ks = ktls_sk(sock->sk);
	size_t most = READ_ONCE(ks->record_size), sent = 0;
	u8 type = KTLS_TYPE_DATA;
	int err;

	/* MSG_BATCH: sendmmsg() says that more messages follow. */
	if (msg->msg_flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE | MSG_EOR | MSG_SPLICE_PAGES | MSG_CMSG_COMPAT |
			       MSG_NO_SHARED_FRAGS | MSG_BATCH))
		return -EOPNOTSUPP;
	if (msg->msg_namelen)
		return -EISCONN;
	err = ktls_message_type(msg, &type);
	if (err)
		return err;
	/* A file's pages are a stream and may be cut; a message may not. */
	if (length > most && !(msg->msg_flags & MSG_SPLICE_PAGES))
		return -EMSGSIZE;
	err = ktls_may_send(sock->sk);
	while (!err) {
		size_t part = min(length - sent, most);

		err = ktls_send_record(ks, type, msg, part);
		if (!err)
			sent += part;
		if (sent == length)
			break;
	}
	return sent ? sent : err;
}
