// SPDX-License-Identifier: GPL-2.0-only
/* traffic [SENDS]: sizes to the greatest, files, pipes, many at once, closing in the middle, nobody at the peer. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "made.h"

static unsigned char out[1 << 17], in[1 << 17];

/* Every length around the places where the record's memory changes its kind, and empty ones. */
static void sizes(int a, int b)
{
	static const int around[] = { 0, 1, 16, 1400, 1500, 3500, 4059, 4075, 7600, 8192, 12000, 15800, 16376 };
	unsigned int k;
	int i, size;

	for (k = 0; k < sizeof(around) / sizeof(around[0]); k++)
		for (size = around[k]; size < around[k] + 9 && size <= KTLS_MAX_PAYLOAD; size++) {
			for (i = 0; i < size; i++)
				out[i] = rand();
			memset(in, 0, size);
			CHECK(send(a, out, size, 0) == size);
			CHECK(next_record(b, in, sizeof(in), 0) == size);
			CHECK(!memcmp(in, out, size));
		}
	for (i = 0; i < 100; i++) {
		struct iovec iov[5];
		int part = 1 + rand() % 800;

		for (k = 0; k < 5; k++)
			iov[k] = (struct iovec){ out + 5000 * k + i, part };
		CHECK(writev(a, iov, 5) == 5 * part);
		CHECK(next_record(b, in, sizeof(in), 0) == 5 * part);
		for (k = 0; k < 5; k++)
			CHECK(!memcmp(in + k * part, iov[k].iov_base, part));
	}
}

