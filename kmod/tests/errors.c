// SPDX-License-Identifier: GPL-2.0-only
/* errors: every line of the table of errors in README.md, and that no key is ever told. */
#include <fcntl.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/un.h>

#include "made.h"

static char buffer[200];

static int get(int fd, int name, void *value, socklen_t length)
{
	return getsockopt(fd, SOL_KTLS, name, value, &length);
}

static int with_control(int fd, int level, int name, int length, unsigned char byte)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(8)];
	} control = { .header = { CMSG_LEN(length), level, name } };
	struct iovec iov = { buffer, 10 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = CMSG_SPACE(length) };

	*CMSG_DATA(&control.header) = byte;
	return sendmsg(fd, &msg, 0);
}

/* What is the same for datagrams and streams; `fd` is fresh. */
static void levels(int fd)
{
	struct ktls_attach a = { .version = KTLS_DTLS_1_2, .cipher = KTLS_AES_GCM_128 };
	struct ktls_keys keys = {};
	struct ktls_stats s;
	__u32 size = 0;
	int name;

	FAILS(setsockopt(fd, SOL_IP, KTLS_ATTACH, &a, sizeof(a)), ENOPROTOOPT);
	FAILS(option(fd, 0, &a, sizeof(a)), ENOPROTOOPT);
	FAILS(option(fd, 99, &a, sizeof(a)), ENOPROTOOPT);
	FAILS(option(fd, KTLS_SEQUENCES, &a, sizeof(a)), ENOPROTOOPT);
	FAILS(option(fd, KTLS_STATS, &a, sizeof(a)), ENOPROTOOPT);
	FAILS(option(fd, KTLS_ATTACH, &a, sizeof(a) - 1), EINVAL);
	FAILS(option(fd, KTLS_ATTACH, &a, sizeof(a) + 1), EINVAL);
	FAILS(option(fd, KTLS_ATTACH, &a, 0), EINVAL);
	FAILS(option(fd, KTLS_DETACH, &a, 1), EINVAL);
	FAILS(option(fd, KTLS_ATTACH, (void *)8, sizeof(a)), EFAULT);
	/* Keys are not told. */
	for (name = KTLS_ATTACH; name <= KTLS_DETACH; name++)
		FAILS(get(fd, name, &keys, sizeof(keys)), ENOPROTOOPT);
	FAILS(getsockopt(fd, SOL_KTLS, KTLS_STATS, &s, (void *)8), EFAULT);
	FAILS(get(fd, KTLS_STATS, (void *)8, sizeof(s)), EFAULT);
	FAILS(get(fd, KTLS_STATS, &s, -1), EINVAL);
	FAILS(get(fd, KTLS_INFO, &s, sizeof(s)), ENOTCONN);
	FAILS(option(fd, KTLS_RECORD_SIZE, &size, sizeof(size)), EINVAL);
	size = KTLS_MAX_PAYLOAD + 1;
	FAILS(option(fd, KTLS_RECORD_SIZE, &size, sizeof(size)), EINVAL);
	CHECK(!get(fd, KTLS_RECORD_SIZE, &size, sizeof(size)) && size == KTLS_MAX_PAYLOAD);
}

static void before_attachment(int fd)
{
	struct ktls_key key = the_key(EPOCH);
	struct ktls_keys keys = { key, key };
	__u64 floor = EPOCH;
	int pipes[2];

	FAILS(send(fd, buffer, 1, 0), ENOTCONN);
	FAILS(recv(fd, buffer, 1, 0), ENOTCONN);
	FAILS(shutdown(fd, SHUT_RDWR), ENOTCONN);
	FAILS(option(fd, KTLS_TX_KEY, &key, sizeof(key)), ENOTCONN);
	FAILS(option(fd, KTLS_RX_KEY, &key, sizeof(key)), ENOTCONN);
	FAILS(option(fd, KTLS_KEYS, &keys, sizeof(keys)), ENOTCONN);
	CHECK(!pipe(pipes));
	FAILS(splice(fd, NULL, pipes[1], NULL, 100, 0), ENOTCONN);
	CHECK(write(pipes[1], buffer, 10) == 10);
	FAILS(splice(pipes[0], NULL, fd, NULL, 10, 0), ENOTCONN);
	close(pipes[0]);
	close(pipes[1]);
	FAILS(option(fd, KTLS_RX_ENABLE, &floor, sizeof(floor)), fd_type(fd) == SOCK_STREAM ? EOPNOTSUPP : ENOTCONN);
	FAILS(option(fd, KTLS_DETACH, NULL, 0), fd_type(fd) == SOCK_STREAM ? EOPNOTSUPP : ENOTCONN);
	/* What sockets can do and these cannot. */
	FAILS(listen(fd, 1), EOPNOTSUPP);
	FAILS(accept(fd, NULL, NULL), EOPNOTSUPP);
	FAILS(bind(fd, (struct sockaddr *)buffer, 16), EOPNOTSUPP);
	FAILS(connect(fd, (struct sockaddr *)buffer, 16), EOPNOTSUPP);
}

