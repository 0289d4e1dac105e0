// SPDX-License-Identifier: GPL-2.0-only
/*
 * interop dtls1.2|tls1.2|tls1.3 gnutls|openssl SUITE 4|6 client|server
 *
 * Over the loopback. One end is a library on its own; the other, as client or server, shakes hands with GnuTLS and
 * hands over to the kernel. What it sends the library sends back, and all bytes are compared: messages, a file by
 * sendfile(), what came back by splice(). Then both say goodbye: the kernel's end by an alert of its own.
 */
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <sys/sendfile.h>
#include <sys/wait.h>

#include "common.h"
#include "example.h"
#include "stock.h"

static const char *const protocols[] = { "dtls1.2", "tls1.2", "tls1.3", NULL };
static const char *const suites[] = { "aes-128-gcm", "aes-256-gcm", "chacha20-poly1305", NULL };
static const char *const families[] = { "4", "6", NULL };
static const char *const sides[] = { "client", "server", NULL };
static const char *const libraries[] = { "gnutls", "openssl", NULL };

static const int versions[] = { KTLS_DTLS_1_2, KTLS_TLS_1_2, KTLS_TLS_1_3 };
static const int sizes[] = { 1, 2, 15, 16, 17, 100, 1000, 1400, 4000, 4030, 4031, 4075, 4096, 8192, 16000, 16347 };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))
#define ROUNDS 10
#define FILE_SIZE 100000
#define RECORD 1400
#define PIECE 65536

static unsigned char out[FILE_SIZE], in[FILE_SIZE + 1];

static int choice(const char *const *words, const char *word)
{
	int i;

	for (i = 0; words[i]; i++)
		if (!strcmp(words[i], word))
			return i;
	fprintf(stderr, "interop: %s?\n", word);
	exit(2);
}

static struct ktls_key key_of(gnutls_session_t session, int read)
{
	gnutls_datum_t mac, iv, key;
	struct ktls_key k = {};
	unsigned char seq[8];
	int i;

	if (gnutls_record_get_state(session, read, &mac, &iv, &key, seq) < 0)
		exit(2);
	memcpy(k.key, key.data, key.size);
	memcpy(k.salt, iv.data, iv.size);
	for (i = 0; i < 8; i++)
		k.seq = k.seq << 8 | seq[i];
	return k;
}

static void early(const void *packet, int length)
{
	(void)packet;
	CHECK(length < 0); /* nothing was sent that could have come before */
}

/* Hand the session over to the kernel. */
static int kernel(gnutls_session_t session, int lower, enum protocol protocol, enum suite suite)
{
	struct ktls_keys keys = { key_of(session, 0), key_of(session, 1) };
	int fd;

	if (protocol == DTLS12) {
		fd = hand_over(session, lower, KTLS_AES_GCM_128 + suite, early);
	} else {
		fd = socket(AF_KTLS, SOCK_STREAM, 0);
		if (attach(fd, lower, versions[protocol], KTLS_AES_GCM_128 + suite) ||
		    option(fd, KTLS_KEYS, &keys, sizeof(keys)))
			fd = -1;
	}
	if (fd < 0) {
		perror("kernel");
		exit(2);
	}
	FAILS(option(fd, KTLS_KEYS, &keys, sizeof(keys)), EALREADY);
	FAILS(option(fd, KTLS_TX_KEY, &keys.tx, sizeof(keys.tx)), EALREADY);
	FAILS(option(fd, KTLS_RX_KEY, &keys.rx, sizeof(keys.rx)), EALREADY);
	return fd;
}

static void fill(unsigned char *buffer, int size, int seed)
{
	int i;

	for (i = 0; i < size; i++)
		buffer[i] = (i * 31 + seed * 17) ^ i >> 8;
}