/* Several messages in one call: a record each. */
static void at_once(int a, int b)
{
	struct iovec iov[3];
	struct mmsghdr messages[3] = {};
	int i;

	for (i = 0; i < 3; i++) {
		iov[i] = (struct iovec){ out + 100 * i, 100 + i };
		messages[i].msg_hdr.msg_iov = &iov[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	CHECK(sendmmsg(a, messages, 3, 0) == 3);
	for (i = 0; i < 3; i++)
		CHECK(next_record(b, in, sizeof(in), 0) == 100 + i && !memcmp(in, out + 100 * i, 100 + i));
}

/* From here on one processor only: a driver that is done later keeps the order on each, not between them. */
static void stay(int yes)
{
	static cpu_set_t all;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (yes)
		CHECK(!sched_getaffinity(0, sizeof(all), &all));
	CHECK(!sched_setaffinity(0, sizeof(all), yes ? &one : &all));
}

/* A file out, at odd offsets and in records of every kind of size; its bytes back through a pipe that is too small. */
static void files(int a, int b)
{
	static const __u32 records[] = { 1, 100, 1400, 4096, 5000, 16384 };
	char name[] = "/tmp/traffic.XXXXXX";
	int file = mkstemp(name), pipes[2], n, got;
	unsigned int k, i;

	unlink(name);
	for (i = 0; i < sizeof(out); i++)
		out[i] = rand();
	CHECK(write(file, out, sizeof(out)) == sizeof(out));
	CHECK(!pipe(pipes) && fcntl(pipes[1], F_SETPIPE_SZ, 4096) == 4096);
	for (k = 0; k < sizeof(records) / sizeof(records[0]); k++) {
		off_t offset = 1000 * k + k;
		int size = records[k] < 1000 ? 50 * records[k] : 30001; /* a small record takes much of the buffer */

		CHECK(!option(a, KTLS_RECORD_SIZE, &records[k], sizeof(records[k])));
		CHECK(send(a, out, 0, 0) == 0); /* an empty record is no end of file */
		CHECK(sendfile(a, file, &offset, size) == size);
		for (got = 0; got < size; got += n) {
			/* An empty record may be all there is yet: splice passes over it. */
			do
				n = readable(b, 2000) ? splice(b, NULL, pipes[1], NULL, size - got, SPLICE_F_NONBLOCK) : 0;
			while (n < 0 && errno == EAGAIN);
			CHECK(n > 0);
			if (n <= 0)
				break;
			CHECK(read(pipes[0], in + got, n) == n);
		}
		CHECK(!memcmp(in, out + 1000 * k + k, size));
		FAILS(splice(b, NULL, pipes[1], NULL, 100, SPLICE_F_NONBLOCK), EAGAIN);
	}
	/* What a splice has left of a record, a read gets. */
	n = KTLS_MAX_PAYLOAD;
	CHECK(!option(a, KTLS_RECORD_SIZE, &n, sizeof(n)));
	CHECK(send(a, out, 1000, 0) == 1000 && splice(b, NULL, pipes[1], NULL, 300, 0) == 300);
	CHECK(next_record(b, in, 1000, MSG_PEEK) == 700 && next_record(b, in, 1000, 0) == 700 && !memcmp(in, out + 300, 700));
	CHECK(read(pipes[0], in, 1000) == 300 && !memcmp(in, out, 300));
	/* From a pipe that a user wrote to. */
	CHECK(write(pipes[1], out, 2000) == 2000 && splice(pipes[0], NULL, a, NULL, 2000, 0) == 2000);
	CHECK(next_record(b, in, 3000, 0) == 2000 && !memcmp(in, out, 2000));
	close(pipes[0]);
	close(pipes[1]);
	close(file);
}

#define SENDERS 4
#define SENDS 500

static int source, sink, sends = SENDS;
static _Atomic int taken, done;
static unsigned char seen[SENDERS * SENDS];

static void *sender(void *number)
{
	unsigned int record[350], i, k;

	for (i = 0; (int)i < sends; i++) {
		for (k = 0; k < 350; k++)
			record[k] = (long)number * sends + i;
		CHECK(send(source, record, sizeof(record), 0) == sizeof(record));
		/* No more on the way than fit the buffer; a lost one is found out in the end. */
		for (k = 0; k < 5000 && taken + 40 < (int)stats(source).tx_records; k++)
			poll(NULL, 0, 1);
	}
	return NULL;
}

static void *receiver(void *unused)
{
	unsigned int record[351], k;

	while (!done) {
		if (!readable(sink, 100))
			continue;
		if (recv(sink, record, sizeof(record), MSG_DONTWAIT) < 0)
			continue; /* the other was faster */
		for (k = 1; k < 350; k++)
			CHECK(record[k] == record[0]);
		CHECK(record[0] < (unsigned int)(SENDERS * sends) && !seen[record[0]]++);
		taken++;
	}
	return unused;
}

/* All of what several send and several receive arrives whole, once. */
static void crowd(int a, int b)
{
	pthread_t senders[SENDERS], receivers[2];
	struct ktls_stats before = stats(a), s;
	long i;

	memset(seen, 0, sizeof(seen));
	source = a;
	sink = b;
	taken = before.tx_records;
	done = 0;
	for (i = 0; i < 2; i++)
		pthread_create(&receivers[i], NULL, receiver, NULL);
	for (i = 0; i < SENDERS; i++)
		pthread_create(&senders[i], NULL, sender, (void *)i);
	for (i = 0; i < SENDERS; i++)
		pthread_join(senders[i], NULL);
	for (i = 0; i < 100 && taken < (int)stats(a).tx_records; i++)
		poll(NULL, 0, 20);
	done = 1;
	for (i = 0; i < 2; i++)
		pthread_join(receivers[i], NULL);
	CHECK(memchr(seen, 0, SENDERS * sends) == NULL);
	s = stats(b);
	CHECK(!s.rx_full && !s.rx_old && !s.rx_replayed && !s.rx_forged && !s.rx_errors && !s.rx_malformed);
	CHECK(stats(a).tx_records - before.tx_records == (unsigned int)(SENDERS * sends) && !stats(a).tx_errors);
}

static void *without_type(void *fd)
{
	return (void *)(long)recv(*(int *)fd, (char[8]){ 0 }, 8, 0);
}

/* Two bytes with the type of their record: to send it, or with room to be told it. */
static long with_type(int fd, unsigned char type, ssize_t (*call)(int fd, struct msghdr *msg))
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(1)];
	} control = { .header = { CMSG_LEN(1), SOL_KTLS, KTLS_RECORD_TYPE } };
	struct iovec iov = { (char[2]){ 1, 0 }, 2 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };

	*CMSG_DATA(&control.header) = type;
	return call(fd, &msg);
}

static ssize_t receive_it(int fd, struct msghdr *msg)
{
	return recvmsg(fd, msg, 0);
}

static ssize_t send_it(int fd, struct msghdr *msg)
{
	return sendmsg(fd, msg, 0);
}

