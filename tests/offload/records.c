/* SPDX-License-Identifier: MIT */
/*
 * What tests/unit/test_offload_records.py asks of the sealer and the opener, under sanitizers: the two ends of a DTLS 1.2
 * session over the loopback, of which a server receives as the patched programs do.
 *
 *     records SUITE    its name in a priority string of GnuTLS
 *
 * Asked by messages on the standard input, one answer each. A message is its length in four bytes, in the machine's order,
 * and so many bytes, of which the first one is what to do:
 *
 *     s NUMBER DATA    the client's sealer makes a record with this number of its epoch (eight bytes): its bytes
 *     m NUMBER DATA    GnuTLS makes it
 *     c NUMBER         GnuTLS makes a close_notify
 *     o DATAGRAM       the server's opener is given it, in memory of just its size: "o", what the first record takes in
 *                      four bytes, and the plaintext; or "l" or "d", what it takes, and nothing
 *     l DATAGRAM       bytes that the opener leaves to GnuTLS
 *     g DATAGRAM       the server's GnuTLS is given it past the opener: what gnutls_record_recv returns in four bytes, data
 *     t DATAGRAM...    each with its length before it: they arrive as a train, if their lengths are one's, and are received
 *                      as the programs do: a message for each thing that was received, as of "o" and "g", and an empty one
 *     p DATAGRAM       it arrives, and gnutls_record_recv is called without the opener: as of "g"
 *     k                both ends agree on new keys
 *     w                the opener's floor, in eight bytes
 *     n                the number above all that the opener took, in eight bytes
 *     r NUMBER         somebody else has taken what is below this number
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/dtls.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bytes.h"
#include "messages.h"
#include "opener.h"
#include "sealer.h"
#include "train.h"

static struct end {
	gnutls_session_t session;
	int fd;
} client, server;
static struct train *train; /* the server's */
static struct opener opener;
static struct sealer sealer;
static uint8_t made[65536]; /* the record that the client would have sent */
static size_t made_size;
static bool catches;        /* nothing that the client sends gets out */
static const uint8_t *given; /* to the server's GnuTLS, past its train */
static size_t given_size;

static ssize_t push(gnutls_transport_ptr_t end, const void *data, size_t size)
{
	if (end != &client || !catches)
		return send(((struct end *)end)->fd, data, size, 0);
	memcpy(made, data, size);
	made_size = size;
	return size;
}

static ssize_t pull(gnutls_transport_ptr_t end, void *data, size_t size)
{
	if (end == &client)
		return recv(client.fd, data, size, MSG_DONTWAIT);
	if (!given)
		return opener_pull(&opener, train, server.fd, data, size);
	if (!given_size) {
		errno = EAGAIN;
		return -1;
	}
	size = size < given_size ? size : given_size;
	memcpy(data, given, size);
	given_size = 0;
	return size;
}

static int pull_timeout(gnutls_transport_ptr_t end, unsigned int ms)
{
	struct pollfd ready = { .fd = ((struct end *)end)->fd, .events = POLLIN };

	return (end == &server && train_waits(train)) || poll(&ready, 1, ms);
}

static int psk(gnutls_session_t session, const char *name, gnutls_datum_t *key)
{
	(void)session;
	(void)name;
	key->data = gnutls_malloc(16);
	key->size = 16;
	memset(key->data, 7, 16);
	return 0;
}

static void begin(struct end *end, unsigned int flags, const char *priority, gnutls_credentials_type_t type, void *credentials)
{
	need(!gnutls_init(&end->session, flags | GNUTLS_DATAGRAM | GNUTLS_NONBLOCK), "gnutls_init");
	need(!gnutls_priority_set_direct(end->session, priority, NULL), priority);
	gnutls_credentials_set(end->session, type, credentials);
	gnutls_transport_set_ptr(end->session, end);
	gnutls_transport_set_push_function(end->session, push);
	gnutls_transport_set_pull_function(end->session, pull);
	gnutls_transport_set_pull_timeout_function(end->session, pull_timeout);
	gnutls_dtls_set_mtu(end->session, 1400);
}

