// SPDX-License-Identifier: GPL-2.0-only
/* An end of OpenSSL: an implementation that shares nothing with GnuTLS. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "stock.h"

static int must(int result, const char *what)
{
	if (result <= 0) {
		fprintf(stderr, "openssl: %s: ", what);
		ERR_print_errors_fp(stderr);
		exit(2);
	}
	return result;
}

static void certify(SSL_CTX *context, const struct identity *identity)
{
	BIO *certificate = BIO_new_mem_buf(identity->certificate, -1), *key = BIO_new_mem_buf(identity->key, -1);

	must(SSL_CTX_use_certificate(context, PEM_read_bio_X509(certificate, NULL, NULL, NULL)), "certificate");
	must(SSL_CTX_use_PrivateKey(context, PEM_read_bio_PrivateKey(key, NULL, NULL, NULL)), "key");
	BIO_free(certificate);
	BIO_free(key);
}

static void *handshake(int fd, int server, enum protocol protocol, enum suite suite, const struct identity *identity)
{
	static const int versions[] = { DTLS1_2_VERSION, TLS1_2_VERSION, TLS1_3_VERSION };
	static const char *const old[] = { "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
					   "ECDHE-ECDSA-CHACHA20-POLY1305" };
	static const char *const new[] = { "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
					   "TLS_CHACHA20_POLY1305_SHA256" };
	SSL_CTX *context = SSL_CTX_new(protocol == DTLS12 ? DTLS_method() : TLS_method());
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	SSL *ssl;
	BIO *bio;

	must(SSL_CTX_set_min_proto_version(context, versions[protocol]), "version");
	must(SSL_CTX_set_max_proto_version(context, versions[protocol]), "version");
	must(protocol == TLS13 ? SSL_CTX_set_ciphersuites(context, new[suite]) : SSL_CTX_set_cipher_list(context, old[suite]),
	     "suite");
	must(SSL_CTX_set_num_tickets(context, 0), "tickets");
	SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET);
	if (server)
		certify(context, identity);
	ssl = SSL_new(context);
	if (protocol == DTLS12) {
		bio = BIO_new_dgram(fd, BIO_NOCLOSE);
		must(!getpeername(fd, (void *)&address, &length), "peer");
		BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &address);
		SSL_set_bio(ssl, bio, bio);
		SSL_set_mtu(ssl, 16500);
	} else {
		must(SSL_set_fd(ssl, fd), "descriptor");
	}
	must(server ? SSL_accept(ssl) : SSL_connect(ssl), "handshake");
	return ssl;
}

static int send_record(void *session, const void *data, int length)
{
	return must(SSL_write(session, data, length), "send");
}

static int receive(void *session, void *data, int length)
{
	int n = SSL_read(session, data, length);

	if (n <= 0 && SSL_get_error(session, n) == SSL_ERROR_ZERO_RETURN)
		return 0;
	return must(n, "receive");
}

static void bye(void *session)
{
	SSL_shutdown(session);
}

const struct stock stock_openssl = { "openssl", handshake, send_record, receive, bye };
