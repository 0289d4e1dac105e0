// SPDX-License-Identifier: GPL-2.0
/* The module's sockets with keys made up: every error, and what forged, replayed and mixed datagrams come to. */
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/sendfile.h>

#include "common.h"

#define EPOCH (1ULL << 48)

static struct ktls_key the_key(__u64 seq)
{
	struct ktls_key key = { .seq = seq };

	memset(key.key, 0x42, 16);
	memset(key.salt, 0x17, 4);
	return key;
}

/* An attached socket with both keys; what it receives begins at `floor`. */
static int ready(int lower, __u64 seq, __u64 floor)
{
	struct ktls_keys keys = { the_key(seq), the_key(floor) };
	int fd = socket(AF_KTLS, SOCK_DGRAM, 0);

	CHECK(fd >= 0);
	CHECK(!attach(fd, lower, KTLS_DTLS_1_2, KTLS_AES_GCM_128));
	CHECK(!option(fd, KTLS_KEYS, &keys, sizeof(keys)));
	CHECK(!option(fd, KTLS_RX_ENABLE, &floor, sizeof(floor)));
	return fd;
}

static void errors(void)
{
	struct ktls_key key = the_key(EPOCH), bad;
	struct ktls_attach a = { .version = KTLS_DTLS_1_2, .cipher = KTLS_AES_GCM_128 };
	struct ktls_sequences sequences;
	__u64 floor = EPOCH;
	__u32 size = 100;
	socklen_t length;
	char buffer[200] = {};
	int fd, other, fds[2], loose = socket(AF_INET, SOCK_DGRAM, 0), tcp = socket(AF_INET, SOCK_STREAM, 0), file;

	pair(AF_INET, fds);
	file = open("/proc/self/exe", O_RDONLY);
	FAILS(socket(AF_KTLS, SOCK_RAW, 0), ESOCKTNOSUPPORT);
	FAILS(socket(AF_KTLS, SOCK_DGRAM, 17), EPROTONOSUPPORT);
	fd = socket(AF_KTLS, SOCK_DGRAM, 0);
	other = socket(AF_KTLS, SOCK_DGRAM, 0);
	/* Before the attachment. */
	FAILS(send(fd, buffer, 1, 0), ENOTCONN);
	FAILS(recv(fd, buffer, 1, 0), ENOTCONN);
	FAILS(shutdown(fd, SHUT_RDWR), ENOTCONN);
	FAILS(option(fd, KTLS_TX_KEY, &key, sizeof(key)), ENOTCONN);
	FAILS(option(fd, KTLS_RX_ENABLE, &floor, sizeof(floor)), ENOTCONN);
	FAILS(option(fd, KTLS_DETACH, NULL, 0), ENOTCONN);
	/* Levels, names, lengths, pointers. */
	FAILS(setsockopt(fd, SOL_IP, KTLS_ATTACH, &a, sizeof(a)), ENOPROTOOPT);
	FAILS(option(fd, 0, &a, sizeof(a)), ENOPROTOOPT);
	FAILS(option(fd, 99, &a, sizeof(a)), ENOPROTOOPT);
	FAILS(option(fd, KTLS_ATTACH, &a, sizeof(a) - 1), EINVAL);
	FAILS(option(fd, KTLS_ATTACH, &a, sizeof(a) + 1), EINVAL);
	FAILS(option(fd, KTLS_ATTACH, (void *)8, sizeof(a)), EFAULT);
	length = sizeof(key);
	FAILS(getsockopt(fd, SOL_KTLS, KTLS_TX_KEY, &key, &length), ENOPROTOOPT);
	/* What to attach to. */
	FAILS(attach(fd, -1, KTLS_DTLS_1_2, KTLS_AES_GCM_128), EBADF);
	FAILS(attach(fd, file, KTLS_DTLS_1_2, KTLS_AES_GCM_128), ENOTSOCK);
	FAILS(attach(fd, other, KTLS_DTLS_1_2, KTLS_AES_GCM_128), EAFNOSUPPORT);
	FAILS(attach(fd, tcp, KTLS_DTLS_1_2, KTLS_AES_GCM_128), EPROTOTYPE);
	FAILS(attach(fd, loose, KTLS_DTLS_1_2, KTLS_AES_GCM_128), ENOTCONN);
	FAILS(attach(fd, fds[0], KTLS_TLS_1_2, KTLS_AES_GCM_128), EPROTONOSUPPORT);
	FAILS(attach(fd, fds[0], KTLS_DTLS_1_2, 9), EPROTONOSUPPORT);
	CHECK(!attach(fd, fds[0], KTLS_DTLS_1_2, KTLS_AES_GCM_128));
	FAILS(attach(fd, fds[1], KTLS_DTLS_1_2, KTLS_AES_GCM_128), EISCONN);
	FAILS(attach(other, fds[0], KTLS_DTLS_1_2, KTLS_AES_GCM_128), EBUSY);
	/* Keys. */
	FAILS(send(fd, buffer, 1, 0), ENOKEY);
	FAILS(recv(fd, buffer, 1, 0), ENOKEY);
	FAILS(option(fd, KTLS_RX_ENABLE, &floor, sizeof(floor)), ENOKEY);
	bad = the_key(5);
	FAILS(option(fd, KTLS_TX_KEY, &bad, sizeof(bad)), EINVAL);
	bad = the_key(EPOCH);
	bad.key[16] = 1;
	FAILS(option(fd, KTLS_TX_KEY, &bad, sizeof(bad)), EINVAL);
	CHECK(!option(fd, KTLS_TX_KEY, &key, sizeof(key)));
	FAILS(option(fd, KTLS_TX_KEY, &key, sizeof(key)), EALREADY);
	CHECK(!option(fd, KTLS_RX_KEY, &key, sizeof(key)));
	floor = 2 * EPOCH;
	FAILS(option(fd, KTLS_RX_ENABLE, &floor, sizeof(floor)), ESTALE);
	floor = EPOCH;
	CHECK(!option(fd, KTLS_RX_ENABLE, &floor, sizeof(floor)));
	FAILS(option(fd, KTLS_RX_ENABLE, &floor, sizeof(floor)), EALREADY);
	/* Messages. */
	FAILS(recv(fd, buffer, 1, MSG_DONTWAIT), EAGAIN);
	FAILS(send(fd, buffer, 1, MSG_OOB), EOPNOTSUPP);
	FAILS(send(fd, (void *)8, 100, 0), EFAULT);
	size = 0;
	FAILS(option(fd, KTLS_RECORD_SIZE, &size, sizeof(size)), EINVAL);
	size = 16385;
	FAILS(option(fd, KTLS_RECORD_SIZE, &size, sizeof(size)), EINVAL);
	size = 100;
	CHECK(!option(fd, KTLS_RECORD_SIZE, &size, sizeof(size)));
	FAILS(send(fd, buffer, 101, 0), EMSGSIZE);
	CHECK(send(fd, buffer, 100, 0) == 100);
	/* Detached: the sequences are final, and somebody else may have the socket. */
	CHECK(!option(fd, KTLS_DETACH, NULL, 0));
	FAILS(option(fd, KTLS_DETACH, NULL, 0), ENOTCONN);
	FAILS(send(fd, buffer, 1, 0), EPIPE);
	CHECK(recv(fd, buffer, 1, 0) == 0);
	length = sizeof(sequences);
	CHECK(!getsockopt(fd, SOL_KTLS, KTLS_SEQUENCES, &sequences, &length));
	CHECK(sequences.tx == EPOCH + 1 && sequences.rx == EPOCH);
	CHECK(!attach(other, fds[0], KTLS_DTLS_1_2, KTLS_AES_GCM_128));
	close(fd);
	close(other);
	/* The last number of an epoch can be used, once. */
	fd = ready(fds[0], EPOCH | 0xffffffffffff, EPOCH);
	CHECK(send(fd, buffer, 1, 0) == 1);
	FAILS(send(fd, buffer, 1, 0), EKEYEXPIRED);
	FAILS(send(fd, buffer, 1, 0), EKEYEXPIRED);
	close(fd);
	close(fds[0]);
	close(fds[1]);
	close(loose);
	close(tcp);
	close(file);
}

