// SPDX-License-Identifier: GPL-2.0-only
/*
 * Framing of DTLS 1.2 records (RFC 6347, 4.1; RFC 5288, 3; RFC 7905, 2).
 *
 * Nonce and additional data of a record come from the record itself, never from a local counter:
 * datagrams get lost.
 */
#include "record.h"

static const struct af_ktls_cipher ciphers[] = {
	{ KTLS_AES_GCM_128, 16, 4, 8, "gcm(aes)", "AES-128-GCM" },
	{ KTLS_AES_GCM_256, 32, 4, 8, "gcm(aes)", "AES-256-GCM" },
	{ KTLS_CHACHA20_POLY1305, 32, 12, 0, "rfc7539(chacha20,poly1305)", "CHACHA20-POLY1305" },
};

const struct af_ktls_cipher *af_ktls_cipher_find(u16 id)
{
	size_t i;

	for (i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
		if (ciphers[i].id == id)
			return &ciphers[i];
	return NULL;
}

/* One instruction each where the processor has it: cpu_to_be64() and the like, here and in user space. */
static void put16(u8 *p, u16 value)
{
	__be16 big = cpu_to_be16(value);

	memcpy(p, &big, sizeof(big));
}

static void put64(u8 *p, u64 value)
{
	__be64 big = cpu_to_be64(value);

	memcpy(p, &big, sizeof(big));
}

static u16 get16(const u8 *p)
{
	__be16 big;

	memcpy(&big, p, sizeof(big));
	return be16_to_cpu(big);
}

static u64 get64(const u8 *p)
{
	__be64 big;

	memcpy(&big, p, sizeof(big));
	return be64_to_cpu(big);
}

/**
 * af_ktls_record_parse - say what to do with the next record of a datagram
 * @header: its header
 * @available: bytes of the datagram from the header on
 * @epoch: the epoch of the key to receive with
 * @cipher: the cipher of that key
 * @record: filled in unless malformed
 *
 * Nothing here is authentic yet. A record of another epoch has another cipher, or none: of it only
 * the frame is judged.
 */
enum af_ktls_verdict af_ktls_record_parse(const u8 header[AF_KTLS_HEADER], size_t available,
					  u16 epoch, const struct af_ktls_cipher *cipher,
					  struct af_ktls_record *record)
{
	if (available < AF_KTLS_HEADER)
		return AF_KTLS_MALFORMED;
	record->type = header[0];
	record->version = get16(header + 1);
	record->seq = get64(header + 3);
	record->length = get16(header + 11);
	if (record->type < AF_KTLS_TYPE_FIRST || record->type > AF_KTLS_TYPE_LAST)
		return AF_KTLS_MALFORMED;
	if (record->version >> 8 != KTLS_DTLS_1_2 >> 8 ||
	    record->length > available - AF_KTLS_HEADER)
		return AF_KTLS_MALFORMED;
	if (af_ktls_epoch(record->seq) != epoch || record->type == AF_KTLS_TYPE_HANDSHAKE ||
	    record->type == AF_KTLS_TYPE_CCS)
		return AF_KTLS_PASS;
	if (record->version != KTLS_DTLS_1_2 || record->length < cipher->explicit + AF_KTLS_TAG ||
	    record->length > cipher->explicit + KTLS_MAX_PAYLOAD + AF_KTLS_TAG)
		return AF_KTLS_MALFORMED;
	return AF_KTLS_OURS;
}

/**
 * af_ktls_record_header - write what precedes the ciphertext
 * @header: the header and the explicit nonce, if the cipher has one
 * @type: content type
 * @seq: epoch and sequence number
 * @payload: length of the plaintext
 * @cipher: the cipher
 *
 * The explicit nonce is the sequence number: unique as long as that is, and what GnuTLS and OpenSSL
 * send too.
 */
void af_ktls_record_header(u8 header[AF_KTLS_HEADER + AF_KTLS_MAX_EXPLICIT], u8 type, u64 seq,
			   size_t payload, const struct af_ktls_cipher *cipher)
{
	header[0] = type;
	put16(header + 1, KTLS_DTLS_1_2);
	put64(header + 3, seq);
	put16(header + 11, cipher->explicit + payload + AF_KTLS_TAG);
	if (cipher->explicit)
		put64(header + AF_KTLS_HEADER, seq);
}

/**
 * af_ktls_record_aad - write the additional data that is authenticated with a record
 * @aad: where to
 * @type: content type
 * @seq: epoch and sequence number
 * @payload: length of the plaintext
 */
void af_ktls_record_aad(u8 aad[AF_KTLS_AAD], u8 type, u64 seq, size_t payload)
{
	put64(aad, seq);
	aad[8] = type;
	put16(aad + 9, KTLS_DTLS_1_2);
	put16(aad + 11, payload);
}

/**
 * af_ktls_record_nonce - write the nonce of a record
 * @nonce: where to
 * @salt: the fixed part, from the key, in KTLS_MAX_SALT bytes
 * @seq: epoch and sequence number
 * @explicit: the part sent with the record, for ciphers that have one
 * @cipher: the cipher
 */
void af_ktls_record_nonce(u8 nonce[AF_KTLS_NONCE], const u8 *salt, u64 seq, const u8 *explicit,
			  const struct af_ktls_cipher *cipher)
{
	int i;

	/* Lengths that the compiler knows, for each record: a cipher has either all 12 bytes, or 4 and 8. */
	memcpy(nonce, salt, AF_KTLS_NONCE);
	if (cipher->explicit) {
		memcpy(nonce + AF_KTLS_NONCE - AF_KTLS_MAX_EXPLICIT, explicit, AF_KTLS_MAX_EXPLICIT);
		return;
	}
	for (i = 0; i < 8; i++)
		nonce[AF_KTLS_NONCE - 8 + i] ^= seq >> (56 - 8 * i);
}
