// SPDX-License-Identifier: MIT
/* gnutls-speed SUITE SIZE SECONDS: how fast GnuTLS protects TLS 1.2 records of SIZE bytes of payload.
 *
 * gnutls-cli --benchmark-ciphers has one payload, 16384 bytes, and no choice of suites: hence this, on the same public
 * calls. SUITE is an AEAD (AES-128-GCM), or a cipher and a MAC (AES-128-CBC+SHA1, NULL+SHA1). What is timed is all
 * that a record takes: the AEAD with its nonce and 13 bytes of header; or the HMAC of header and payload, then the
 * cipher over payload, HMAC and padding (RFC 5246, 6.2.3.2).
 */
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

#include "timed.h"

#define HEADER 13
#define ROOM 256   /* HMAC, padding, tag: more than any has */

struct record {
    gnutls_aead_cipher_hd_t aead;
    gnutls_cipher_hd_t cipher;
    gnutls_hmac_hd_t mac;
    size_t size, nonce_size, tag_size, mac_size, block_size;
    unsigned char header[HEADER], nonce[64], *plain, *sealed;
};

static void check(int result, const char *what)
{
    if (result < 0)
        refuse(1, what, gnutls_strerror(result));
}

static void aead(void *what)
{
    struct record *r = what;
    size_t room = r->size + ROOM;

    r->nonce[0]++;
    check(gnutls_aead_cipher_encrypt(r->aead, r->nonce, r->nonce_size, r->header, HEADER, r->tag_size, r->plain,
                                     r->size, r->sealed, &room), "encrypt");
}

static void mac_then_encrypt(void *what)
{
    struct record *r = what;
    size_t length = r->size + r->mac_size;

    check(gnutls_hmac(r->mac, r->header, HEADER), "hmac");
    check(gnutls_hmac(r->mac, r->plain, r->size), "hmac");
    gnutls_hmac_output(r->mac, r->plain + r->size);
    if (!r->cipher)
        return;
    const size_t padding = r->block_size - length % r->block_size;

    memset(r->plain + length, (int)padding - 1, padding);
    r->nonce[0]++;
    gnutls_cipher_set_iv(r->cipher, r->nonce, r->nonce_size);
    check(gnutls_cipher_encrypt2(r->cipher, r->plain, length + padding, r->sealed, r->size + ROOM), "encrypt");
}

int main(int argc, char **argv)
{
    static unsigned char key[64] = "a key that protects nothing but the time that it takes to use it";
    const gnutls_datum_t secret = { key, 0 };
    struct record r = { 0 };
    gnutls_datum_t k = secret, iv;

    if (argc != 4)
        refuse(2, argv[0], "SUITE SIZE SECONDS");
    /* What it found in the processor it has logged when it was loaded. It must not be set up a second time: then other
       code computes its HMACs. */
    gnutls_global_set_log_level(0);

    const char *mac_name = strchr(argv[1], '+');
    char *name = strdup(argv[1]);
    name[strcspn(name, "+")] = '\0';
    const gnutls_cipher_algorithm_t cipher = gnutls_cipher_get_id(name);
    const gnutls_mac_algorithm_t mac = mac_name ? gnutls_mac_get_id(mac_name + 1) : GNUTLS_MAC_AEAD;
    if (cipher == GNUTLS_CIPHER_UNKNOWN || mac == GNUTLS_MAC_UNKNOWN)
        refuse(127, argv[1], "GnuTLS has no such cipher or MAC");

    r.size = strtoul(argv[2], NULL, 10);
    r.plain = calloc(1, r.size + ROOM);
    r.sealed = calloc(1, r.size + ROOM);
    if (!r.size || !r.plain || !r.sealed)
        refuse(1, argv[2], "no such size");
    k.size = (unsigned)gnutls_cipher_get_key_size(cipher);
    r.nonce_size = gnutls_cipher_get_iv_size(cipher);
    if (!mac_name) {
        r.tag_size = gnutls_cipher_get_tag_size(cipher);
        if (!r.tag_size || gnutls_aead_cipher_init(&r.aead, cipher, &k) < 0)
            refuse(127, argv[1], "GnuTLS does not have it as an AEAD");
        timed(aead, &r, r.size, atof(argv[3]), "");
        return 0;
    }
    r.mac_size = gnutls_hmac_get_len(mac);
    if (!r.mac_size || gnutls_hmac_init(&r.mac, mac, key, r.mac_size) < 0)
        refuse(127, argv[1], "GnuTLS does not have the MAC");
    if (cipher != GNUTLS_CIPHER_NULL) {
        r.block_size = gnutls_cipher_get_block_size(cipher);
        iv = (gnutls_datum_t){ r.nonce, (unsigned)r.nonce_size };
        if (gnutls_cipher_init(&r.cipher, cipher, &k, &iv) < 0)
            refuse(127, argv[1], "GnuTLS does not have the cipher");
    }
    timed(mac_then_encrypt, &r, r.size, atof(argv[3]), "");
    return 0;
}