/* Records made by one attached socket, passed on by hand to another: as they are, twice, changed, cut, merged. */
static void hostile(int family)
{
	unsigned char record[8][200], merged[900], buffer[200];
	int a[2], b[2], sender, receiver, i, size[8];
	struct ktls_stats s;

	pair(family, a);
	pair(family, b);
	sender = ready(a[0], EPOCH | 10, EPOCH);
	receiver = ready(b[0], EPOCH, EPOCH | 11);
	for (i = 0; i < 8; i++) {
		buffer[0] = i;
		CHECK(send(sender, buffer, 1 + i, 0) == 1 + i);
		size[i] = recv(a[1], record[i], sizeof(record[i]), 0);
		CHECK(size[i] == 38 + i);
	}
	/* In another order; once below the floor. */
	send(b[1], record[2], size[2], 0);
	send(b[1], record[0], size[0], 0);
	send(b[1], record[1], size[1], 0);
	CHECK(recv(receiver, buffer, 200, MSG_PEEK) == 3 && buffer[0] == 2);
	CHECK(recv(receiver, buffer, 1, MSG_TRUNC) == 3 && buffer[0] == 2);
	CHECK(recv(receiver, buffer, 200, 0) == 2 && buffer[0] == 1);
	FAILS(recv(receiver, buffer, 200, MSG_DONTWAIT), EAGAIN);
	/* Replayed. */
	send(b[1], record[1], size[1], 0);
	/* Every byte of a record changed in turn; far ahead in the window as well. */
	for (i = 0; i < size[3]; i++) {
		record[3][i] ^= 1;
		send(b[1], record[3], size[3], 0);
		record[3][i] ^= 1;
	}
	for (i = 0; i < size[3]; i++)
		send(b[1], record[3], i, 0);
	FAILS(recv(receiver, buffer, 200, MSG_DONTWAIT), EAGAIN);
	s = stats(receiver);
	CHECK(s.rx_old == 1 && s.rx_replayed == 1 && s.rx_records == 2 && s.rx_forged && s.rx_malformed);
	printf("IPv%d changed and cut: %llu forged, %llu malformed, %llu left to UDP\n", family == AF_INET ? 4 : 6, s.rx_forged,
	       s.rx_malformed, s.rx_passed);
	/* What was left to the UDP socket: other epochs, handshakes. */
	while (recv(b[0], buffer, 200, MSG_DONTWAIT) >= 0)
		;
	/* The record itself still counts as new. */
	send(b[1], record[3], size[3], 0);
	CHECK(recv(receiver, buffer, 200, MSG_DONTWAIT) == 4 && buffer[0] == 3);
	/* Two of ours around one of the library's, in one datagram. */
	memcpy(merged, record[4], size[4]);
	memcpy(merged + size[4], record[5], size[5]);
	merged[size[4]] = 22;
	memcpy(merged + size[4] + size[5], record[6], size[6]);
	send(b[1], merged, size[4] + size[5] + size[6], 0);
	CHECK(recv(receiver, buffer, 200, MSG_DONTWAIT) == 5 && buffer[0] == 4);
	CHECK(recv(receiver, buffer, 200, MSG_DONTWAIT) == 7 && buffer[0] == 6);
	CHECK(recv(b[0], buffer, 200, MSG_DONTWAIT) == size[5] && buffer[0] == 22);
	close(sender);
	close(receiver);
	for (i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

static void *sending(void *fd)
{
	char buffer[1400] = {};
	int i;

	for (i = 0; i < 500; i++)
		send(*(int *)fd, buffer, sizeof(buffer), MSG_DONTWAIT);
	return NULL;
}

/* Sizes to the greatest, files, senders at once, closing in the middle, nobody at the peer. */
static void traffic(int family)
{
	static unsigned char out[16384], in[16384];
	static const int sizes[] = { 0, 1, 4059, 4060, 4075, 4076, 12000, 16383, 16384 };
	int fds[2], a, b, i, file = open("/proc/self/exe", O_RDONLY), got = 0, n;
	pthread_t threads[4];
	unsigned int k;
	ssize_t sent;

	pair(family, fds);
	a = ready(fds[0], EPOCH, EPOCH);
	b = ready(fds[1], EPOCH, EPOCH);
	for (k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		for (i = 0; i < sizes[k]; i++)
			out[i] = rand();
		CHECK(send(a, out, sizes[k], 0) == sizes[k]);
		CHECK(readable(b, 1000) && recv(b, in, sizeof(in), MSG_DONTWAIT) == sizes[k] && !memcmp(in, out, sizes[k]));
	}
	sent = sendfile(a, file, NULL, 20000);
	CHECK(sent == 20000);
	while ((n = recv(b, in, sizeof(in), MSG_DONTWAIT)) > 0)
		got += n;
	CHECK(got == 20000);
	for (i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, sending, &a);
	for (got = 0; readable(b, 300) && recv(b, in, sizeof(in), MSG_DONTWAIT) == 1400;)
		got++;
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	while (recv(b, in, sizeof(in), MSG_DONTWAIT) == 1400)
		got++;
	printf("IPv%d four senders: %d of 2000 read, %llu sent, %llu dropped for room, %llu errors, %llu accepted\n", family == AF_INET ? 4 : 6, got,
	       stats(a).tx_records - 11, stats(b).rx_full, stats(b).rx_errors, stats(b).rx_records - 11);
	CHECK(!stats(b).rx_replayed && !stats(b).rx_forged);
	/* The descriptor underneath may be closed: the attachment holds it. */
	close(fds[1]);
	CHECK(send(a, out, 10, 0) == 10 && readable(b, 1000) && recv(b, in, 10, 0) == 10);
	close(b);
	send(a, out, 10, 0);
	FAILS(recv(a, in, 10, 0), ECONNREFUSED);
	close(a);
	close(fds[0]);
	close(file);
}

int main(void)
{
	alarm(60);
	errors();
	hostile(AF_INET);
	hostile(AF_INET6);
	traffic(AF_INET);
	traffic(AF_INET6);
	printf("sockets: %d checks, %d failures\n", checks, failures);
	return failures != 0;
}
