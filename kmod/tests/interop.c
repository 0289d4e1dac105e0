// SPDX-License-Identifier: GPL-2.0
/*
 * interop CIPHER FAMILY SIDE: DTLS 1.2 over the loopback, one end GnuTLS alone, the other GnuTLS for the handshake and then
 * the kernel. What one end sends the other sends back; all bytes are compared.
 */
#include <gnutls/dtls.h>
#include <gnutls/gnutls.h>
#include <sys/wait.h>

#include "common.h"

static const struct {
	const char *name, *priority;
	int id, salt;
} suites[] = {
	{ "aes-128-gcm", "+AES-128-GCM", KTLS_AES_GCM_128, 4 },
	{ "aes-256-gcm", "+AES-256-GCM", KTLS_AES_GCM_256, 4 },
	{ "chacha20-poly1305", "+CHACHA20-POLY1305", KTLS_CHACHA20_POLY1305, 12 },
};

static const int sizes[] = { 1, 2, 15, 16, 17, 100, 1000, 1400, 4000, 4030, 4031, 4075, 4096, 8192, 16000, 16347 };

static void must(int result, const char *what)
{
	if (result < 0) {
		fprintf(stderr, "%s: %s\n", what, gnutls_strerror(result));
		exit(2);
	}
}

static int psk(gnutls_session_t session, const char *user, gnutls_datum_t *key)
{
	(void)session;
	(void)user;
	key->size = 16;
	key->data = gnutls_malloc(16);
	memset(key->data, 7, 16);
	return 0;
}

