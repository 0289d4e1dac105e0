// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stream sockets: a front on the kernel's own TLS, so that one interface covers both and nothing is
 * written twice.
 */
#include <linux/poll.h>
#include <linux/splice.h>
#include <net/tls.h>

#include "af_ktls.h"

/*
 * The TCP socket, when that direction has its key. Without one the kernel's TLS would send what it
 * is given as it is, and take what comes for plaintext.
 */
static struct socket *af_ktls_stream_lower(struct socket *sock, int direction, int *err)
{
	struct af_ktls_sock *ks = af_ktls_sk(sock->sk);
	struct socket *lower = af_ktls_lower(ks);

	*err = !lower ? -ENOTCONN : !test_bit_acquire(direction, &ks->keyed) ? -ENOKEY : 0;
	return lower;
}

/* The record size holds, whoever cuts; the type goes to the kernel's TLS in its own words. */
static int af_ktls_stream_sendmsg(struct socket *sock, struct msghdr *msg, size_t length)
{
	struct af_ktls_sock *ks = af_ktls_sk(sock->sk);
	struct socket *lower;
	size_t most = READ_ONCE(ks->record_size), sent = 0;
	bool cut = most == READ_ONCE(ks->lower_size);
	/* The kernel's TLS refuses what sendmmsg() says of a message that others follow. */
	unsigned int flags = msg->msg_flags & ~MSG_BATCH;
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(u8))];
	} control = {};
	u8 type = AF_KTLS_TYPE_DATA;
	int err;

	if (msg->msg_namelen)
		return -EISCONN;
	err = af_ktls_message_type(msg, &type);
	if (err)
		return err;
	lower = af_ktls_stream_lower(sock, KTLS_TX_KEY, &err);
	if (err)
		return err;
	/* The kernel's TLS would take it, and tell the next to send. */
	if (READ_ONCE(lower->sk->sk_shutdown) & SEND_SHUTDOWN)
		return sk_stream_error(lower->sk, flags, -EPIPE);
	msg->msg_controllen = 0;
	/*
	 * What is cut here is closed here. Nor is a record left open that has a type of its own or
	 * is said to end.
	 */
	if (!cut || type != AF_KTLS_TYPE_DATA || flags & MSG_EOR)
		flags &= ~MSG_MORE;
	do {
		size_t rest = length - sent, part = cut ? rest : min(rest, most);

		if (type != AF_KTLS_TYPE_DATA) {
			control.header.cmsg_len = CMSG_LEN(sizeof(type));
			control.header.cmsg_level = SOL_TLS;
			control.header.cmsg_type = TLS_SET_RECORD_TYPE;
			*(u8 *)CMSG_DATA(&control.header) = type;
			msg->msg_control = &control;
			msg->msg_control_is_user = false;
			msg->msg_controllen = sizeof(control);
		}
		msg->msg_flags = flags;
		iov_iter_truncate(&msg->msg_iter, part);
		err = sock_sendmsg(lower, msg);
		iov_iter_reexpand(&msg->msg_iter, length - sent - max(err, 0));
		if (err > 0)
			sent += err;
	} while (err > 0 && sent < length);
	af_ktls_add(ks, tx_bytes, sent);
	return sent ? sent : err;
}

static int af_ktls_stream_recvmsg(struct socket *sock, struct msghdr *msg, size_t length, int flags)
{
	struct af_ktls_sock *ks = af_ktls_sk(sock->sk);
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(u8))];
	} control = {};
	struct msghdr user = *msg;
	bool wanted = msg->msg_controllen >= af_ktls_type_room(msg);
	struct socket *lower;
	size_t left;
	u8 type;
	int err;

	lower = af_ktls_stream_lower(sock, KTLS_RX_KEY, &err);
	if (err)
		return err;
	/*
	 * Without room for the type, the kernel's TLS gives data only. What it says is for us, in
	 * the kernel's layout.
	 */
	msg->msg_flags &= ~MSG_CMSG_COMPAT;
	msg->msg_control = &control;
	msg->msg_control_is_user = false;
	msg->msg_controllen = wanted ? sizeof(control) : 0;
	err = sock_recvmsg(lower, msg, flags & ~MSG_CMSG_COMPAT);
	if (err > 0 && !(flags & MSG_PEEK))
		af_ktls_add(ks, rx_bytes, err);
	left = wanted ? msg->msg_controllen : sizeof(control);
	msg->msg_flags |= user.msg_flags & MSG_CMSG_COMPAT;
	msg->msg_control_user = user.msg_control_user;
	msg->msg_control_is_user = user.msg_control_is_user;
	msg->msg_controllen = user.msg_controllen;
	if (err >= 0 && left < sizeof(control) && control.header.cmsg_level == SOL_TLS) {
		type = *(u8 *)CMSG_DATA(&control.header);
		put_cmsg(msg, SOL_KTLS, KTLS_RECORD_TYPE, sizeof(type), &type);
	}
	return err;
}