static void agree(void)
{
	int a = GNUTLS_E_AGAIN, b = GNUTLS_E_AGAIN;

	for (int i = 0; i < 10000 && (a || b); i++) {
		if (a)
			a = gnutls_handshake(client.session);
		if (b)
			b = gnutls_handshake(server.session);
		need((!a || !gnutls_error_is_fatal(a)) && (!b || !gnutls_error_is_fatal(b)), "handshake");
	}
	need(!a && !b, "no end of the handshake");
}

/* A client that asks for new keys makes the server's gnutls_record_recv say so. */
static void rekey(void)
{
	uint8_t data[100];
	int ret = GNUTLS_E_AGAIN;

	need(gnutls_handshake(client.session) == GNUTLS_E_AGAIN, "rehandshake");
	for (int i = 0; i < 100 && ret == GNUTLS_E_AGAIN; i++)
		ret = gnutls_record_recv(server.session, data, sizeof(data));
	need(ret == GNUTLS_E_REHANDSHAKE, "no rehandshake");
	agree();
}

static void next_number(const uint8_t *number)
{
	uint8_t now[8];

	need(!gnutls_record_get_state(client.session, 0, NULL, NULL, NULL, now), "get_state");
	memcpy(now + 2, number + 2, 6);
	need(!gnutls_record_set_state(client.session, 0, now), "set_state");
}

static void make(char how, const uint8_t *data, size_t size)
{
	next_number(data);
	data += 8;
	size -= 8;
	made_size = 0;
	catches = true;
	if (how == 's') {
		need(sealer_begin(&sealer, client.session), "the suite is not one of the sealer's");
		made_size = sealer_size(&sealer, size);
		need(sealer_seal(&sealer, made, data, size), "seal");
		need(sealer_end(&sealer), "sealer_end");
	} else if (how == 'm') {
		need(gnutls_record_send(client.session, data, size) == (ssize_t)size, "send");
	} else {
		need(gnutls_alert_send(client.session, GNUTLS_AL_WARNING, GNUTLS_A_CLOSE_NOTIFY) >= 0, "alert");
	}
	catches = false;
	put(made, made_size, "", 0);
}

static void answer(enum opener_answer how, uint32_t size, const uint8_t *data, size_t length)
{
	uint8_t head[5] = { "lod"[how] };

	memcpy(head + 1, &size, sizeof(size));
	if (how == OPENER_OPENED)
		put(head, sizeof(head), data, length);
	else
		put(head, sizeof(head), "", 0);
}

static void open_alone(uint8_t *datagram, size_t size)
{
	uint8_t *data = NULL;
	size_t length = 0;
	enum opener_answer how;

	opener_update(&opener, server.session);
	how = opener_open(&opener, datagram, &size, &data, &length);
	answer(how, size, data, length);
}

static int by_gnutls(void)
{
	uint8_t data[20000];
	int ret = gnutls_record_recv(server.session, data, sizeof(data));

	put(&ret, sizeof(ret), data, ret > 0 ? ret : 0);
	return ret;
}

static void arrive(const uint8_t *datagrams, size_t size)
{
	struct train *sent = calloc(1, sizeof(*sent));
	struct pollfd ready = { .fd = server.fd, .events = POLLIN };
	uint8_t *data;
	uint32_t length;
	size_t opened;
	uint64_t before;
	int ret;

	train_collect(sent);
	for (size_t at = 0; at < size; at += length) {
		memcpy(&length, datagrams + at, sizeof(length));
		at += sizeof(length);
		if (!length)
			need(!send(client.fd, "", 0, 0), "send");
		else
			need(train_push(sent, client.fd, datagrams + at, length) == (ssize_t)length, "push");
	}
	need(!train_depart(sent, client.fd), "depart");
	free(sent);
	do {
		opened = opener_take(&opener, server.session, train, server.fd, &data);
		if (opened) {
			answer(OPENER_OPENED, opened, data, opened);
			continue;
		}
		before = train->pulled;
		ret = by_gnutls();
		if (!ret) {
			opener_close(&opener);
			if (before == train->pulled)
				train_forget(train);
		}
	} while (train_waits(train) || poll(&ready, 1, 0) > 0);
	put("", 0, "", 0);
}