static void attachments(int fd, int other, int fds[2])
{
	int loose = socket(AF_INET, SOCK_DGRAM, 0), tcp = socket(AF_INET, SOCK_STREAM, 0);
	int file = open("/proc/self/exe", O_RDONLY);
	int local = socket(AF_UNIX, SOCK_DGRAM, 0), raw = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);
	struct ktls_attach a = { .fd = fds[0], .version = KTLS_DTLS_1_2, .cipher = KTLS_AES_GCM_128, .flags = 1 };

	FAILS(attach(fd, -1, KTLS_DTLS_1_2, KTLS_AES_GCM_128), EBADF);
	FAILS(attach(fd, file, KTLS_DTLS_1_2, KTLS_AES_GCM_128), ENOTSOCK);
	FAILS(attach(fd, other, KTLS_DTLS_1_2, KTLS_AES_GCM_128), EAFNOSUPPORT);
	FAILS(attach(fd, fd, KTLS_DTLS_1_2, KTLS_AES_GCM_128), EAFNOSUPPORT);
	FAILS(attach(fd, local, KTLS_DTLS_1_2, KTLS_AES_GCM_128), EAFNOSUPPORT);
	FAILS(attach(fd, tcp, KTLS_DTLS_1_2, KTLS_AES_GCM_128), EPROTOTYPE);
	if (raw >= 0)
		FAILS(attach(fd, raw, KTLS_DTLS_1_2, KTLS_AES_GCM_128), EPROTOTYPE);
	FAILS(attach(fd, loose, KTLS_DTLS_1_2, KTLS_AES_GCM_128), ENOTCONN);
	FAILS(attach(fd, fds[0], KTLS_TLS_1_2, KTLS_AES_GCM_128), EPROTONOSUPPORT);
	FAILS(attach(fd, fds[0], 0xfeff, KTLS_AES_GCM_128), EPROTONOSUPPORT);
	FAILS(attach(fd, fds[0], KTLS_DTLS_1_2, 0), EPROTONOSUPPORT);
	FAILS(attach(fd, fds[0], KTLS_DTLS_1_2, 9), EPROTONOSUPPORT);
	FAILS(option(fd, KTLS_ATTACH, &a, sizeof(a)), EINVAL);
	a.flags = 0;
	a.reserved = 1;
	FAILS(option(fd, KTLS_ATTACH, &a, sizeof(a)), EINVAL);
	CHECK(!attach(fd, fds[0], KTLS_DTLS_1_2, KTLS_AES_GCM_128));
	FAILS(attach(fd, fds[1], KTLS_DTLS_1_2, KTLS_AES_GCM_128), EISCONN);
	FAILS(attach(other, fds[0], KTLS_DTLS_1_2, KTLS_AES_GCM_128), EBUSY);
	close(loose);
	close(tcp);
	close(file);
	close(local);
	close(raw);
}

