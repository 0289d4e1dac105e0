// SPDX-License-Identifier: GPL-2.0-only
/* streams: where the records of a TLS 1.2 stream end, and how long they are. */
#include <linux/tls.h>
#include <sys/sendfile.h>

#include "made.h"

#ifndef TLS_TX_MAX_PAYLOAD_LEN
#define TLS_TX_MAX_PAYLOAD_LEN	5	/* not in the headers of 6.12 */
#endif

static unsigned char out[1 << 17], in[1 << 17];

/* A TLS 1.2 stream that sends; who receives reads what comes as it is. */
static int raw(int fds[2])
{
	struct ktls_attach attach = { .version = KTLS_TLS_1_2, .cipher = KTLS_AES_GCM_128 };
	struct ktls_keys keys = { the_key(0), the_key(0) };
	int fd = socket(AF_KTLS, SOCK_STREAM, 0);

	stream_pair(AF_INET, fds);
	attach.fd = fds[0];
	CHECK(!option(fd, KTLS_ATTACH, &attach, sizeof(attach)));
	CHECK(!option(fd, KTLS_KEYS, &keys, sizeof(keys)));
	return fd;
}

/* How many records there are, all whole and none longer than `most`; `total` of their payloads, and the `last` one. */
static int count(const unsigned char *p, int length, int most, int *total, int *last)
{
	int records = 0, at;

	/* A header of five bytes, eight of the nonce, a tag of sixteen (RFC 5246, RFC 5288). */
	for (at = 0, *total = 0; at + 5 <= length; at += 5 + 24 + *last) {
		*last = (p[at + 3] << 8 | p[at + 4]) - 24;
		CHECK(p[at] == 23 && *last > 0 && *last <= most);
		*total += *last;
		records++;
	}
	CHECK(at == length);
	return records;
}

/*
 * Records of a stream are no longer than they may be, also where the kernel says that more of the file will come, and
 * where it then does not. A kernel whose TLS keeps to the size leaves none but the last shorter; any keeps to the greatest.
 */
static void sizes(int size)
{
	int whole = size < 100 ? 10000 : 100000; /* nobody reads meanwhile */
	int fds[2], fd = raw(fds), have = 0, n, total, last, records, keeps;
	socklen_t length = sizeof(__u16);
	__u16 lower = 0;
	char name[] = "/tmp/streams.XXXXXX";
	int file = mkstemp(name);
	off_t offset = 0;

	unlink(name);
	CHECK(write(file, out, whole) == whole);
	CHECK(!option(fd, KTLS_RECORD_SIZE, &size, sizeof(size)));
	keeps = !getsockopt(fds[0], SOL_TLS, TLS_TX_MAX_PAYLOAD_LEN, &lower, &length) && size >= 64;
	CHECK(!keeps || lower == size);
	keeps |= size == KTLS_MAX_PAYLOAD;
	CHECK(sendfile(fd, file, &offset, 2 * whole) == whole);
	/* Left open by a kernel whose TLS keeps to the size; what is sent next might make it too long. */
	CHECK(send(fd, out, 10, MSG_MORE) == 10);
	if (keeps)
		FAILS(option(fd, KTLS_RECORD_SIZE, &size, sizeof(size)), EBUSY);
	CHECK(send(fd, out, 10, 0) == 10);
	CHECK(!option(fd, KTLS_RECORD_SIZE, &size, sizeof(size)));
	close(fd);
	close(fds[0]);
	while ((n = recv(fds[1], in + have, sizeof(in) - have, 0)) > 0)
		have += n;
	records = count(in, have, size, &total, &last);
	CHECK(total == whole + 20);
	CHECK(keeps ? records == (whole + size - 1) / size + 1 : records > whole / size);
	close(fds[1]);
	close(file);
}

/* A record with a type of its own is whole by itself, whatever else is said of it. */
static void typed(void)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(1)];
	} control = { .header = { CMSG_LEN(1), SOL_KTLS, KTLS_RECORD_TYPE } };
	struct iovec alert = { "\1\0", 2 };
	struct msghdr message = {
		.msg_iov = &alert, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control),
	};
	int fds[2], fd = raw(fds);

	*CMSG_DATA(&control.header) = 21;
	CHECK(sendmsg(fd, &message, MSG_MORE) == 2);
	CHECK(recv(fds[1], in, sizeof(in), 0) == 5 + 24 + 2 && in[0] == 21);
	message.msg_controllen = 0;
	CHECK(sendmsg(fd, &message, MSG_MORE | MSG_EOR) == 2);
	CHECK(recv(fds[1], in, sizeof(in), 0) == 5 + 24 + 2 && in[0] == 23);
	close(fd);
	close(fds[0]);
	close(fds[1]);
}

/* Who met a full buffer has left no record open: the size can be set, and holds, whatever the kernel's TLS says. */
static void full(void)
{
	static const int room = 32 << 20;
	int fds[2], fd = raw(fds), have = 0, n, total, last = 0;
	unsigned char *all = malloc(room);
	__u32 size = 1400;

	CHECK(all);
	while (send(fd, out, KTLS_MAX_PAYLOAD, MSG_DONTWAIT) > 0)
		;
	FAILS(send(fd, out, KTLS_MAX_PAYLOAD, MSG_DONTWAIT), EAGAIN);
	CHECK(!option(fd, KTLS_RECORD_SIZE, &size, sizeof(size)));
	while (send(fd, out, 5000, MSG_DONTWAIT) < 0 && errno == EAGAIN && readable(fds[1], 5000))
		have += recv(fds[1], all + have, room - have, 0);
	close(fd);
	close(fds[0]);
	while ((n = recv(fds[1], all + have, room - have, 0)) > 0)
		have += n;
	count(all, have, KTLS_MAX_PAYLOAD, &total, &last);
	CHECK(last <= 1400);
	free(all);
	close(fds[1]);
}

/* What MSG_MORE has left open arrives when it is shut down or closed, though somebody else has the TCP socket. */
static void ends(int shut)
{
	int fds[2], fd = raw(fds);

	CHECK(send(fd, out, 100, MSG_MORE) == 100);
	if (shut)
		CHECK(!shutdown(fd, SHUT_WR));
	else
		close(fd);
	CHECK(readable(fds[1], 5000) && recv(fds[1], in, sizeof(in), 0) == 5 + 24 + 100 && in[0] == 23);
	if (shut) {
		CHECK(recv(fds[1], in, sizeof(in), 0) == 0);
		close(fd);
	} else {
		FAILS(recv(fds[1], in, sizeof(in), MSG_DONTWAIT), EAGAIN);
	}
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	unsigned int i;

	alarm(300);
	for (i = 0; i < sizeof(out); i++)
		out[i] = rand();
	sizes(20);
	sizes(1400);
	sizes(KTLS_MAX_PAYLOAD);
	typed();
	full();
	ends(0);
	ends(1);
	return over("streams");
}