static void carry_out(uint8_t *message, size_t size)
{
	uint8_t number[8];
	uint32_t left;

	switch (message[0]) {
	case 's': case 'm': case 'c':
		make(message[0], message + 1, size - 1);
		break;
	case 'o': {
		uint8_t *alone = malloc(size - 1 ? size - 1 : 1);

		memcpy(alone, message + 1, size - 1);
		open_alone(alone, size - 1);
		free(alone);
		break;
	}
	case 'l':
		opener_update(&opener, server.session);
		left = opener_leaves(&opener, message + 1, size - 1);
		put(&left, sizeof(left), "", 0);
		break;
	case 'g':
		given = message + 1;
		given_size = size - 1;
		by_gnutls();
		given = NULL;
		break;
	case 'p':
		need(send(client.fd, message + 1, size - 1, 0) == (ssize_t)size - 1, "send");
		by_gnutls();
		break;
	case 't':
		arrive(message + 1, size - 1);
		break;
	case 'k':
		rekey();
		put("", 0, "", 0);
		break;
	case 'w':
		opener_update(&opener, server.session);
		put64(number, opener.floor);
		put(number, sizeof(number), "", 0);
		break;
	case 'n':
		put64(number, opener_next(&opener) & RECORD_SEQUENCE_MAX);
		put(number, sizeof(number), "", 0);
		break;
	case 'r':
		opener_resume(&opener, (opener_next(&opener) & ~RECORD_SEQUENCE_MAX) | get64(message + 1));
		put("", 0, "", 0);
		break;
	default:
		need(0, "no such command");
	}
}

static int bound(struct sockaddr_in *where)
{
	socklen_t size = sizeof(*where);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	memset(where, 0, sizeof(*where));
	where->sin_family = AF_INET;
	where->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	need(fd >= 0 && !bind(fd, (void *)where, size) && !getsockname(fd, (void *)where, &size), "socket");
	return fd;
}

int main(int count, char **words)
{
	gnutls_psk_client_credentials_t theirs;
	gnutls_psk_server_credentials_t ours;
	const gnutls_datum_t key = { (void *)"\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7", 16 };
	struct sockaddr_in a, b;
	char priority[200];
	uint32_t size;
	uint8_t *message;

	need(count == 2, "which suite?");
	snprintf(priority, sizeof(priority), "NONE:+VERS-DTLS1.2:+PSK:+COMP-NULL:+SIGN-ALL:+GROUP-ALL:%s", words[1]);
	train = calloc(1, sizeof(*train));
	client.fd = bound(&a);
	server.fd = bound(&b);
	need(!connect(client.fd, (void *)&b, sizeof(b)) && !connect(server.fd, (void *)&a, sizeof(a)), "connect");
	train_prepare(server.fd);
	gnutls_psk_allocate_client_credentials(&theirs);
	gnutls_psk_set_client_credentials(theirs, "one", &key, GNUTLS_PSK_KEY_RAW);
	gnutls_psk_allocate_server_credentials(&ours);
	gnutls_psk_set_server_credentials_function(ours, psk);
	begin(&client, GNUTLS_CLIENT, priority, GNUTLS_CRD_PSK, theirs);
	begin(&server, GNUTLS_SERVER, priority, GNUTLS_CRD_PSK, ours);
	agree();
	while (fread(&size, sizeof(size), 1, stdin) == 1) {
		message = malloc(size);
		need(message && fread(message, 1, size, stdin) == size, "a message that is cut short");
		carry_out(message, size);
		fflush(stdout);
		free(message);
	}
	opener_free(&opener);
	sealer_free(&sealer);
	gnutls_deinit(client.session);
	gnutls_deinit(server.session);
	gnutls_psk_free_client_credentials(theirs);
	gnutls_psk_free_server_credentials(ours);
	train_free(train);
	free(train);
	return 0;
}
