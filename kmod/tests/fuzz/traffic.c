// SPDX-License-Identifier: GPL-2.0-only
/* What is sent and received, by every call that does so; and what comes by the wire that no peer has made. */
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "fuzz.h"

static int a_length(struct self *me)
{
	static const int odd[] = { 0, 1, 1400, 1472, 1473, 4000, 16384, 16385, 32768 };

	return any(me, 4) ? any(me, 300) : (unsigned int)odd[any(me, ARRAY_SIZE(odd))];
}

/* Other flags of send() now and then, refused or not. */
static int send_flags(struct self *me)
{
	static const int other[] = { MSG_MORE, MSG_EOR, MSG_OOB, MSG_ZEROCOPY, MSG_CONFIRM, MSG_DONTROUTE, MSG_FASTOPEN };

	return wait_or_not(me) | (any(me, 8) ? 0 : other[any(me, ARRAY_SIZE(other))]);
}

bool call_send(struct self *me)
{
	int fd = a_ktls(me), count = 1 + any(me, BURST), length = a_length(me);
	bool done = false;

	while (count--)
		done |= send(fd, me->buffer, length, send_flags(me)) >= 0;
	return done;
}

/* A message in parts, mostly with a record's type. */
static void a_message(struct self *me, struct msghdr *msg, struct iovec parts[2], char control[64], int room)
{
	struct cmsghdr *cmsg = (void *)control;

	parts[0] = (struct iovec){ me->buffer, any(me, 64) };
	parts[1] = (struct iovec){ me->buffer + 64, room ? room : a_length(me) % 16000 };
	*msg = (struct msghdr){ .msg_iov = parts, .msg_iovlen = 1 + any(me, 2) };
	if (!any(me, 4))
		return;
	msg->msg_control = control;
	msg->msg_controllen = any(me, 32) ? CMSG_SPACE(1) : any(me, 64);
	memset(control, 0, 64);
	cmsg->cmsg_level = SOL_KTLS;
	cmsg->cmsg_type = KTLS_RECORD_TYPE;
	cmsg->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(cmsg) = any(me, 16) ? 20 + any(me, 5) : any(me, 256);
}

bool call_sendmsg(struct self *me)
{
	char control[64];
	struct iovec parts[2];
	struct msghdr msg;

	a_message(me, &msg, parts, control, 0);
	return sendmsg(a_ktls(me), &msg, send_flags(me)) >= 0;
}

bool call_sendmmsg(struct self *me)
{
	char control[4][64];
	struct iovec parts[4][2];
	struct mmsghdr msgs[4];
	int i, count = 2 + any(me, 3);

	for (i = 0; i < count; i++)
		a_message(me, &msgs[i].msg_hdr, parts[i], control[i], 0);
	return sendmmsg(a_ktls(me), msgs, count, send_flags(me)) == count;
}

static int receive_flags(struct self *me)
{
	static const int other[] = { MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_OOB, MSG_ERRQUEUE, MSG_CMSG_CLOEXEC };

	return wait_or_not(me) | (any(me, 3) ? 0 : other[any(me, ARRAY_SIZE(other))]);
}

bool call_recv(struct self *me)
{
	int fd = a_ktls(me), count = 1 + any(me, BURST);
	bool done = false;

	while (count-- && recv(fd, me->buffer, a_length(me), receive_flags(me)) >= 0)
		done = true;
	return done;
}

bool call_recvmsg(struct self *me)
{
	char control[64];
	struct iovec parts[2];
	struct msghdr msg;

	a_message(me, &msg, parts, control, 16384);
	return recvmsg(a_ktls(me), &msg, receive_flags(me)) >= 0;
}

bool call_recvmmsg(struct self *me)
{
	struct timespec limit = { .tv_nsec = WAIT_US * 1000 };
	char control[4][64];
	struct iovec parts[4][2];
	struct mmsghdr msgs[4];
	int i;

	for (i = 0; i < 4; i++)
		a_message(me, &msgs[i].msg_hdr, parts[i], control[i], 4000);
	return recvmmsg(a_ktls(me), msgs, 4, receive_flags(me), &limit) > 0;
}

bool call_readwrite(struct self *me)
{
	struct iovec parts[2] = { { me->buffer, any(me, 100) }, { me->buffer + 100, any(me, 1000) } };
	int fd = a_ktls(me), waiting;

	ioctl(fd, any(me, 2) ? FIONREAD : TIOCOUTQ, &waiting);
	return any(me, 2) ? writev(fd, parts, 2) >= 0 : readv(fd, parts, 2) >= 0;
}

/*
 * By the UDP socket itself: a datagram that has come there, or one made by hand, changed or not, alone or behind
 * another, sent to the peer. With one key for all, what is played back may be authentic.
 */
bool call_wire(struct self *me)
{
	static const char header[13] = "\x17\xfe\xfd\0\1\0\0\0\0\0\7\0\x40";
	struct slot *slot = a_slot(me);
	int end = any(me, 2), fd = slot->fd[UDP][end], count = 1 + any(me, 4), length;
	bool done = false;

	while (count--) {
		length = recv(fd, me->buffer, 2000, MSG_DONTWAIT);
		if (length < (int)sizeof(header)) {
			memcpy(me->buffer, header, sizeof(header));
			me->buffer[4] = any(me, 8) ? 1 : any(me, 3);
			me->buffer[10] = any(me, 256);
			length = sizeof(header) + 64;
		}
		if (!any(me, 4))
			me->buffer[any(me, length)] ^= 1 << any(me, 8);
		if (!any(me, 4)) {
			memcpy(me->buffer + length, me->buffer, length);
			me->buffer[length] = 20 + any(me, 5);
			length *= 2;
		}
		if (!any(me, 8))
			length -= any(me, length);
		done |= send(slot->fd[UDP][any(me, 4) ? end : !end], me->buffer, length, wait_or_not(me)) >= 0;
	}
	return done;
}