/* Sends back what comes until the other end says goodbye. */
static int echo(const struct stock *stock, void *session)
{
	static unsigned char buffer[16384];
	int n;

	while ((n = stock->receive(session, buffer, sizeof(buffer))) > 0)
		if (stock->send(session, buffer, n) != n)
			return 1;
	stock->bye(session);
	return 0;
}

/* All of `size` bytes, in as many pieces as it takes; returns how many. */
static int receive(int fd, int size)
{
	int got = 0, n;

	while (got < size && readable(fd, 5000)) {
		n = recv(fd, in + got, sizeof(in) - got, MSG_DONTWAIT);
		if (n <= 0)
			break;
		got += n;
	}
	return got;
}

static int by_splice(int fd, int size)
{
	int pipes[2], got = 0, n;

	if (pipe(pipes))
		return -1;
	while (got < size && readable(fd, 5000)) {
		n = splice(fd, NULL, pipes[1], NULL, size - got, 0);
		if (n <= 0)
			break;
		while (n > 0) {
			int part = read(pipes[0], in + got, n);

			if (part <= 0)
				return -1;
			got += part;
			n -= part;
		}
	}
	close(pipes[0]);
	close(pipes[1]);
	return got;
}

static void messages(int fd)
{
	unsigned int i, round;

	for (round = 0; round < ROUNDS && failures < 10; round++)
		for (i = 0; i < SIZES; i++) {
			fill(out, sizes[i], round * 100 + i);
			CHECK(send(fd, out, sizes[i], 0) == sizes[i]);
			memset(in, 0, sizes[i]);
			CHECK(receive(fd, sizes[i]) == sizes[i]);
			CHECK(!memcmp(in, out, sizes[i]));
		}
	CHECK(send(fd, out, 1000, 0) == 1000 && readable(fd, 5000));
	CHECK(recv(fd, in, 400, MSG_PEEK) == 400 && !memcmp(in, out, 400));
	CHECK(receive(fd, 1000) == 1000 && !memcmp(in, out, 1000));
}

/* The length of the record of a file that begins there: sendfile() takes 64 KB at a time. */
static int record_at(int offset)
{
	int piece = offset < PIECE ? PIECE : FILE_SIZE;

	return piece - offset < RECORD ? piece - offset : RECORD;
}

/* Whether every record of a file came once, whole, in whatever order: a driver may be done with a later one first. */
static int every_record(void)
{
	static char seen[FILE_SIZE];
	int at, from;

	memset(seen, 0, sizeof(seen));
	for (at = 0; at < FILE_SIZE; at += record_at(from)) {
		for (from = 0; from < FILE_SIZE; from += record_at(from))
			if (!seen[from] && at + record_at(from) <= FILE_SIZE &&
			    !memcmp(in + at, out + from, record_at(from)))
				break;
		if (from >= FILE_SIZE)
			return 0;
		seen[from] = 1;
	}
	return 1;
}

/* Records of 1400 bytes, so that pages are cut; from a file, back through a pipe. */
static void files(int fd, enum protocol protocol)
{
	char name[] = "/tmp/interop.XXXXXX";
	int file = mkstemp(name);
	__u32 size = RECORD;
	off_t offset = 0;

	unlink(name);
	fill(out, FILE_SIZE, 77);
	CHECK(write(file, out, FILE_SIZE) == FILE_SIZE);
	CHECK(!option(fd, KTLS_RECORD_SIZE, &size, sizeof(size)));
	while (offset < FILE_SIZE && sendfile(fd, file, &offset, FILE_SIZE - offset) > 0)
		;
	CHECK(offset == FILE_SIZE);
	memset(in, 0, FILE_SIZE);
	CHECK(by_splice(fd, FILE_SIZE) == FILE_SIZE);
	CHECK(protocol == DTLS12 ? every_record() : !memcmp(in, out, FILE_SIZE));
	close(file);
}