static void *reader_with_type(void *fd)
{
	return (void *)with_type(*(int *)fd, 0, receive_it);
}

/* An alert wakes one reader, who cannot be told what it is: the other must not sleep on. */
static void two_readers(int a, int b)
{
	struct timeval limit = { .tv_sec = 3 };
	pthread_t first, second;
	void *result;
	int i;

	CHECK(!setsockopt(b, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
	pthread_create(&first, NULL, without_type, &b);
	for (i = 0; i < 20; i++)
		sched_yield();
	pthread_create(&second, NULL, reader_with_type, &b);
	for (i = 0; i < 20; i++)
		sched_yield();
	CHECK(with_type(a, 21, send_it) == 2);
	pthread_join(second, &result);
	CHECK((long)result == 2);
	pthread_join(first, NULL);
	limit.tv_sec = 0;
	CHECK(!setsockopt(b, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
}

/* By epoll; in a read that somebody shuts down; with the descriptor underneath closed; then nobody is there. */
static void waiting(int a, int b, int lower)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT };
	int watch = epoll_create1(0), i;
	pthread_t thread;
	void *result;

	CHECK(!epoll_ctl(watch, EPOLL_CTL_ADD, b, &event));
	CHECK(epoll_wait(watch, &event, 1, 0) == 1 && event.events == EPOLLOUT);
	CHECK(send(a, out, 10, 0) == 10);
	CHECK(readable(b, 2000) && epoll_wait(watch, &event, 1, 1000) == 1 && event.events == (EPOLLIN | EPOLLOUT));
	CHECK(next_record(b, in, 10, 0) == 10);
	close(lower);
	CHECK(send(a, out, 10, 0) == 10 && next_record(b, in, 10, 0) == 10);
	pthread_create(&thread, NULL, without_type, &b);
	for (i = 0; i < 3; i++)
		sched_yield();
	CHECK(!shutdown(b, SHUT_RD));
	pthread_join(thread, &result);
	CHECK((long)result == 0);
	CHECK(epoll_wait(watch, &event, 1, 0) == 1 && event.events & EPOLLIN);
	close(watch);
	close(b);
	send(a, out, 10, 0);
	FAILS(recv(a, in, 10, 0), ECONNREFUSED);
	FAILS(recv(a, in, 10, MSG_DONTWAIT), EAGAIN);
}

/* An IPv4 peer on an IPv6 socket. */
static void mapped(void)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6 };
	struct sockaddr_storage address;
	socklen_t length;
	int v4 = bound(AF_INET, SOCK_DGRAM, &address, &length), v6 = socket(AF_INET6, SOCK_DGRAM, 0), a, b;

	to.sin6_port = ((struct sockaddr_in *)&address)->sin_port;
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &to.sin6_addr);
	CHECK(!connect(v6, (void *)&to, sizeof(to)));
	length = sizeof(to);
	CHECK(!getsockname(v6, (void *)&to, &length));
	((struct sockaddr_in *)&address)->sin_port = to.sin6_port;
	CHECK(!connect(v4, (void *)&address, sizeof(struct sockaddr_in)));
	a = ready(v6, EPOCH, EPOCH);
	b = ready(v4, EPOCH, EPOCH);
	CHECK(send(a, out, 1400, 0) == 1400 && next_record(b, in, 2000, 0) == 1400 && !memcmp(in, out, 1400));
	CHECK(send(b, out, 1400, 0) == 1400 && next_record(a, in, 2000, 0) == 1400);
	close(a);
	close(b);
	close(v4);
	close(v6);
}

int main(int argc, char **argv)
{
	static const int families[] = { AF_INET, AF_INET6 };
	int fds[2], a, b, i;

	alarm(300);
	if (argc > 1)
		sends = atoi(argv[1]) < SENDS ? atoi(argv[1]) : SENDS;
	for (i = 0; i < 2; i++) {
		pair(families[i], fds);
		a = ready(fds[0], EPOCH, EPOCH);
		b = ready(fds[1], EPOCH, EPOCH);
		sizes(a, b);
		at_once(a, b);
		stay(1);
		files(a, b);
		stay(0);
		crowd(a, b);
		two_readers(a, b);
		waiting(a, b, fds[1]);
		close(a);
		close(fds[0]);
	}
	mapped();
	return over("traffic");
}