static __poll_t af_ktls_stream_poll(struct file *file, struct socket *sock,
				    struct poll_table_struct *wait)
{
	struct socket *lower = af_ktls_lower(af_ktls_sk(sock->sk));

	if (!lower)
		return EPOLLHUP;
	return READ_ONCE(lower->ops)->poll(file, lower, wait);
}

static ssize_t af_ktls_stream_splice_read(struct socket *sock, loff_t *position,
					  struct pipe_inode_info *pipe, size_t length,
					  unsigned int flags)
{
	struct socket *lower;
	ssize_t got;
	int err;

	lower = af_ktls_stream_lower(sock, KTLS_RX_KEY, &err);
	if (err)
		return err;
	/* It looks at the TCP socket's file, and has another word for a record that is not data. */
	if (sock->file->f_flags & O_NONBLOCK)
		flags |= SPLICE_F_NONBLOCK;
	got = READ_ONCE(lower->ops)->splice_read(lower, position, pipe, length, flags);
	if (got > 0)
		af_ktls_add(af_ktls_sk(sock->sk), rx_bytes, got);
	return got == -EINVAL ? -EIO : got;
}

static void af_ktls_stream_splice_eof(struct socket *sock)
{
	struct socket *lower = af_ktls_lower(af_ktls_sk(sock->sk));

	if (lower && READ_ONCE(lower->ops)->splice_eof)
		READ_ONCE(lower->ops)->splice_eof(lower);
}

/**
 * af_ktls_stream_flush - send the record that MSG_MORE has left open: nobody else would ever
 * @ks: our socket
 * @noblock: do not wait
 *
 * The kernel's TLS closes an open record before it takes another type; of that none is sent.
 *
 * Return: 0, -EAGAIN, or what the TCP socket says.
 */
int af_ktls_stream_flush(struct af_ktls_sock *ks, bool noblock)
{
	struct socket *lower = af_ktls_lower(ks);
	const struct tls_context *tls = lower ? tls_get_ctx(lower->sk) : NULL;
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(u8))];
	} control = {
		.header = { CMSG_LEN(sizeof(u8)), SOL_TLS, TLS_SET_RECORD_TYPE },
	};
	struct msghdr msg = {
		.msg_control = &control,
		.msg_controllen = sizeof(control),
		.msg_flags = MSG_NOSIGNAL | (noblock ? MSG_DONTWAIT : 0),
	};

	if (!test_bit(KTLS_TX_KEY, &ks->keyed) || !tls ||
	    !READ_ONCE(tls->pending_open_record_frags))
		return 0;
	*(u8 *)CMSG_DATA(&control.header) = AF_KTLS_TYPE_DATA;
	return min(kernel_sendmsg(lower, &msg, NULL, 0, 0), 0);
}

static int af_ktls_stream_shutdown(struct socket *sock, int how)
{
	struct socket *lower = af_ktls_lower(af_ktls_sk(sock->sk));
	int err = 0;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	if (how != SHUT_RD)
		err = af_ktls_stream_flush(af_ktls_sk(sock->sk), sock->file->f_flags & O_NONBLOCK);
	/* Of a connection that is no more, nothing is to be saved. */
	if (err == -EAGAIN || (err && signal_pending(current)))
		return err;
	return lower ? kernel_sock_shutdown(lower, how) : -ENOTCONN;
}

struct proto_ops af_ktls_stream_ops __ro_after_init = {
	.owner		= THIS_MODULE,
	.release	= af_ktls_release,
	.bind		= sock_no_bind,
	.connect	= sock_no_connect,
	.socketpair	= sock_no_socketpair,
	.accept		= sock_no_accept,
	.getname	= sock_no_getname,
	.poll		= af_ktls_stream_poll,
	.ioctl		= sock_no_ioctl,
	.listen		= sock_no_listen,
	.shutdown	= af_ktls_stream_shutdown,
	.setsockopt	= af_ktls_setsockopt,
	.getsockopt	= af_ktls_getsockopt,
	.sendmsg	= af_ktls_stream_sendmsg,
	.recvmsg	= af_ktls_stream_recvmsg,
	.mmap		= sock_no_mmap,
	.splice_read	= af_ktls_stream_splice_read,
	.splice_eof	= af_ktls_stream_splice_eof,
};
