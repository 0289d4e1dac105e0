/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * AF_KTLS: TLS and DTLS records made and taken apart in the kernel.
 *
 * The one header for users. README.md has a worked example and the table of errors.
 */
#ifndef _UAPI_KTLS_H
#define _UAPI_KTLS_H

#include <linux/types.h>

/* The family's number unless the module was loaded with another (parameter `family`). */
#ifndef AF_KTLS
#define AF_KTLS			12
#endif
#ifndef PF_KTLS
#define PF_KTLS			AF_KTLS
#endif
#define SOL_KTLS		0x4b54

/* Options at level SOL_KTLS: (s) is set, (g) is got. */
#define KTLS_ATTACH		1	/* s: struct ktls_attach */
#define KTLS_TX_KEY		2	/* s: struct ktls_key */
#define KTLS_RX_KEY		3	/* s: struct ktls_key */
#define KTLS_KEYS		4	/* s: struct ktls_keys, both or neither */
#define KTLS_RX_ENABLE		5	/* s: __u64, the least sequence number to accept, epoch on top */
#define KTLS_DETACH		6	/* s: nothing; then KTLS_SEQUENCES is final */
#define KTLS_SEQUENCES		7	/* g: struct ktls_sequences */
#define KTLS_RECORD_SIZE	8	/* s, g: __u32, greatest payload of a record */
#define KTLS_STATS		9	/* g: struct ktls_stats */
#define KTLS_INFO		10	/* g: struct ktls_info */

/* Control message at level SOL_KTLS, both ways: one byte, the content type of the record. */
#define KTLS_RECORD_TYPE	1

#define KTLS_DTLS_1_2		0xfefd
#define KTLS_TLS_1_2		0x0303
#define KTLS_TLS_1_3		0x0304

#define KTLS_AES_GCM_128	1
#define KTLS_AES_GCM_256	2
#define KTLS_CHACHA20_POLY1305	3

#define KTLS_MAX_KEY		32
#define KTLS_MAX_SALT		12
#define KTLS_MAX_PAYLOAD	16384
#define KTLS_DRIVER_NAME	128

struct ktls_attach {
	__s32 fd;		/* a connected UDP socket, or a TCP socket */
	__u16 version;
	__u16 cipher;
	__u32 flags;		/* must be 0 */
	__u32 reserved;		/* must be 0 */
};

/*
 * What the library's record state gives. `salt`: the 4 bytes that are fixed in the nonce of AES-GCM in TLS and DTLS
 * 1.2, else the 12 bytes of the write IV. `seq`: number of the next record; DTLS has the epoch in its upper 16 bits. Of
 * the arrays the cipher's bytes are used; the others must be 0.
 */
struct ktls_key {
	__u8  key[KTLS_MAX_KEY];
	__u8  salt[KTLS_MAX_SALT];
	__u32 reserved;		/* must be 0 */
	__u64 seq;
};

struct ktls_keys {
	struct ktls_key tx;
	struct ktls_key rx;
};

/* The next to send, and one above the greatest accepted. */
struct ktls_sequences {
	__u64 tx;
	__u64 rx;
};

struct ktls_info {
	__u16 version;
	__u16 cipher;
	__u32 record_size;
	char  tx_driver[KTLS_DRIVER_NAME];	/* who encrypts, by the kernel's name; empty: no key yet, or the network card */
	char  rx_driver[KTLS_DRIVER_NAME];
};

/* Counted since the socket was made; of streams the bytes only. Later versions append: ask with the size you know. */
struct ktls_stats {
	__u64 tx_records;
	__u64 tx_bytes;		/* payload */
	__u64 tx_errors;	/* records whose number was used up but which were not sent */
	__u64 rx_records;	/* accepted: authentic and new */
	__u64 rx_bytes;		/* payload */
	__u64 rx_passed;	/* other epochs, handshakes: left to the UDP socket */
	__u64 rx_malformed;	/* dropped: not a DTLS record, or cut short */
	__u64 rx_forged;	/* dropped: authentication failed */
	__u64 rx_replayed;	/* dropped: accepted before */
	__u64 rx_old;		/* dropped: below the window or the floor */
	__u64 rx_full;		/* dropped: receive buffer full */
	__u64 rx_errors;	/* dropped: no memory, or the cipher's driver failed */
};

#endif
