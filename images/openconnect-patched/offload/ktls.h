/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
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
#define KTLS_RX_ENABLE		5	/* s: __u64, the least number to accept, epoch on top */
#define KTLS_DETACH		6	/* s: nothing; then KTLS_SEQUENCES is final */
#define KTLS_SEQUENCES		7	/* g: struct ktls_sequences */
#define KTLS_RECORD_SIZE	8	/* s, g: __u32, greatest payload of a record */
#define KTLS_STATS		9	/* g: struct ktls_stats */
#define KTLS_INFO		10	/* g: struct ktls_info */
#define KTLS_TUNNEL		11	/* s: struct ktls_tunnel, once; datagrams */

/* Control message at level SOL_KTLS, both ways: one byte, the content type of the record. */
#define KTLS_RECORD_TYPE	1
/* Not a type: with a tunnel, a handshake in this epoch, for the library: header first, as it came. */
#define KTLS_RAW		0

#define KTLS_DTLS_1_2		0xfefd
#define KTLS_TLS_1_2		0x0303
#define KTLS_TLS_1_3		0x0304

#define KTLS_AES_GCM_128	1
#define KTLS_AES_GCM_256	2
#define KTLS_CHACHA20_POLY1305	3

#define KTLS_MAX_KEY		32
#define KTLS_MAX_SALT		12
#define KTLS_MAX_PAYLOAD	16384
#define KTLS_MAX_RECORDS	32	/* of our epoch in a datagram */
#define KTLS_DRIVER_NAME	128

/**
 * struct ktls_attach - the socket to attach
 * @fd: a connected UDP socket, or a TCP socket
 * @version: KTLS_DTLS_1_2, KTLS_TLS_1_2 or KTLS_TLS_1_3
 * @cipher: KTLS_AES_GCM_128, KTLS_AES_GCM_256 or KTLS_CHACHA20_POLY1305
 * @flags: must be 0
 * @reserved: must be 0
 */
struct ktls_attach {
	__s32 fd;
	__u16 version;
	__u16 cipher;
	__u32 flags;
	__u32 reserved;
};

/* How packets stand in records. */
#define KTLS_ANYCONNECT		1	/* one byte in front, 0; any other is for the daemon */

/**
 * struct ktls_tunnel - the TUN device whose packets the socket carries by itself
 * @fd: the descriptor of its only queue, a device of the socket's own network namespace; -1: no
 *      device any more, its packets are the daemon's
 * @framing: KTLS_ANYCONNECT
 * @reserved: must be 0
 *
 * Both keys are set and receive is enabled. From here nothing is to be read from the UDP socket:
 * records that are not packets, and those that the library must see, are read from this socket.
 */
struct ktls_tunnel {
	__s32 fd;
	__u16 framing;
	__u16 reserved;
};

/**
 * struct ktls_key - the key of one direction: what the library's record state gives
 * @key: the cipher's key
 * @salt: the 4 bytes that are fixed in the nonce of AES-GCM in TLS and DTLS 1.2, else the 12 bytes
 *        of the write IV
 * @reserved: must be 0
 * @seq: number of the next record; DTLS has the epoch in its upper 16 bits
 *
 * Of the arrays the cipher's bytes are used; the others must be 0.
 */
struct ktls_key {
	__u8  key[KTLS_MAX_KEY];
	__u8  salt[KTLS_MAX_SALT];
	__u32 reserved;
	__u64 seq;
};

/**
 * struct ktls_keys - the keys of both directions
 * @tx: to send
 * @rx: to receive
 */
struct ktls_keys {
	struct ktls_key tx;
	struct ktls_key rx;
};

/**
 * struct ktls_sequences - where both directions are; 0 for one without a key
 * @tx: number of the next record to send
 * @rx: one above the greatest accepted
 */
struct ktls_sequences {
	__u64 tx;
	__u64 rx;
};

/**
 * struct ktls_info - what a socket is set to
 * @version: as attached
 * @cipher: as attached
 * @record_size: greatest payload of a record
 * @tx_driver: who encrypts, by the kernel's name; empty: no key yet, or the network card
 * @rx_driver: who decrypts, likewise
 */
struct ktls_info {
	__u16 version;
	__u16 cipher;
	__u32 record_size;
	char  tx_driver[KTLS_DRIVER_NAME];
	char  rx_driver[KTLS_DRIVER_NAME];
};

/**
 * struct ktls_stats - counted since the socket was made; of streams the bytes only
 * @tx_records: sent
 * @tx_bytes: payload sent
 * @tx_errors: records whose number was used up but which were not sent
 * @rx_records: accepted: authentic and new
 * @rx_bytes: payload accepted
 * @rx_passed: other epochs, handshakes: left to the UDP socket
 * @rx_malformed: dropped: not a DTLS record, or cut short
 * @rx_forged: dropped: authentication failed
 * @rx_replayed: dropped: accepted before
 * @rx_old: dropped: below the window or the floor
 * @rx_full: dropped: no room in the receive buffer, udp_mem or the memory cgroup
 * @rx_errors: dropped: no memory, or the cipher's driver failed
 * @rx_excess: dropped: beyond the first KTLS_MAX_RECORDS of our epoch in a datagram
 * @tunnel_tx_packets: packets of the TUN device that were sent
 * @tunnel_tx_bytes: their bytes
 * @tunnel_tx_trains: datagrams and trains of datagrams that carried them
 * @tunnel_tx_dropped: packets that were not sent: no room, no route, no memory, or no IP
 * @tunnel_rx_packets: packets given to the TUN device
 * @tunnel_rx_bytes: their bytes
 * @tunnel_rx_trains: datagrams and trains of datagrams that came
 * @tunnel_rx_stale: records of another epoch, or a change of it: dropped
 * @tunnel_rx_dropped: authentic, but no IP packet, or the device was down
 *
 * Later versions append: ask with the size you know.
 */
struct ktls_stats {
	__u64 tx_records;
	__u64 tx_bytes;
	__u64 tx_errors;
	__u64 rx_records;
	__u64 rx_bytes;
	__u64 rx_passed;
	__u64 rx_malformed;
	__u64 rx_forged;
	__u64 rx_replayed;
	__u64 rx_old;
	__u64 rx_full;
	__u64 rx_errors;
	__u64 rx_excess;
	__u64 tunnel_tx_packets;
	__u64 tunnel_tx_bytes;
	__u64 tunnel_tx_trains;
	__u64 tunnel_tx_dropped;
	__u64 tunnel_rx_packets;
	__u64 tunnel_rx_bytes;
	__u64 tunnel_rx_trains;
	__u64 tunnel_rx_stale;
	__u64 tunnel_rx_dropped;
};

#endif