/* Without keys, with wrong ones, with one twice; of two keys with one wrong none is taken. */
static void keys(int fd)
{
	struct ktls_key key = the_key(EPOCH), bad = the_key(5);
	struct ktls_keys both = { key, bad };
	__u64 floor = EPOCH;

	FAILS(send(fd, buffer, 1, 0), ENOKEY);
	FAILS(recv(fd, buffer, 1, 0), ENOKEY);
	FAILS(get(fd, KTLS_SEQUENCES, buffer, sizeof(struct ktls_sequences)), ENOKEY);
	FAILS(option(fd, KTLS_RX_ENABLE, &floor, sizeof(floor)), ENOKEY);
	FAILS(option(fd, KTLS_TX_KEY, &bad, sizeof(bad)), EINVAL);
	FAILS(option(fd, KTLS_KEYS, &both, sizeof(both)), EINVAL);
	bad = the_key(EPOCH);
	bad.key[16] = 1;
	FAILS(option(fd, KTLS_TX_KEY, &bad, sizeof(bad)), EINVAL);
	bad = the_key(EPOCH);
	bad.salt[4] = 1;
	FAILS(option(fd, KTLS_RX_KEY, &bad, sizeof(bad)), EINVAL);
	bad = the_key(EPOCH);
	bad.reserved = 1;
	FAILS(option(fd, KTLS_RX_KEY, &bad, sizeof(bad)), EINVAL);
	FAILS(send(fd, buffer, 1, 0), ENOKEY);
	CHECK(!option(fd, KTLS_TX_KEY, &key, sizeof(key)));
	FAILS(option(fd, KTLS_TX_KEY, &key, sizeof(key)), EALREADY);
	CHECK(sequences(fd).tx == EPOCH && !sequences(fd).rx);
	both.rx = key;
	FAILS(option(fd, KTLS_KEYS, &both, sizeof(both)), EALREADY);
	FAILS(recv(fd, buffer, 1, MSG_DONTWAIT), ENOKEY);
	CHECK(!option(fd, KTLS_RX_KEY, &key, sizeof(key)));
	floor = 2 * EPOCH;
	FAILS(option(fd, KTLS_RX_ENABLE, &floor, sizeof(floor)), ESTALE);
	floor = EPOCH;
	CHECK(!option(fd, KTLS_RX_ENABLE, &floor, sizeof(floor)));
	FAILS(option(fd, KTLS_RX_ENABLE, &floor, sizeof(floor)), EALREADY);
}

static void messages(int fd)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	__u32 size = 100;

	FAILS(recv(fd, buffer, 1, MSG_DONTWAIT), EAGAIN);
	FAILS(recv(fd, buffer, 1, MSG_OOB), EOPNOTSUPP);
	FAILS(send(fd, buffer, 1, MSG_OOB), EOPNOTSUPP);
	FAILS(sendto(fd, buffer, 1, 0, (void *)&address, sizeof(address)), EISCONN);
	FAILS(send(fd, (void *)8, 100, 0), EFAULT);
	FAILS(with_control(fd, SOL_KTLS, KTLS_RECORD_TYPE, 1, 19), EINVAL);
	FAILS(with_control(fd, SOL_KTLS, KTLS_RECORD_TYPE, 1, 64), EINVAL);
	FAILS(with_control(fd, SOL_KTLS, KTLS_RECORD_TYPE, 4, 23), EINVAL);
	FAILS(with_control(fd, SOL_KTLS, 9, 1, 23), EINVAL);
	FAILS(with_control(fd, SOL_TLS, TLS_SET_RECORD_TYPE, 1, 23), EINVAL);
	CHECK(!option(fd, KTLS_RECORD_SIZE, &size, sizeof(size)));
	FAILS(send(fd, buffer, 101, 0), EMSGSIZE);
	CHECK(send(fd, buffer, 100, 0) == 100);
	FAILS(shutdown(fd, 9), EINVAL);
}

/* Given back before there was a floor: the numbers are those that came with the keys. */
static void given_back(void)
{
	struct ktls_keys keys = { the_key(EPOCH + 7), the_key(EPOCH + 5000) };
	int fd = socket(AF_KTLS, SOCK_DGRAM, 0), fds[2];

	pair(AF_INET, fds);
	CHECK(!attach(fd, fds[0], KTLS_DTLS_1_2, KTLS_AES_GCM_128));
	CHECK(!option(fd, KTLS_KEYS, &keys, sizeof(keys)));
	CHECK(!option(fd, KTLS_DETACH, NULL, 0));
	CHECK(sequences(fd).tx == EPOCH + 7 && sequences(fd).rx == EPOCH + 5000);
	close(fd);
	close(fds[0]);
	close(fds[1]);
}

