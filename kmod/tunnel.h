/* SPDX-License-Identifier: GPL-2.0-only */
/* A tunnel: the packets of a TUN device, carried in the records of a socket without any process. */
#ifndef AF_KTLS_TUNNEL_H
#define AF_KTLS_TUNNEL_H

#include <linux/hrtimer.h>
#include <linux/if_tun.h>
#include <linux/netdevice.h>
#include <linux/ptr_ring.h>

#include "af_ktls.h"

/* Bytes in front of a packet in its record, and what the first of them says: KTLS_ANYCONNECT. */
#define AF_KTLS_PREFIX		1
#define AF_KTLS_PREFIX_DATA	0

/**
 * struct af_ktls_job - a record at the cipher: one for each direction of a tunnel, used in turn
 * @ks: once it is left to a driver that is done later: our socket, held until then
 * @skb: likewise the buffer that the driver writes to
 * @ends: whoever comes second frees it: the driver, or who left it the record
 * @late: how many records before were left to a driver, in a row
 * @sg: additional data, then the record
 * @aad: additional data
 * @nonce: nonce
 * @request: last, since the driver's context follows
 */
struct af_ktls_job {
	struct af_ktls_sock *ks;
	struct sk_buff *skb;
	atomic_t ends;
	unsigned int late;
	struct scatterlist sg[2];
	u8 aad[AF_KTLS_AAD];
	u8 nonce[AF_KTLS_NONCE];
	struct aead_request request;
};

/**
 * struct af_ktls_train - records of one length, the last may be shorter: a datagram each, in one skb
 * @skb: without a header yet; NULL: none is being made
 * @page: where records are made
 * @size: of a record
 * @records: how many there are
 * @payload: of all of them
 * @bytes: of the packets in them
 */
struct af_ktls_train {
	struct sk_buff *skb;
	struct page_frag page;
	size_t size;
	unsigned int records;
	unsigned int payload;
	unsigned int bytes;
};

/* Of a packet, what may be headers: of IPv6, of TCP with all its options. */
#define AF_KTLS_RUN_HEAD	(sizeof(struct ipv6hdr) + 60)

/**
 * struct af_ktls_run - packets of a TCP stream that follow each other, put together
 * @skb: headers of the first, payload of all in pages; NULL: none has begun
 * @page: where records are decrypted
 * @allowed: the device takes superpackets, and the cipher is done at once
 * @likely: the packet before was of the kind
 * @text: the room for a record
 * @under: so much of the run's payload lies under the room
 * @kept: which is kept here
 * @six: IPv6
 * @transport: where TCP's header begins
 * @head: bytes of headers
 * @size: payload of each packet; the last may have less
 * @seq: TCP's sequence number, of the next packet
 * @id: IPv4's identification, of the next packet
 * @count: how many packets there are
 */
struct af_ktls_run {
	struct sk_buff *skb;
	struct page_frag page;
	bool allowed;
	bool likely;
	u8 *text;
	unsigned int under;
	u8 kept[AF_KTLS_PREFIX + AF_KTLS_RUN_HEAD];
	bool six;
	unsigned int transport;
	unsigned int head;
	unsigned int size;
	u32 seq;
	u16 id;
	unsigned int count;
};

/**
 * struct af_ktls_tunnel - what a socket needs to carry the packets of a TUN device
 * @ks: our socket
 * @file: of the TUN device, held
 * @tun: its socket
 * @ring: the packets that leave by it
 * @dev: the device; NULL when it is gone: under af_ktls_tunnels_lock, or in the NAPI instances
 * @tracker: of @dev
 * @list: of all tunnels, for devices that go
 * @tx: from the ring to the wire
 * @rx: from the UDP socket to the device
 * @pause: while the UDP socket has no room
 * @tun_ready: who was told when a packet was in the ring, before it was us
 * @train: in @tx
 * @to: in @rx: the device that packets go to; NULL: they are the daemon's
 * @run: in @rx
 * @seal: in @tx; NULL: the driver is always done later, and the direction has ended
 * @open: in @rx; likewise
 * @ptr_free: the TUN driver's, which is a module of its own: held
 * @wake_queue: likewise; may be NULL
 *
 * Made by KTLS_TUNNEL, freed with the socket. Its hooks and NAPI instances end before, with the
 * device or when the UDP socket is given back.
 */