static gnutls_session_t handshake(int fd, int server, const char *cipher)
{
	gnutls_datum_t key = { (void *)"07070707070707070707070707070707", 32 };
	gnutls_session_t session;
	char priority[200];
	int err;

	snprintf(priority, sizeof(priority), "NORMAL:-VERS-ALL:+VERS-DTLS1.2:-KX-ALL:+PSK:-CIPHER-ALL:%s", cipher);
	must(gnutls_init(&session, (server ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_DATAGRAM), "init");
	must(gnutls_priority_set_direct(session, priority, NULL), "priority");
	if (server) {
		gnutls_psk_server_credentials_t credentials;

		gnutls_psk_allocate_server_credentials(&credentials);
		gnutls_psk_set_server_credentials_function(credentials, psk);
		gnutls_credentials_set(session, GNUTLS_CRD_PSK, credentials);
	} else {
		gnutls_psk_client_credentials_t credentials;

		gnutls_psk_allocate_client_credentials(&credentials);
		must(gnutls_psk_set_client_credentials(credentials, "u", &key, GNUTLS_PSK_KEY_HEX), "psk");
		gnutls_credentials_set(session, GNUTLS_CRD_PSK, credentials);
	}
	gnutls_transport_set_int(session, fd);
	gnutls_dtls_set_mtu(session, 16384);
	do
		err = gnutls_handshake(session);
	while (err < 0 && !gnutls_error_is_fatal(err));
	must(err, "handshake");
	return session;
}

static struct ktls_key key_of(gnutls_session_t session, int read)
{
	gnutls_datum_t mac, iv, key;
	unsigned char seq[8];
	struct ktls_key out = {};
	int i;

	must(gnutls_record_get_state(session, read, &mac, &iv, &key, seq), "state");
	memcpy(out.key, key.data, key.size);
	memcpy(out.salt, iv.data, iv.size);
	for (i = 0; i < 8; i++)
		out.seq = out.seq << 8 | seq[i];
	return out;
}

/* Hand the session over to the kernel. */
static int kernel(gnutls_session_t session, int lower, int cipher)
{
	struct ktls_keys keys = { key_of(session, 0), key_of(session, 1) };
	__u64 floor = keys.rx.seq;
	int fd = socket(AF_KTLS, SOCK_DGRAM, 0);

	if (fd < 0 || attach(fd, lower, KTLS_DTLS_1_2, cipher) || option(fd, KTLS_KEYS, &keys, sizeof(keys)) ||
	    option(fd, KTLS_RX_ENABLE, &floor, sizeof(floor))) {
		perror("kernel");
		exit(2);
	}
	return fd;
}

static void fill(unsigned char *buffer, int size, int seed)
{
	int i;

	for (i = 0; i < size; i++)
		buffer[i] = (i * 31 + seed * 17) ^ i >> 8;
}

/* The stock end: sends back what comes, until a record of one byte 0xff. */
static int echo(gnutls_session_t session)
{
	static unsigned char buffer[16384];
	int n;

	for (;;) {
		n = gnutls_record_recv(session, buffer, sizeof(buffer));
		if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
			continue;
		must(n, "recv");
		if (n == 1 && buffer[0] == 0xff)
			break;
		must(gnutls_record_send(session, buffer, n), "send");
	}
	gnutls_bye(session, GNUTLS_SHUT_WR);
	return 0;
}

static int drive(int fd, int lower)
{
	static unsigned char out[16384], in[16384 + 1];
	unsigned int i, round;
	char control[64];
	struct iovec iov = { in, sizeof(in) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct ktls_info info = {};
	socklen_t length = sizeof(info);
	struct ktls_stats s;
	int last;

	(void)lower;
	for (round = 0; round < 20; round++)
		for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			fill(out, sizes[i], round * 100 + i);
			if (sizes[i] == 1)
				out[0] = 1;
			CHECK(send(fd, out, sizes[i], 0) == sizes[i]);
			CHECK(readable(fd, 3000));
			CHECK(recv(fd, in, sizeof(in), MSG_DONTWAIT) == sizes[i]);
			CHECK(!memcmp(in, out, sizes[i]));
			if (failures > 10)
				return 1;
		}
	out[0] = 0xff;
	CHECK(send(fd, out, 1, 0) == 1);
	/* The close_notify: an alert, told by its type; without room for the type it stays. */
	CHECK(readable(fd, 3000));
	FAILS(recv(fd, in, sizeof(in), 0), EIO);
	CHECK(recvmsg(fd, &msg, 0) == 2 && in[0] == 1 && in[1] == 0);
	CHECK(CMSG_FIRSTHDR(&msg) && *CMSG_DATA(CMSG_FIRSTHDR(&msg)) == 21);
	s = stats(fd);
	last = 20 * (sizeof(sizes) / sizeof(sizes[0])) + 1;
	CHECK(s.tx_records == (unsigned int)last && s.rx_records == (unsigned int)last);
	CHECK(!s.rx_forged && !s.rx_replayed && !s.rx_malformed && !s.rx_errors && !s.tx_errors);
	CHECK(!getsockopt(fd, SOL_KTLS, KTLS_INFO, &info, &length));
	printf("drivers %s, %s; ", info.tx_driver, info.rx_driver);
	return 0;
}

int main(int argc, char **argv)
{
	int fds[2], server_is_kernel, family, n, status, fd;
	gnutls_session_t session;
	unsigned int suite;
	char c = 0;
	pid_t child;

	if (argc != 4)
		return 2;
	for (suite = 0; strcmp(suites[suite].name, argv[1]); suite++)
		if (suite == 2)
			return 2;
	family = argv[2][0] == '6' ? AF_INET6 : AF_INET;
	server_is_kernel = !strcmp(argv[3], "server");
	pair(family, fds);
	child = fork();
	alarm(60); /* neither end outlives the other for long */
	if (!child) {
		/* The stock end. A byte goes both ways before the other end is handed over. */
		session = handshake(fds[0], !server_is_kernel, suites[suite].priority);
		must(gnutls_record_send(session, "a", 1), "first");
		do
			n = gnutls_record_recv(session, &c, 1);
		while (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED);
		must(n, "first");
		return echo(session);
	}
	session = handshake(fds[1], server_is_kernel, suites[suite].priority);
	must(gnutls_record_send(session, "b", 1), "first");
	do
		n = gnutls_record_recv(session, &c, 1);
	while (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED);
	must(n, "first");
	fd = kernel(session, fds[1], suites[suite].id);
	drive(fd, fds[1]);
	close(fd);
	waitpid(child, &status, 0);
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
	printf("interop %s IPv%s %s: %d checks, %d failures\n", argv[1], argv[2], argv[3], checks, failures);
	return failures != 0;
}