static void goodbye(int fd)
{
	static const unsigned char close_notify[] = { 1, 0 };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(1)];
	} control = { .header = { CMSG_LEN(1), SOL_KTLS, KTLS_RECORD_TYPE } };
	struct iovec iov = { (void *)close_notify, 2 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };

	*CMSG_DATA(&control.header) = 21;
	CHECK(sendmsg(fd, &msg, 0) == 2);
	CHECK(readable(fd, 5000));
	/* An alert, told by its type; without room for the type it stays. */
	FAILS(recv(fd, in, sizeof(in), 0), EIO);
	memset(&control, 0, sizeof(control));
	iov.iov_base = in;
	CHECK(recvmsg(fd, &msg, 0) == 2 && in[0] == 1 && in[1] == 0);
	CHECK(CMSG_FIRSTHDR(&msg) && CMSG_FIRSTHDR(&msg)->cmsg_level == SOL_KTLS && *CMSG_DATA(CMSG_FIRSTHDR(&msg)) == 21);
}

static void statistics(int fd, enum protocol protocol)
{
	unsigned long long bytes = FILE_SIZE + 1000, records = 1;
	struct ktls_info info = {};
	socklen_t length = sizeof(info);
	struct ktls_stats s = stats(fd);
	unsigned int i;

	for (i = 0; i < SIZES; i++)
		bytes += ROUNDS * sizes[i];
	records += ROUNDS * SIZES + PIECE / RECORD + 1 + (FILE_SIZE - PIECE) / RECORD + 1;
	CHECK(s.rx_bytes == bytes && s.tx_bytes == bytes);
	if (protocol == DTLS12)
		CHECK(s.rx_records == records && s.tx_records == records);
	CHECK(!s.rx_forged && !s.rx_replayed && !s.rx_malformed && !s.rx_old && !s.rx_full && !s.rx_errors && !s.tx_errors);
	CHECK(!getsockopt(fd, SOL_KTLS, KTLS_INFO, &info, &length) && *info.tx_driver && *info.rx_driver);
	printf("%s, %s; ", info.tx_driver, info.rx_driver);
}

/* A byte goes both ways before the hand over: so the peer's last flight has arrived, and is not sent again. */
static void *begin(const struct stock *stock, int fd, int server, enum protocol protocol, enum suite suite,
		   const struct identity *identity)
{
	void *session = stock->handshake(fd, server, protocol, suite, identity);
	char byte = 'a';

	if (stock->send(session, &byte, 1) != 1 || stock->receive(session, &byte, 1) != 1)
		exit(2);
	return session;
}

int main(int argc, char **argv)
{
	int fds[2], server, family, status, fd;
	const struct stock *stock;
	enum protocol protocol;
	struct identity identity;
	gnutls_session_t session;
	enum suite suite;
	pid_t child;

	if (argc != 6)
		return 2;
	protocol = choice(protocols, argv[1]);
	stock = choice(libraries, argv[2]) ? &stock_openssl : &stock_gnutls;
	suite = choice(suites, argv[3]);
	family = choice(families, argv[4]) ? AF_INET6 : AF_INET;
	server = choice(sides, argv[5]);
	make_identity(&identity);
	if (protocol == DTLS12)
		pair(family, fds);
	else
		stream_pair(family, fds);
	child = fork();
	alarm(120); /* neither end outlives the other for long */
	if (!child) {
		close(fds[1]);
		return echo(stock, begin(stock, fds[0], !server, protocol, suite, &identity));
	}
	close(fds[0]);
	session = begin(&stock_gnutls, fds[1], server, protocol, suite, &identity);
	fd = kernel(session, fds[1], protocol, suite);
	messages(fd);
	files(fd, protocol);
	statistics(fd, protocol);
	goodbye(fd);
	close(fd);
	waitpid(child, &status, 0);
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
	printf("interop %s %s %s IPv%s %s: %d checks, %d failures\n", argv[1], argv[2], argv[3], argv[4], argv[5], checks,
	       failures);
	return failures != 0;
}
