// SPDX-License-Identifier: GPL-2.0-only
/*
 * The handshake, in user space. The peer's key is made when it starts and is in its memory alone; its digest goes
 * over the control connection, and the other end holds the certificate against that. Then a record goes each way by
 * the library: who has an authentic one need not fear that its last flight has to be sent again, and may be handed
 * over.
 */
#include <fcntl.h>
#include <gnutls/dtls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

static gnutls_certificate_credentials_t credentials;
static char id[65];

static void must(int result, const char *what)
{
	if (result < 0)
		fail("%s: %s", what, gnutls_strerror(result));
}

static void to_hex(const unsigned char *bytes, size_t size, char *text)
{
	for (size_t i = 0; i < size; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
}

/* A key, and a certificate that it signs itself. */
void key_make(void)
{
	unsigned char serial = 1, digest[32];
	size_t size = sizeof(digest);
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;

	must(gnutls_x509_privkey_init(&key), "key");
	must(gnutls_x509_crt_init(&crt), "certificate");
	must(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
	     "key");
	must(gnutls_x509_crt_set_version(crt, 3), "certificate");
	must(gnutls_x509_crt_set_serial(crt, &serial, sizeof(serial)), "certificate");
	must(gnutls_x509_crt_set_dn(crt, "CN=ktls-bench", NULL), "certificate");
	must(gnutls_x509_crt_set_activation_time(crt, time(NULL) - 86400), "certificate");
	must(gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 30 * 86400), "certificate");
	must(gnutls_x509_crt_set_key(crt, key), "certificate");
	must(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), "certificate");
	must(gnutls_certificate_allocate_credentials(&credentials), "credentials");
	must(gnutls_certificate_set_x509_key(credentials, &crt, 1, key), "credentials");
	must(gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, digest, &size), "key's digest");
	to_hex(digest, size, id);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
}

const char *key_id(void)
{
	return id;
}

static void check_pin(gnutls_session_t tls, const char *pin)
{
	unsigned int count = 0;
	const gnutls_datum_t *list = gnutls_certificate_get_peers(tls, &count);
	unsigned char digest[32];
	size_t size = sizeof(digest);
	gnutls_x509_crt_t crt;

	if (!list || !count)
		fail("the peer has no certificate");
	must(gnutls_x509_crt_init(&crt), "certificate");
	must(gnutls_x509_crt_import(crt, list, GNUTLS_X509_FMT_DER), "certificate");
	must(gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, digest, &size), "key's digest");
	gnutls_x509_crt_deinit(crt);
	to_hex(digest, size, id);
	if (strcmp(id, pin))
		fail("the peer has another key than it said");
}

static void prepare(struct end *e, gnutls_session_t *tls)
{
	static const char *const names[] = { "AES-128-GCM", "AES-256-GCM", "CHACHA20-POLY1305" };
	const struct request *r = &e->request;
	const char *version = r->protocol == DTLS ? "DTLS1.2" : r->version == V13 ? "TLS1.3" : "TLS1.2";
	char priority[200];
	/* Tickets would come after the handshake, when a kernel that cannot read them has the socket. */
	unsigned int flags = GNUTLS_NO_TICKETS | (e->peer ? GNUTLS_SERVER : GNUTLS_CLIENT);

	/* Else the library sleeps 50 ms wherever a datagram's handshake has to wait. */
	if (!e->session.stream)
		flags |= GNUTLS_DATAGRAM | GNUTLS_NONBLOCK;
	if (!credentials)
		must(gnutls_certificate_allocate_credentials(&credentials), "credentials");
	snprintf(priority, sizeof(priority), "NORMAL:-VERS-ALL:+VERS-%s:-KX-ALL:+ECDHE-ECDSA:-CIPHER-ALL:+%s", version,
		 names[r->cipher]);
	must(gnutls_init(tls, flags), "session");
	must(gnutls_priority_set_direct(*tls, priority, NULL), priority);
	must(gnutls_credentials_set(*tls, GNUTLS_CRD_CERTIFICATE, credentials), "credentials");
	gnutls_transport_set_int(*tls, e->session.lower);
	gnutls_handshake_set_timeout(*tls, STALL_S * 1000);
	if (!e->session.stream) {
		gnutls_dtls_set_mtu(*tls, 16384);
		gnutls_dtls_set_timeouts(*tls, 200, STALL_S * 1000);
	}
}

/* Says hello and waits for the answer; in a datagram that may be lost, so again. */
static void greet(struct end *e)
{
	char c;

	for (int i = 0; i < STALL_S * 1000 / SILENCE_MS; i++) {
		if (!i || !e->session.stream)
			channel_put(&e->session, "h", 1);
		if (channel_get(&e->session, &c, 1) > 0)
			return;
	}
	fail("no answer after the handshake");
}

/* Answers every hello until the other end says that it has an answer. */
static void answer(struct end *e)
{
	json_t *message = NULL;
	bool greeted = false;
	char c;

	for (int i = 0; !message; i++) {
		if (i == STALL_S * 1000 / SILENCE_MS)
			fail("no record after the handshake");
		if ((!greeted || !e->session.stream) && channel_get(&e->session, &c, 1) > 0) {
			channel_put(&e->session, "a", 1);
			greeted = true;
		}
		message = control_receive(e->control, greeted ? SILENCE_MS : 0);
	}
	if (!greeted)
		fail("no record before the handover");
	json_decref(message);
}

/* Ends the session without a word: who has the keys now says what has to be said. The library wipes its copies. */
void session_close(struct end *e)
{
	if (e->session.tls)
		gnutls_deinit(e->session.tls);
	if (credentials)
		gnutls_certificate_free_credentials(credentials);
	if (e->session.fd != e->session.lower)
		close(e->session.fd);
	close(e->session.lower);
	if (e->plain.lower >= 0)
		close(e->plain.lower);
	close(e->control);
}

/* Sets e->session.tls up. `pin`: the digest that the peer's key must have; the peer itself has none to check. */
void session_open(struct end *e, const char *pin)
{
	int err, flags = fcntl(e->session.lower, F_GETFL);
	gnutls_session_t tls;

	prepare(e, &tls);
	if (!e->session.stream)
		fcntl(e->session.lower, F_SETFL, flags | O_NONBLOCK);
	do {
		err = gnutls_handshake(tls);
		if (err == GNUTLS_E_AGAIN && !e->session.stream)
			data_wait(e->session.lower, gnutls_dtls_get_timeout(tls));
	} while (err < 0 && !gnutls_error_is_fatal(err));
	must(err, "handshake");
	fcntl(e->session.lower, F_SETFL, flags);
	e->session.tls = tls;
	e->session.tx = LIBRARY;
	e->session.rx = LIBRARY;
	if (e->peer) {
		answer(e);
		return;
	}
	check_pin(tls, pin);
	greet(e);
	control_send(e->control, json_pack("{s:b}", "greeted", true));
}
