// SPDX-License-Identifier: GPL-2.0-only
/* Who else holds a socket: other numbers, other processes, a message on its way, those who wait for it. */
#include <sys/epoll.h>
#include <sys/wait.h>

#include "fuzz.h"

/* A second number, used once and closed again, or put in the place of the first. */
bool call_dup(struct self *me)
{
	enum place kind = any(me, KINDS);
	struct slot *slot = a_slot(me);
	int end = any(me, 2), fd = dup(slot->fd[kind][end]);

	if (fd < 0)
		return false;
	send(fd, me->buffer, 50, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (any(me, 2))
		replace(slot, kind, end, fd);
	else
		close(fd);
	return true;
}

/* A child that makes some calls with what it has inherited. What it closes its parent still has, and the reverse. */
bool call_fork(struct self *me)
{
	int status;
	pid_t pid;

	if (me->child)
		return false;
	pid = fork();
	if (!pid) {
		me->child = true;
		me->uring = NULL; /* its memory is the parent's */
		me->state ^= 0x9e3779b97f4a7c15ULL;
		work(me, 10);
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status);
}

/*
 * By SCM_RIGHTS over a pair of sockets of its own: taken out and put in the slot, or left in the queue and gone with
 * it. Now and then the pair itself goes along, which only the kernel's collector can free.
 */
bool call_rights(struct self *me)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(3 * sizeof(int))];
	} control = {};
	struct iovec part = { me->buffer, 1 };
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control };
	enum place kind = any(me, KINDS);
	struct slot *slot = a_slot(me);
	int ways[2], end = any(me, 2), fds[3] = { slot->fd[kind][end] }, count = any(me, 8) ? 1 : 3;
	bool done = false;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ways))
		return false;
	fds[1] = ways[0];
	fds[2] = ways[1];
	msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
	control.header = (struct cmsghdr){ CMSG_LEN(count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
	if (sendmsg(ways[0], &msg, MSG_DONTWAIT | MSG_NOSIGNAL) == 1 && count == 1 && any(me, 2)) {
		msg.msg_controllen = sizeof(control);
		memset(&control, 0, sizeof(control));
		if (recvmsg(ways[1], &msg, MSG_DONTWAIT) == 1 && control.header.cmsg_type == SCM_RIGHTS) {
			memcpy(fds, CMSG_DATA(&control.header), sizeof(int));
			replace(slot, kind, end, fds[0]);
			done = true;
		}
	}
	close(ways[0]);
	close(ways[1]);
	return done;
}

bool call_poll(struct self *me)
{
	struct pollfd sockets[4];
	int i;

	for (i = 0; i < 4; i++)
		sockets[i] = (struct pollfd){ .fd = any_socket(me), .events = any(me, 65536) };
	return poll(sockets, 4, any(me, 8) ? 0 : 2) > 0;
}

/* Waited for while others close it, attach it, or take its lower socket away. */
bool call_epoll(struct self *me)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP }, events[4];
	int fd = epoll_create1(EPOLL_CLOEXEC), i, added[4];
	bool done = false;

	if (fd < 0)
		return false;
	for (i = 0; i < 4; i++) {
		event.events |= any(me, 2) ? EPOLLET : 0;
		added[i] = any_socket(me);
		epoll_ctl(fd, EPOLL_CTL_ADD, added[i], &event);
	}
	for (i = 0; i < 3; i++) {
		done |= epoll_wait(fd, events, 4, any(me, 4) ? 0 : 2) > 0;
		epoll_ctl(fd, any(me, 2) ? EPOLL_CTL_DEL : EPOLL_CTL_MOD, added[i], &event);
		send(a_ktls(me), me->buffer, 50, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	close(fd);
	return done;
}