struct af_ktls_tunnel {
	struct af_ktls_sock *ks;
	struct file *file;
	struct sock *tun;
	struct ptr_ring *ring;
	struct net_device *dev;
	netdevice_tracker tracker;
	struct list_head list;
	struct napi_struct tx;
	struct napi_struct rx;
	struct hrtimer pause;
	void (*tun_ready)(struct sock *sk);
	struct af_ktls_train train;
	struct net_device *to;
	struct af_ktls_run run;
	struct af_ktls_job *seal;
	struct af_ktls_job *open;
	void (*ptr_free)(void *ptr);
	void (*wake_queue)(struct file *file, int consumed);
};

/**
 * struct af_ktls_cut - a superpacket that is being cut
 * @skb: the superpacket
 * @headers: its headers, those of the packet that was written last
 * @six: IPv6
 * @transport: where TCP's header begins
 * @head: bytes of headers
 * @at: bytes of payload that were written
 * @id: IPv4's identification, of the next packet
 * @seq: TCP's sequence number, of the first packet
 * @flags: TCP's flags, of the superpacket
 */
struct af_ktls_cut {
	const struct sk_buff *skb;
	u8 headers[128] __aligned(8);
	bool six;
	unsigned int transport;
	unsigned int head;
	unsigned int at;
	u16 id;
	u32 seq;
	u8 flags;
};

/* A packet of the peer's, as the device gives it to the stack. Its checksums are sealed: the tag says so. As WireGuard has it. */
static inline void af_ktls_tunnel_dress(struct sk_buff *skb, struct net_device *dev, __be16 protocol)
{
	skb->protocol = protocol;
	skb->dev = dev;
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb->csum_level = ~0;
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
}

/* tunnel.c */
int af_ktls_tunnel_set(struct af_ktls_sock *ks, const struct ktls_tunnel *option);
void af_ktls_tunnel_off(struct af_ktls_sock *ks);
void af_ktls_tunnel_tell(struct af_ktls_sock *ks, int err);
void af_ktls_tunnel_free(struct af_ktls_sock *ks);
void af_ktls_tunnel_name(struct af_ktls_sock *ks, char name[IFNAMSIZ]);
int af_ktls_tunnels_init(void);
void af_ktls_tunnels_exit(void);

/* tunnel_cut.c */
bool af_ktls_cut_begin(struct af_ktls_cut *cut, const struct sk_buff *skb);
unsigned int af_ktls_cut_next(const struct af_ktls_cut *cut);
void af_ktls_cut_write(struct af_ktls_cut *cut, u8 *to);

/* tunnel_job.c */
struct af_ktls_job *af_ktls_job_make(struct crypto_aead *aead, gfp_t gfp);
void af_ktls_job_cancel(struct af_ktls_job *job);
int af_ktls_job_seal(struct af_ktls_sock *ks, struct af_ktls_job **job, struct sk_buff *skb,
		     u8 *record, size_t payload, u64 seq);
int af_ktls_job_open(struct af_ktls_sock *ks, struct af_ktls_job **job, struct sk_buff *skb,
		     u8 *text, const u8 *explicit, const struct af_ktls_record *record);

/* tunnel_tun.c */
int af_ktls_tun_find(struct af_ktls_tunnel *t, int fd);
int af_ktls_tun_hook(struct af_ktls_tunnel *t);
void af_ktls_tun_unhook(struct af_ktls_tunnel *t);
void af_ktls_tun_put(struct af_ktls_tunnel *t);

/* tunnel_rx.c */
int af_ktls_tunnel_rx(struct napi_struct *napi, int budget);

/* tunnel_run.c */
u8 *af_ktls_run_room(struct af_ktls_run *run, size_t size);
bool af_ktls_run_take(struct af_ktls_tunnel *t, size_t length);
void af_ktls_run_look(struct af_ktls_run *run, const u8 *packet, size_t length);
void af_ktls_run_leave(struct af_ktls_run *run);
void af_ktls_run_end(struct af_ktls_tunnel *t);
void af_ktls_run_free(struct af_ktls_run *run);

/* tunnel_tx.c */
int af_ktls_tunnel_tx(struct napi_struct *napi, int budget);
enum hrtimer_restart af_ktls_tunnel_paused(struct hrtimer *timer);
void af_ktls_train_free(struct af_ktls_train *train);

#endif
