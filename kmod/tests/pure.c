// SPDX-License-Identifier: GPL-2.0-only
/* The pure parts against the standards' cases and against a window without a bound. */
#include <stdio.h>
#include <stdlib.h>

#include "record.h"
#include "window.h"

static int checks, failures;

#define CHECK(condition) do { \
	checks++; \
	if (!(condition)) { \
		failures++; \
		printf("%s:%d: %s\n", __FILE__, __LINE__, #condition); \
	} \
} while (0)

static void framing(void)
{
	const struct af_ktls_cipher *gcm = af_ktls_cipher_find(KTLS_AES_GCM_128);
	const struct af_ktls_cipher *chacha = af_ktls_cipher_find(KTLS_CHACHA20_POLY1305);
	static const u8 want[] = { 23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0x01, 0x02, 0, 29,
				   0, 1, 0, 0, 0, 0, 0x01, 0x02 };
	static const u8 aad[] = { 0, 1, 0, 0, 0, 0, 0x01, 0x02, 23, 0xfe, 0xfd, 0, 5 };
	static const u8 nonce[] = { 9, 8, 7, 6, 0, 1, 0, 0, 0, 0, 0x01, 0x02 };
	/* RFC 7905, 2: the sequence number, padded on the left, exclusive-or the IV. */
	static const u8 iv[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
	static const u8 xored[] = { 1, 2, 3, 4, 5, 6 ^ 1, 7, 8, 9, 10, 11 ^ 1, 12 ^ 2 };
	u64 seq = 1ULL << 48 | 0x102;
	u8 header[32], buffer[AF_KTLS_NONCE];
	struct af_ktls_record record;

	CHECK(gcm && chacha && af_ktls_cipher_find(KTLS_AES_GCM_256) && !af_ktls_cipher_find(0) &&
	      !af_ktls_cipher_find(4));
	CHECK(af_ktls_overhead(gcm) == 37 && af_ktls_overhead(chacha) == 29);
	af_ktls_record_header(header, 23, seq, 5, gcm);
	CHECK(!memcmp(header, want, sizeof(want)));
	af_ktls_record_aad(header, 23, seq, 5);
	CHECK(!memcmp(header, aad, sizeof(aad)));
	af_ktls_record_nonce(buffer, nonce, seq, want + AF_KTLS_HEADER, gcm);
	CHECK(!memcmp(buffer, nonce, sizeof(nonce)));
	af_ktls_record_nonce(buffer, iv, seq, NULL, chacha);
	CHECK(!memcmp(buffer, xored, sizeof(xored)));

	CHECK(af_ktls_record_parse(want, 42, 1, gcm, &record) == AF_KTLS_OURS);
	CHECK(record.type == 23 && record.seq == seq && record.length == 29);
	CHECK(af_ktls_record_parse(want, 100, 1, gcm, &record) == AF_KTLS_OURS);
	CHECK(af_ktls_record_parse(want, 41, 1, gcm, &record) == AF_KTLS_MALFORMED);
	CHECK(af_ktls_record_parse(want, 12, 1, gcm, &record) == AF_KTLS_MALFORMED);
	CHECK(af_ktls_record_parse(want, 42, 2, gcm, &record) == AF_KTLS_PASS);
}

static enum af_ktls_verdict verdict(u8 type, u16 version, u16 epoch, u16 length)
{
	u8 header[AF_KTLS_HEADER] = { type, version >> 8, version, epoch >> 8, epoch,
				      0, 0, 0, 0, 0, 7, length >> 8, length };
	struct af_ktls_record record;

	return af_ktls_record_parse(header, AF_KTLS_HEADER + length, 3,
				    af_ktls_cipher_find(KTLS_AES_GCM_128), &record);
}

static void verdicts(void)
{
	CHECK(verdict(23, 0xfefd, 3, 24) == AF_KTLS_OURS);
	CHECK(verdict(23, 0xfefd, 3, 23) == AF_KTLS_MALFORMED);
	CHECK(verdict(23, 0xfefd, 3, 16384 + 24) == AF_KTLS_OURS);
	CHECK(verdict(23, 0xfefd, 3, 16384 + 25) == AF_KTLS_MALFORMED);
	CHECK(verdict(21, 0xfefd, 3, 26) == AF_KTLS_OURS);
	CHECK(verdict(22, 0xfefd, 3, 40) == AF_KTLS_PASS);
	CHECK(verdict(20, 0xfefd, 3, 25) == AF_KTLS_PASS);
	CHECK(verdict(19, 0xfefd, 3, 25) == AF_KTLS_MALFORMED);
	CHECK(verdict(64, 0xfefd, 3, 25) == AF_KTLS_MALFORMED);
	CHECK(verdict(22, 0xfeff, 0, 40) == AF_KTLS_PASS);
	CHECK(verdict(23, 0xfeff, 3, 40) == AF_KTLS_MALFORMED);
	CHECK(verdict(23, 0x0303, 3, 40) == AF_KTLS_MALFORMED);
	CHECK(verdict(23, 0xfefd, 4, 0) == AF_KTLS_PASS);
}

static void window(void)
{
	struct af_ktls_window w;
	u64 last = (1ULL << 48) - 1;
	int i;

	af_ktls_window_init(&w, 0);
	CHECK(af_ktls_window_accept(&w, 0) == 0 && af_ktls_window_accept(&w, 0) == -EALREADY);
	CHECK(af_ktls_window_accept(&w, 2) == 0 && af_ktls_window_accept(&w, 1) == 0 &&
	      af_ktls_window_accept(&w, 1) == -EALREADY);
	/* A loss, however long, never stops it: the 2016 module's fault. */
	for (i = 3; i < 200; i++)
		CHECK(af_ktls_window_accept(&w, 1000000ULL * i) == 0);
	CHECK(af_ktls_window_accept(&w, 1) == -ERANGE);
	CHECK(af_ktls_window_accept(&w, last) == 0 && af_ktls_window_accept(&w, last) == -EALREADY);
	CHECK(af_ktls_window_accept(&w, last - AF_KTLS_WINDOW_BITS + 1) == 0);
	CHECK(af_ktls_window_accept(&w, last - AF_KTLS_WINDOW_BITS) == -ERANGE);

	af_ktls_window_init(&w, 500);
	CHECK(af_ktls_window_accept(&w, 499) == -ERANGE && af_ktls_window_accept(&w, 501) == 0);
	CHECK(af_ktls_window_accept(&w, 500) == 0 && af_ktls_window_accept(&w, 500) == -EALREADY &&
	      w.next == 502);
	/* A floor that comes later: what was accepted stays so, what is below is old. */
	af_ktls_window_init(&w, 0);
	CHECK(af_ktls_window_accept(&w, 700) == 0 && af_ktls_window_accept(&w, 702) == 0);
	af_ktls_window_floor(&w, 701);
	CHECK(w.next == 703 && af_ktls_window_look(&w, 700) == -ERANGE &&
	      af_ktls_window_look(&w, 702) == -EALREADY);
	CHECK(af_ktls_window_look(&w, 701) == 0 && af_ktls_window_accept(&w, 701) == 0);
	af_ktls_window_floor(&w, 9000);
	CHECK(w.next == 9000 && af_ktls_window_look(&w, 8999) == -ERANGE &&
	      af_ktls_window_accept(&w, 9000) == 0);
	af_ktls_window_init(&w, 64);
	CHECK(af_ktls_window_accept(&w, 64 + 63) == 0 && af_ktls_window_accept(&w, 64) == 0);
	CHECK(af_ktls_window_accept(&w, 127) == -EALREADY);
}

/* Against a table of all numbers seen. */
static void model(unsigned int seed)
{
	enum { NUMBERS = 1 << 16 };
	static u8 seen[NUMBERS];
	struct af_ktls_window w;
	u64 greatest = 0, base = 0;
	int i;

	srand(seed);
	memset(seen, 0, sizeof(seen));
	af_ktls_window_init(&w, 0);
	for (i = 0; i < 40000; i++) {
		int span = rand() % 50 ? 1200 : 5000;
		u64 seq = base + rand() % span;
		int looked, got, want;

		if (seq >= NUMBERS)
			break;
		base += rand() % 3;
		looked = af_ktls_window_look(&w, seq);
		got = af_ktls_window_accept(&w, seq);
		CHECK(looked == got);
		want = seq + AF_KTLS_WINDOW_BITS <= greatest ? -ERANGE : seen[seq] ? -EALREADY : 0;
		CHECK(got == want);
		if (!got)
			seen[seq] = 1;
		if (!got && seq > greatest)
			greatest = seq;
	}
}

int main(void)
{
	unsigned int seed;

	framing();
	verdicts();
	window();
	for (seed = 1; seed <= 50; seed++)
		model(seed);
	printf("%d checks, %d failures\n", checks, failures);
	return failures != 0;
}
