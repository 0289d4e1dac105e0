// SPDX-License-Identifier: GPL-2.0-only
/*
 * The session's keys go to the kernel: to an AF_KTLS socket, or to the TLS that the kernel itself has for TCP. Only
 * the directions that the run has by the kernel; the library keeps the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "ktls.h"

#ifndef TLS_TX_MAX_PAYLOAD_LEN
#define TLS_TX_MAX_PAYLOAD_LEN	5	/* 7.3 has it, 6.12 and its headers do not */
#endif

/* The family's number: the module may have been loaded with another. */
static int family(void)
{
	FILE *file = fopen("/sys/module/af_ktls/parameters/family", "r");
	int number = AF_KTLS;

	if (file) {
		if (fscanf(file, "%d", &number) != 1)
			number = AF_KTLS;
		fclose(file);
	}
	return number;
}

static int af_ktls_socket(bool stream)
{
	int fd = socket(family(), (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);

	if (fd < 0 && errno == EAFNOSUPPORT)
		unsupported("no AF_KTLS sockets: the module af_ktls is not loaded");
	if (fd < 0 && errno == EPERM)
		unsupported("no AF_KTLS sockets for this user: the module af_ktls was loaded without allow=all");
	if (fd < 0)
		fail("AF_KTLS socket: %s", strerror(errno));
	return fd;
}

/* Asked before the handshake, so that the reason comes at once. */
void handover_possible(const struct request *r, bool peer)
{
	bool mine = r->scenario == ECHO ? !peer : true;
	enum method method = peer ? r->rx : r->tx;
	int fd;

	if (!mine)
		return;
	if (method == AF_KTLS_SOCKET || (r->scenario == ECHO && r->rx == AF_KTLS_SOCKET))
		close(af_ktls_socket(!datagram(r->protocol)));
	if (method == KERNEL_TLS || (r->scenario == ECHO && r->rx == KERNEL_TLS)) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		/* Not connected: that is what it says when there is such a thing. */
		if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", 4) && errno == ENOENT)
			unsupported("this kernel has no TLS, or its module tls is not loaded");
		close(fd);
	}
}

static struct ktls_key key_of(gnutls_session_t session, bool read)
{
	gnutls_datum_t mac, iv, key;
	struct ktls_key out = {};
	unsigned char seq[8];
	int err = gnutls_record_get_state(session, read, &mac, &iv, &key, seq);

	if (err < 0)
		fail("the session's keys: %s", gnutls_strerror(err));
	if (key.size > sizeof(out.key) || iv.size > sizeof(out.salt))
		fail("the session's keys are of no known size");
	memcpy(out.key, key.data, key.size);
	memcpy(out.salt, iv.data, iv.size);
	for (int i = 0; i < 8; i++)
		out.seq = out.seq << 8 | seq[i];
	return out;
}

static void set(int fd, int level, int name, const void *value, socklen_t length, const char *what)
{
	if (setsockopt(fd, level, name, value, length))
		fail("%s: %s", what, strerror(errno));
}

/* What came before is the library's: read it away, then take its number as the least that the kernel accepts. */
static void enable(struct channel *c)
{
	int flags = fcntl(c->lower, F_GETFL);
	struct ktls_key key;
	char buffer[64];

	fcntl(c->lower, F_SETFL, flags | O_NONBLOCK);
	while (channel_get(c, buffer, sizeof(buffer)) >= 0)
		;
	fcntl(c->lower, F_SETFL, flags);
	key = key_of(c->tls, true);
	set(c->fd, SOL_KTLS, KTLS_RX_ENABLE, &key.seq, sizeof(key.seq), "KTLS_RX_ENABLE");
	explicit_bzero(&key, sizeof(key));
}

static void to_af_ktls(struct channel *c, const struct request *r, bool tx, bool rx)
{
	static const __u16 ids[] = { KTLS_AES_GCM_128, KTLS_AES_GCM_256, KTLS_CHACHA20_POLY1305 };
	struct ktls_attach a = {
		.fd = c->lower,
		.version = !c->stream ? KTLS_DTLS_1_2 : r->version == V13 ? KTLS_TLS_1_3 : KTLS_TLS_1_2,
		.cipher = ids[r->cipher],
	};
	struct ktls_keys keys = { key_of(c->tls, false), key_of(c->tls, true) };
	/* To verify, records of every size are sent. */
	__u32 size = r->scenario == VERIFY && r->way != V_SENDFILE ? KTLS_MAX_PAYLOAD : r->payload;

	c->fd = af_ktls_socket(c->stream);
	set(c->fd, SOL_KTLS, KTLS_ATTACH, &a, sizeof(a), "KTLS_ATTACH");
	set(c->fd, SOL_KTLS, KTLS_RECORD_SIZE, &size, sizeof(size), "KTLS_RECORD_SIZE");
	c->record_size = size;
	if (tx && rx)
		set(c->fd, SOL_KTLS, KTLS_KEYS, &keys, sizeof(keys), "KTLS_KEYS");
	else if (tx)
		set(c->fd, SOL_KTLS, KTLS_TX_KEY, &keys.tx, sizeof(keys.tx), "KTLS_TX_KEY");
	else
		set(c->fd, SOL_KTLS, KTLS_RX_KEY, &keys.rx, sizeof(keys.rx), "KTLS_RX_KEY");
	explicit_bzero(&keys, sizeof(keys));
	if (rx && !c->stream)
		enable(c);
}

