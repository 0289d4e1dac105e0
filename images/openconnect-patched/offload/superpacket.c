/* SPDX-License-Identifier: MIT */
#include "superpacket.h"

#include "bytes.h"
#include "checksum.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define TCP_HEADER 20
#define UDP_HEADER 8
#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_CWR 0x80
#define PACKETS_MAX 64 /* of a merged run: what the kernel's own GRO joins at most is 64 KiB of them */

/* From linux/virtio_net.h of 6.2 and later. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

static bool is_ipv6(const uint8_t *packet)
{
	return packet[0] >> 4 == 6;
}

/* The sum of the pseudo header, without the length (RFC 9293 3.1, RFC 768, RFC 8200 8.1). */
static uint64_t pseudo_header(const uint8_t *packet, uint8_t protocol)
{
	if (is_ipv6(packet))
		return checksum_sum(packet + 8, 32, htons(protocol));
	return checksum_sum(packet + 12, 8, htons(protocol));
}

static void put_checksum(uint8_t *at, uint16_t complement)
{
	memcpy(at, &complement, sizeof(complement)); /* the sum is in the machine's order, as the words were read */
}

/* Where the checksum stands in the header of the transport protocol. */
static size_t checksum_at(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? 16 : 6;
}

/* Complete the length of the IP packet, and IPv4's checksum. */
static void put_length(uint8_t *packet, size_t network, size_t size)
{
	if (is_ipv6(packet)) {
		put16(packet + 4, size - IPV6_HEADER);
		return;
	}
	put16(packet + 2, size);
	put16(packet + 10, 0);
	put_checksum(packet + 10, ~checksum_folded(checksum_sum(packet, network, 0)));
}

/* Complete a checksum that the sender left to the device: it has the pseudo header's sum in its place. */
static bool complete(struct superpacket *s, size_t start, size_t offset)
{
	uint16_t checksum;

	if (start + offset + 2 > s->size)
		return false;
	checksum = ~checksum_folded(checksum_sum(s->packet + start, s->size - start, 0));
	if (!checksum)
		checksum = 0xffff; /* which is as right, and 0 says of UDP that there is none (RFC 768) */
	put_checksum(s->packet + start + offset, checksum);
	return true;
}