static void datagrams(void)
{
	int fd = socket(AF_KTLS, SOCK_DGRAM, 0), other = socket(AF_KTLS, SOCK_DGRAM, 0), fds[2], one = 1, zero = 0, i;
	static const int ways[] = { UDP_CORK, UDP_SEGMENT, UDP_GRO };
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	FAILS(socket(AF_KTLS, SOCK_RAW, 0), ESOCKTNOSUPPORT);
	FAILS(socket(AF_KTLS, SOCK_DGRAM, 17), EPROTONOSUPPORT);
	pair(AF_INET, fds);
	levels(fd);
	before_attachment(fd);
	attachments(fd, other, fds);
	keys(fd);
	messages(fd);
	/* Detached: the sequences are final, and somebody else may have the socket. */
	CHECK(!option(fd, KTLS_DETACH, NULL, 0));
	FAILS(option(fd, KTLS_DETACH, NULL, 0), ENOTCONN);
	FAILS(send(fd, buffer, 1, MSG_NOSIGNAL), EPIPE);
	CHECK(recv(fd, buffer, 1, 0) == 0);
	CHECK(recv(fd, buffer, 1, MSG_DONTWAIT) == 0);
	CHECK(sequences(fd).tx == EPOCH + 1 && sequences(fd).rx == EPOCH);
	given_back();
	CHECK(!attach(other, fds[0], KTLS_DTLS_1_2, KTLS_AES_GCM_128));
	close(fd);
	close(other);
	/* The last number of an epoch can be used, once. */
	fd = ready(fds[0], EPOCH | 0xffffffffffff, EPOCH);
	CHECK(send(fd, buffer, 1, 0) == 1);
	FAILS(send(fd, buffer, 1, 0), EKEYEXPIRED);
	FAILS(send(fd, buffer, 1, 0), EKEYEXPIRED);
	close(fd);
	/* Shut down, each way by itself. */
	fd = ready(fds[0], EPOCH, EPOCH);
	CHECK(!shutdown(fd, SHUT_WR));
	FAILS(send(fd, buffer, 1, MSG_NOSIGNAL), EPIPE);
	FAILS(recv(fd, buffer, 1, MSG_DONTWAIT), EAGAIN);
	CHECK(!shutdown(fd, SHUT_RD) && recv(fd, buffer, 1, 0) == 0);
	close(fd);
	/* The UDP socket loses its peer, or goes to another owner, or merges or cuts datagrams. */
	fd = ready(fds[0], EPOCH, EPOCH);
	CHECK(!connect(fds[0], &nobody, sizeof(nobody)));
	FAILS(send(fd, buffer, 1, 0), EDESTADDRREQ);
	close(fd);
	fd = socket(AF_KTLS, SOCK_DGRAM, 0);
	for (i = 0; i < 3; i++) {
		CHECK(!setsockopt(fds[1], SOL_UDP, ways[i], &one, sizeof(one)));
		FAILS(attach(fd, fds[1], KTLS_DTLS_1_2, KTLS_AES_GCM_128), EOPNOTSUPP);
		CHECK(!setsockopt(fds[1], SOL_UDP, ways[i], &zero, sizeof(zero)));
	}
	CHECK(!attach(fd, fds[1], KTLS_DTLS_1_2, KTLS_AES_GCM_128));
	close(fd);
	fd = socket(AF_KTLS, SOCK_DGRAM, 0);
	close(fds[0]);
	close(fds[1]);
	pair(AF_INET, fds);
	if (!setsockopt(fds[1], SOL_UDP, 100 /* UDP_ENCAP */, &(int){ 2 /* ESP */ }, sizeof(int)))
		FAILS(attach(fd, fds[1], KTLS_DTLS_1_2, KTLS_AES_GCM_128), EBUSY);
	close(fd);
	close(fds[0]);
	close(fds[1]);
}

