/* SPDX-License-Identifier: GPL-2.0-only */
/* The end that knows nothing of the kernel: a library on its own, GnuTLS or OpenSSL. */
#ifndef STOCK_H
#define STOCK_H

enum protocol { DTLS12, TLS12, TLS13 };
enum suite { AES128, AES256, CHACHA };

/* A self-signed certificate and its key, as PEM. */
struct identity {
	char certificate[4096], key[4096];
};

struct stock {
	const char *name;
	void *(*handshake)(int fd, int server, enum protocol protocol, enum suite suite, const struct identity *identity);
	int (*send)(void *session, const void *data, int length);
	/* 0: the other end has closed. */
	int (*receive)(void *session, void *data, int length);
	void (*bye)(void *session);
};

extern const struct stock stock_gnutls, stock_openssl;

void make_identity(struct identity *identity);

#endif