bool superpacket_open(struct superpacket *s, uint8_t *frame, size_t size)
{
	struct virtio_net_hdr header;
	size_t transport;

	memset(s, 0, sizeof(*s));
	if (size < sizeof(header) + IPV4_HEADER)
		return false;
	memcpy(&header, frame, sizeof(header));
	s->packet = frame + sizeof(header);
	s->size = size - sizeof(header);
	if (s->size > SUPERPACKET_MAX || (is_ipv6(s->packet) && s->size < IPV6_HEADER))
		return false;
	if (header.gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return !(header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || complete(s, header.csum_start, header.csum_offset);

	switch (header.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_TCPV6:
		s->protocol = IPPROTO_TCP;
		break;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		s->protocol = IPPROTO_UDP;
		break;
	default:
		return false;
	}
	s->network = header.csum_start;
	s->each = header.gso_size;
	if (!(header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || !s->each ||
	    s->network < (is_ipv6(s->packet) ? IPV6_HEADER : IPV4_HEADER) ||
	    s->network + (s->protocol == IPPROTO_TCP ? TCP_HEADER : UDP_HEADER) > s->size)
		return false;
	transport = s->protocol == IPPROTO_TCP ? (s->packet[s->network + 12] >> 4) * 4 : UDP_HEADER;
	s->header = s->network + transport;
	if ((s->protocol == IPPROTO_TCP && transport < TCP_HEADER) || s->header >= s->size)
		return false;
	s->pseudo = pseudo_header(s->packet, s->protocol);
	return true;
}

ssize_t superpacket_next(struct superpacket *s, uint8_t *to, size_t room)
{
	size_t left, payload, size;
	uint8_t *transport = to + s->network;
	uint16_t checksum;

	if (s->over)
		return 0;
	if (!s->each) { /* one packet, complete */
		s->over = true;
		if (s->size > room)
			return -1;
		memcpy(to, s->packet, s->size);
		return s->size;
	}
	left = s->size - s->header - s->done;
	payload = left < s->each ? left : s->each;
	size = s->header + payload;
	s->over = left == payload;
	if (size > room) {
		s->over = true;
		return -1;
	}
	memcpy(to, s->packet, s->header);
	memcpy(to + s->header, s->packet + s->header + s->done, payload);
	if (!is_ipv6(to))
		put16(to + 4, get16(to + 4) + s->done / s->each);
	put_length(to, s->network, size);
	if (s->protocol == IPPROTO_TCP) {
		put32(transport + 4, get32(transport + 4) + s->done);
		if (!s->over)
			transport[13] &= ~(TCP_FIN | TCP_PSH);
		if (s->done)
			transport[13] &= ~TCP_CWR;
	} else {
		put16(transport + 4, size - s->network);
	}
	put16(transport + checksum_at(s->protocol), 0);
	checksum = ~checksum_folded(checksum_sum(transport, size - s->network, s->pseudo + htons(size - s->network)));
	if (!checksum && s->protocol == IPPROTO_UDP)
		checksum = 0xffff;
	put_checksum(transport + checksum_at(s->protocol), checksum);
	s->done += payload;
	return size;
}

/* A packet that might be joined to others: its headers' sizes. Returns false where it is not one. */
static bool joinable(const uint8_t *packet, size_t size, size_t *network, size_t *header)
{
	uint8_t protocol;

	if (size < IPV4_HEADER)
		return false;
	if (is_ipv6(packet)) {
		*network = IPV6_HEADER;
		if (size < IPV6_HEADER || size != (size_t)get16(packet + 4) + IPV6_HEADER)
			return false;
		protocol = packet[6];
	} else {
		*network = (packet[0] & 15) * 4;
		if (packet[0] >> 4 != 4 || *network != IPV4_HEADER || get16(packet + 2) != size || get16(packet + 6) & 0xbfff)
			return false; /* options, a fragment, or bytes behind the packet */
		if (checksum_folded(checksum_sum(packet, IPV4_HEADER, 0)) != 0xffff)
			return false;
		protocol = packet[9];
	}
	if (protocol == IPPROTO_UDP) {
		*header = *network + UDP_HEADER;
		/* No checksum at all is a thing to keep, too. */
		return size > *header && get16(packet + *network + 4) == size - *network && get16(packet + *network + 6);
	}
	if (protocol != IPPROTO_TCP || size < *network + TCP_HEADER)
		return false;
	*header = *network + (packet[*network + 12] >> 4) * 4;
	return *header >= *network + TCP_HEADER && size > *header &&
	       (packet[*network + 13] & ~TCP_PSH) == TCP_ACK && !(packet[*network + 12] & 15);
}

static uint8_t protocol_of(const uint8_t *packet)
{
	return packet[is_ipv6(packet) ? 6 : 9];
}

static bool right(const uint8_t *packet, size_t size, size_t network)
{
	uint64_t pseudo = pseudo_header(packet, protocol_of(packet)) + htons(size - network);

	return checksum_folded(checksum_sum(packet + network, size - network, pseudo)) == 0xffff;
}

/* Do the headers say that the packet follows what is held? */
static bool follows(const struct merge *m, const uint8_t *packet)
{
	const uint8_t *first = m->packet, *a = m->packet + m->network, *b = packet + m->network;

	if (is_ipv6(first)) {
		/* Version, class and label; then next header, hop limit and addresses. */
		if (memcmp(first, packet, 4) || memcmp(first + 6, packet + 6, 34))
			return false;
	} else {
		/* Version and TOS; flags, lifetime and protocol; addresses. The kernel numbers the packets of a run. */
		if (memcmp(first, packet, 2) || memcmp(first + 6, packet + 6, 4) || memcmp(first + 12, packet + 12, 8) ||
		    get16(packet + 4) != (uint16_t)(get16(first + 4) + m->packets))
			return false;
	}
	if (memcmp(a, b, 4)) /* ports */
		return false;
	if (protocol_of(first) == IPPROTO_UDP)
		return true;
	/* Acknowledgement and size of the header; window; options. PSH ends a run, so what is held has none. */
	return get32(b + 4) == get32(a + 4) + (uint32_t)(m->size - m->begin) && !memcmp(a + 8, b + 8, 5) &&
	       !memcmp(a + 14, b + 14, 2) && !memcmp(a + 18, b + 18, m->begin - m->network - 18);
}

static void begin(struct merge *m, const uint8_t *packet, size_t size)
{
	size_t header;

	memcpy(m->packet, packet, size);
	m->size = size;
	m->packets = 1;
	m->checked = false;
	m->begin = 0;
	if (joinable(packet, size, &m->network, &header) &&
	    (protocol_of(packet) == IPPROTO_TCP ? !(packet[m->network + 13] & TCP_PSH) : m->udp)) {
		m->begin = header;
		m->each = size - header;
	}
}

bool merge_add(struct merge *m, const uint8_t *packet, size_t size)
{
	size_t network, header, payload;
	bool pushes;

	if (!m->size) {
		begin(m, packet, size);
		return true;
	}
	if (!m->begin || m->packets >= PACKETS_MAX || !joinable(packet, size, &network, &header) || network != m->network ||
	    header != m->begin || is_ipv6(packet) != is_ipv6(m->packet) || protocol_of(packet) != protocol_of(m->packet))
		return false;
	payload = size - header;
	if (payload > m->each || m->size + payload > SUPERPACKET_MAX || !follows(m, packet))
		return false;
	if (!m->checked && !right(m->packet, m->size, m->network)) {
		m->begin = 0;
		return false;
	}
	m->checked = true;
	if (!right(packet, size, network))
		return false;
	memcpy(m->packet + m->size, packet + header, payload);
	m->size += payload;
	m->packets++;
	pushes = protocol_of(packet) == IPPROTO_TCP && packet[network + 13] & TCP_PSH;
	if (pushes)
		m->packet[network + 13] |= TCP_PSH;
	if (pushes || payload < m->each)
		m->begin = 0; /* the last one */
	return true;
}

bool merge_finish(struct merge *m)
{
	uint8_t protocol = protocol_of(m->packet);
	uint8_t *transport = m->packet + m->network;
	size_t header;

	memset(&m->header, 0, sizeof(m->header));
	if (m->packets < 2)
		return m->size > 0;
	header = m->network + (protocol == IPPROTO_TCP ? (transport[12] >> 4) * 4 : UDP_HEADER);
	m->header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	if (protocol == IPPROTO_UDP)
		m->header.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
	else
		m->header.gso_type = is_ipv6(m->packet) ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
	m->header.hdr_len = header;
	m->header.gso_size = m->each;
	m->header.csum_start = m->network;
	m->header.csum_offset = checksum_at(protocol);
	put_length(m->packet, m->network, m->size);
	if (protocol == IPPROTO_UDP)
		put16(transport + 4, m->size - m->network);
	/* What a device that computes checksums wants: the pseudo header's sum in the place of the checksum. */
	put_checksum(transport + checksum_at(protocol),
		     checksum_folded(pseudo_header(m->packet, protocol) + htons(m->size - m->network)));
	return true;
}

void merge_clear(struct merge *m)
{
	m->size = 0;
	m->packets = 0;
}