static void streams(void)
{
	struct ktls_key key = the_key(0), bad = key;
	struct ktls_keys both = { key, key };
	struct ktls_info info = {};
	int fd = socket(AF_KTLS, SOCK_STREAM, 0), other = socket(AF_KTLS, SOCK_STREAM, 0), fds[2], pipes[2];
	int loose = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);

	stream_pair(AF_INET, fds);
	levels(fd);
	before_attachment(fd);
	FAILS(get(fd, KTLS_SEQUENCES, &both, sizeof(both)), EOPNOTSUPP);
	FAILS(attach(fd, udp, KTLS_TLS_1_2, KTLS_AES_GCM_128), EPROTOTYPE);
	FAILS(attach(fd, loose, KTLS_TLS_1_2, KTLS_AES_GCM_128), ENOTCONN);
	FAILS(attach(fd, fds[0], KTLS_DTLS_1_2, KTLS_AES_GCM_128), EPROTONOSUPPORT);
	FAILS(attach(fd, fds[0], 0x0302, KTLS_AES_GCM_128), EPROTONOSUPPORT);
	CHECK(!attach(fd, fds[0], KTLS_TLS_1_2, KTLS_AES_GCM_128));
	FAILS(attach(fd, fds[1], KTLS_TLS_1_2, KTLS_AES_GCM_128), EISCONN);
	FAILS(attach(other, fds[0], KTLS_TLS_1_2, KTLS_AES_GCM_128), EBUSY);
	/* Without a key nothing leaves as plaintext, and nothing is taken for it. */
	FAILS(send(fd, buffer, 1, 0), ENOKEY);
	FAILS(recv(fd, buffer, 1, 0), ENOKEY);
	CHECK(!pipe(pipes));
	FAILS(splice(fd, NULL, pipes[1], NULL, 100, 0), ENOKEY);
	CHECK(write(pipes[1], buffer, 10) == 10);
	FAILS(splice(pipes[0], NULL, fd, NULL, 10, 0), ENOKEY);
	FAILS(recv(fds[1], buffer, 1, MSG_DONTWAIT), EAGAIN);
	bad.key[20] = 1;
	both.tx = bad;
	FAILS(option(fd, KTLS_KEYS, &both, sizeof(both)), EINVAL);
	both.tx = key;
	FAILS(send(fd, buffer, 1, 0), ENOKEY);
	CHECK(!option(fd, KTLS_RX_KEY, &key, sizeof(key)));
	FAILS(option(fd, KTLS_KEYS, &both, sizeof(both)), EALREADY);
	FAILS(send(fd, buffer, 1, 0), ENOKEY);
	CHECK(!get(fd, KTLS_INFO, &info, sizeof(info)) && !*info.tx_driver && *info.rx_driver);
	CHECK(!option(fd, KTLS_TX_KEY, &key, sizeof(key)));
	FAILS(option(fd, KTLS_TX_KEY, &key, sizeof(key)), EALREADY);
	FAILS(with_control(fd, SOL_TLS, TLS_SET_RECORD_TYPE, 1, 23), EINVAL);
	CHECK(send(fd, buffer, 10, 0) == 10);
	CHECK(!shutdown(fd, SHUT_WR));
	FAILS(send(fd, buffer, 10, MSG_NOSIGNAL), EPIPE);
	close(fd);
	close(other);
	close(fds[0]);
	close(fds[1]);
	/* Set behind our back, on the TCP socket itself: told, not overwritten. */
	stream_pair(AF_INET, fds);
	CHECK(!setsockopt(fds[0], SOL_TCP, TCP_ULP, "tls", 4));
	fd = socket(AF_KTLS, SOCK_STREAM, 0);
	FAILS(attach(fd, fds[0], KTLS_TLS_1_2, KTLS_AES_GCM_128), EBUSY);
	close(fd);
	close(fds[0]);
	close(fds[1]);
	close(pipes[0]);
	close(pipes[1]);
	close(loose);
	close(udp);
}

static int stream_ready(int lower)
{
	struct ktls_keys keys = { the_key(0), the_key(0) };
	int fd = socket(AF_KTLS, SOCK_STREAM, 0);

	CHECK(!attach(fd, lower, KTLS_TLS_1_2, KTLS_AES_GCM_128));
	CHECK(!option(fd, KTLS_KEYS, &keys, sizeof(keys)));
	return fd;
}

/* What readers of a stream are told: nothing there, not data, not authentic, and nobody there any more. */
static void stream_readers(void)
{
	static const unsigned char rubbish[5 + 40] = { 23, 3, 3, 0, 40 };
	int fds[2], pipes[2], ends[2], i;

	stream_pair(AF_INET, fds);
	CHECK(!pipe(pipes));
	for (i = 0; i < 2; i++)
		ends[i] = stream_ready(fds[i]);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	FAILS(splice(ends[0], NULL, pipes[1], NULL, 100, 0), EAGAIN);
	CHECK(with_control(ends[1], SOL_KTLS, KTLS_RECORD_TYPE, 1, 21) == 10);
	CHECK(readable(ends[0], 5000));
	FAILS(splice(ends[0], NULL, pipes[1], NULL, 100, 0), EIO);
	FAILS(recv(ends[0], buffer, 10, 0), EIO);
	for (i = 0; i < 2; i++) {
		close(ends[i]);
		close(fds[i]);
	}
	stream_pair(AF_INET, fds);
	ends[0] = stream_ready(fds[0]);
	CHECK(write(fds[1], rubbish, sizeof(rubbish)) == sizeof(rubbish) && readable(ends[0], 5000));
	FAILS(recv(ends[0], buffer, 10, 0), EBADMSG);
	close(fds[1]);
	close(ends[0]);
	close(fds[0]);
	stream_pair(AF_INET, fds);
	ends[0] = stream_ready(fds[0]);
	close(fds[1]);
	CHECK(recv(ends[0], buffer, 10, 0) == 0);
	close(ends[0]);
	close(fds[0]);
	close(pipes[0]);
	close(pipes[1]);
}

int main(void)
{
	alarm(300);
	datagrams();
	streams();
	stream_readers();
	return over("errors");
}
