// SPDX-License-Identifier: GPL-2.0-only
/* An end of GnuTLS. */
#include <gnutls/dtls.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stock.h"

static int must(int result, const char *what)
{
	if (result < 0) {
		fprintf(stderr, "gnutls: %s: %s\n", what, gnutls_strerror(result));
		exit(2);
	}
	return result;
}

void make_identity(struct identity *identity)
{
	size_t room[2] = { sizeof(identity->certificate) - 1, sizeof(identity->key) - 1 };
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;

	memset(identity, 0, sizeof(*identity));
	must(gnutls_x509_privkey_init(&key), "key");
	must(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
	     "generate");
	must(gnutls_x509_crt_init(&crt), "certificate");
	must(gnutls_x509_crt_set_version(crt, 3), "version");
	must(gnutls_x509_crt_set_dn(crt, "CN=test", NULL), "name");
	must(gnutls_x509_crt_set_serial(crt, "\1", 1), "serial");
	must(gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600), "from");
	must(gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 86400), "until");
	must(gnutls_x509_crt_set_key(crt, key), "its key");
	must(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), "sign");
	must(gnutls_x509_crt_export(crt, GNUTLS_X509_FMT_PEM, identity->certificate, &room[0]), "export");
	must(gnutls_x509_privkey_export(key, GNUTLS_X509_FMT_PEM, identity->key, &room[1]), "export the key");
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
}

static void *handshake(int fd, int server, enum protocol protocol, enum suite suite, const struct identity *identity)
{
	static const char *const versions[] = { "VERS-DTLS1.2", "VERS-TLS1.2", "VERS-TLS1.3" };
	static const char *const ciphers[] = { "AES-128-GCM", "AES-256-GCM", "CHACHA20-POLY1305" };
	gnutls_datum_t certificate = { (void *)identity->certificate, strlen(identity->certificate) };
	gnutls_datum_t key = { (void *)identity->key, strlen(identity->key) };
	gnutls_certificate_credentials_t credentials;
	gnutls_session_t session;
	char priority[200];
	int err;

	snprintf(priority, sizeof(priority), "NORMAL:-VERS-ALL:+%s:-CIPHER-ALL:+%s", versions[protocol], ciphers[suite]);
	must(gnutls_init(&session, (server ? GNUTLS_SERVER : GNUTLS_CLIENT) | (protocol == DTLS12 ? GNUTLS_DATAGRAM : 0) |
			 GNUTLS_NO_TICKETS), "init");
	must(gnutls_priority_set_direct(session, priority, NULL), "priority");
	must(gnutls_certificate_allocate_credentials(&credentials), "credentials");
	if (server)
		must(gnutls_certificate_set_x509_key_mem(credentials, &certificate, &key, GNUTLS_X509_FMT_PEM), "set");
	must(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials), "credentials");
	gnutls_transport_set_int(session, fd);
	if (protocol == DTLS12)
		gnutls_dtls_set_mtu(session, 16384);
	do
		err = gnutls_handshake(session);
	while (err < 0 && !gnutls_error_is_fatal(err));
	must(err, "handshake");
	return session;
}

static int send_record(void *session, const void *data, int length)
{
	return must(gnutls_record_send(session, data, length), "send");
}

static int receive(void *session, void *data, int length)
{
	int n;

	do
		n = gnutls_record_recv(session, data, length);
	while (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED);
	return must(n, "receive");
}

static void bye(void *session)
{
	gnutls_bye(session, GNUTLS_SHUT_WR);
}

const struct stock stock_gnutls = { "gnutls", handshake, send_record, receive, bye };