/*
 * The kernel's words for a key: the nonce is salt (4) and IV (8), or IV (12) for ChaCha20; all in TLS 1.2 GCM from
 * `seq`.
 */
static void kernel_tls_key(int fd, const struct request *r, bool tx, struct ktls_key key)
{
	union {
		struct tls_crypto_info info;
		struct tls12_crypto_info_aes_gcm_128 gcm128;
		struct tls12_crypto_info_aes_gcm_256 gcm256;
		struct tls12_crypto_info_chacha20_poly1305 chacha;
	} crypto = { .info.version = r->version == V13 ? TLS_1_3_VERSION : TLS_1_2_VERSION };
	unsigned char seq[8], *iv = r->version == V13 ? key.salt + 4 : seq;
	socklen_t size;

	for (int i = 0; i < 8; i++)
		seq[i] = key.seq >> (56 - 8 * i);
	switch (r->cipher) {
	case AES_128_GCM:
		size = sizeof(crypto.gcm128);
		crypto.info.cipher_type = TLS_CIPHER_AES_GCM_128;
		memcpy(crypto.gcm128.key, key.key, sizeof(crypto.gcm128.key));
		memcpy(crypto.gcm128.salt, key.salt, sizeof(crypto.gcm128.salt));
		memcpy(crypto.gcm128.iv, iv, sizeof(crypto.gcm128.iv));
		memcpy(crypto.gcm128.rec_seq, seq, sizeof(seq));
		break;
	case AES_256_GCM:
		size = sizeof(crypto.gcm256);
		crypto.info.cipher_type = TLS_CIPHER_AES_GCM_256;
		memcpy(crypto.gcm256.key, key.key, sizeof(crypto.gcm256.key));
		memcpy(crypto.gcm256.salt, key.salt, sizeof(crypto.gcm256.salt));
		memcpy(crypto.gcm256.iv, iv, sizeof(crypto.gcm256.iv));
		memcpy(crypto.gcm256.rec_seq, seq, sizeof(seq));
		break;
	default:
		size = sizeof(crypto.chacha);
		crypto.info.cipher_type = TLS_CIPHER_CHACHA20_POLY1305;
		memcpy(crypto.chacha.key, key.key, sizeof(crypto.chacha.key));
		memcpy(crypto.chacha.iv, key.salt, sizeof(crypto.chacha.iv));
		memcpy(crypto.chacha.rec_seq, seq, sizeof(seq));
		break;
	}
	set(fd, SOL_TLS, tx ? TLS_TX : TLS_RX, &crypto, size, tx ? "TLS_TX" : "TLS_RX");
	explicit_bzero(&crypto, sizeof(crypto));
	explicit_bzero(&key, sizeof(key));
}

static void to_kernel_tls(struct channel *c, const struct request *r, bool tx, bool rx)
{
	__u16 size = r->payload;

	set(c->lower, IPPROTO_TCP, TCP_ULP, "tls", 4, "TCP_ULP");
	c->record_size = MOST_PAYLOAD;
	if (tx) {
		kernel_tls_key(c->lower, r, true, key_of(c->tls, false));
		/* A kernel that cannot be told cuts at the greatest; the result says so. */
		if (r->scenario != VERIFY &&
		    !setsockopt(c->lower, SOL_TLS, TLS_TX_MAX_PAYLOAD_LEN, &size, sizeof(size)))
			c->record_size = size;
	}
	if (rx)
		kernel_tls_key(c->lower, r, false, key_of(c->tls, true));
}

/* Gives the channel its methods. A direction that the run does not use goes with the other. */
void handover(struct channel *c, const struct request *r)
{
	bool tx = c->tx != LIBRARY, rx = c->rx != LIBRARY;
	enum method method = tx ? c->tx : c->rx, wanted = c->rx;

	if (!tx && !rx)
		return;
	if (c->stream && gnutls_record_check_pending(c->tls))
		fail("the library holds records back");
	/* enable() still reads by the library. */
	c->rx = LIBRARY;
	if (method == AF_KTLS_SOCKET)
		to_af_ktls(c, r, tx, rx);
	else
		to_kernel_tls(c, r, tx, rx);
	c->rx = wanted;
	data_options(c, r);
}
