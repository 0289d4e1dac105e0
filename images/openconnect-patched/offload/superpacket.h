/* SPDX-License-Identifier: MIT */
/*
 * Superpackets: what a TUN device with segmentation offloads gives and takes instead of single packets.
 *
 * A frame is a struct virtio_net_hdr and an IP packet of up to 64 KiB, which stands for a run of packets of one TCP or UDP
 * flow. `superpacket_open` and `superpacket_next` cut a frame that was read into the packets it stands for; `merge_add`
 * joins packets to a frame that can be written. Pure: no system call, no memory of its own, no state but what is passed.
 */
#ifndef SUPERPACKET_H
#define SUPERPACKET_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SUPERPACKET_MAX 65535 /* bytes of a packet: what the length fields of IP hold */
#define FRAME_MAX (sizeof(struct virtio_net_hdr) + SUPERPACKET_MAX)

/* A frame that is being cut. */
struct superpacket {
	uint8_t *packet;
	size_t size;      /* bytes of `packet` */
	size_t network;   /* bytes of IP header, with options or extension headers */
	size_t header;    /* bytes of all headers: what every packet repeats */
	size_t each;      /* bytes of payload in every packet but the last; 0 where the frame is one packet */
	size_t done;      /* bytes of payload that were cut off already */
	uint64_t pseudo;  /* sum of the pseudo header, without the length */
	uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	bool over;
};

/*
 * Begin to cut the frame of `size` bytes at `frame`, whose memory stays in use until it is cut. Returns false where it is
 * malformed or of a kind that nobody asked the device for.
 */
bool superpacket_open(struct superpacket *s, uint8_t *frame, size_t size);

/*
 * Write the next packet, its lengths and checksums complete, to `to`, which has room for `room` bytes. Returns its bytes,
 * 0 after the last one, -1 where it does not fit: the rest of the frame is then lost, as a packet that is too long would be.
 */
ssize_t superpacket_next(struct superpacket *s, uint8_t *to, size_t room);

/* Packets that are being joined. Begins as zeros, but for `udp`. */
struct merge {
	bool udp; /* join UDP packets, too: the device takes them from Linux 6.2 on */
	struct virtio_net_hdr header; /* together with `packet`, the frame */
	uint8_t packet[SUPERPACKET_MAX];
	size_t size;      /* bytes of `packet`; 0 where nothing is held */
	size_t network;   /* bytes of IP header */
	size_t begin;     /* bytes of all headers; 0 where nothing can be joined to what is held */
	size_t each;      /* bytes of payload in every packet of the run but the last */
	unsigned int packets;
	bool checked;     /* the first packet's checksum was found right */
};

/*
 * Join the packet to what is held. Returns false where it does not belong there, or nothing more fits: write what is held,
 * as merge_finish gives it, and add the packet again. What is held empty takes any packet of up to SUPERPACKET_MAX bytes.
 *
 * Packets are joined where the receiver could not tell the run from the packets: one flow, the same fields but for length,
 * checksum and consecutive identification and sequence, the same length but for the last one, no flags but ACK and, at the
 * end, PSH; and each checksum right, since the frame is trusted to be.
 */
bool merge_add(struct merge *m, const uint8_t *packet, size_t size);

/*
 * Complete the headers of what is held: write `header` and the `size` bytes of `packet`, then call merge_clear. Returns
 * false where nothing is held.
 */
bool merge_finish(struct merge *m);
void merge_clear(struct merge *m);

#endif
