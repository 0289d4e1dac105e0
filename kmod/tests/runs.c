// SPDX-License-Identifier: GPL-2.0-only
/*
 * runs SEED ROUNDS [little]: packets of TCP that arrive in a tunnel many at a time, most of them one after the other, some not quite:
 * forged, replayed, shorter, of another stream, with another header. Whatever the kernel makes of them, cut up again it is
 * what was sent, in its stream's order. Where there is little memory some of it is missing; that takes a kernel that injects
 * faults. Needs NET_ADMIN and NET_RAW, in a network namespace of its own.
 */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include "made.h"

#define MOST 24 /* packets a datagram, whose records are some more: KTLS_MAX_RECORDS */
#define PAYLOAD 1348
#define OPTIONS 12

struct packet {
	int size, oddity;
	unsigned char bytes[1500];
};

/* What is wrong with a packet, or else odd, for one that should follow another. */
enum oddity {
	NONE, FORGED, REPLAYED, SHORTER, LONGER, PUSH, END, CONGESTED, PORT, ACK, WINDOW, URGENT, OPTION, SERVICE, TTL, ID,
	CHECKSUM, FRAGMENT, GAP, SMALL, DATAGRAM, CUT, CONTROL, ODDITIES
};

static struct packet sent[MOST * 2], came[MOST * 4];
static int count_sent, count_came, controls, six, little;
static unsigned long long records;
static int lower[2], tunnel, sealer, sealed, tap;
static unsigned int seq, id, port;

static unsigned short ip_sum(const void *header)
{
	const unsigned short *words = header;
	unsigned int sum = 0, i;

	for (i = 0; i < 10; i++)
		sum += i == 5 ? 0 : words[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static int head_of(const unsigned char *bytes)
{
	return bytes[0] >> 4 == 6 ? sizeof(struct ip6_hdr) : sizeof(struct iphdr);
}

static struct tcphdr *tcp_of(unsigned char *bytes)
{
	return (void *)(bytes + head_of(bytes));
}

/* The lengths that headers hold, and IPv4's checksum: as they are right. */
static void set_length(struct packet *p)
{
	struct ip6_hdr *ip6 = (void *)p->bytes;
	struct iphdr *ip = (void *)p->bytes;

	if (six) {
		ip6->ip6_plen = htons(p->size - sizeof(*ip6));
		return;
	}
	ip->tot_len = htons(p->size);
	ip->check = ip_sum(ip);
}

/* The next packet of the stream. */
static void write_packet(struct packet *p, int payload)
{
	struct ip6_hdr *ip6 = (void *)p->bytes;
	struct iphdr *ip = (void *)p->bytes;
	struct tcphdr *tcp;
	int i, head;

	memset(p, 0, sizeof(*p));
	if (six) {
		ip6->ip6_flow = htonl(6u << 28);
		ip6->ip6_nxt = IPPROTO_TCP;
		ip6->ip6_hlim = 64;
		inet_pton(AF_INET6, "fd08::2", &ip6->ip6_src);
		inet_pton(AF_INET6, "fd09::9", &ip6->ip6_dst);
	} else {
		ip->version = 4;
		ip->ihl = 5;
		ip->id = htons(id++);
		ip->frag_off = htons(0x4000);
		ip->ttl = 64;
		ip->protocol = IPPROTO_TCP;
		ip->saddr = htonl(0x0a080002);
		ip->daddr = htonl(0x0a090009);
	}
	head = head_of(p->bytes) + sizeof(*tcp) + OPTIONS;
	tcp = tcp_of(p->bytes);
	tcp->source = htons(port);
	tcp->dest = htons(443);
	tcp->seq = htonl(seq);
	tcp->doff = (sizeof(*tcp) + OPTIONS) / 4;
	tcp->ack = 1;
	tcp->window = htons(500);
	memset(tcp + 1, TCPOPT_NOP, OPTIONS);
	for (i = 0; i < payload; i++)
		p->bytes[head + i] = (seq + i) * 2654435761u >> 24;
	seq += payload;
	p->size = head + payload;
	set_length(p);
}

/* Make it odd. What another changes is behind `set_length`, where a checksum has to be right. */
static void make_odd(struct packet *p, enum oddity oddity)
{
	struct ip6_hdr *ip6 = (void *)p->bytes;
	struct iphdr *ip = (void *)p->bytes;
	struct tcphdr *tcp = tcp_of(p->bytes);

	switch (oddity) {
	case PUSH: tcp->psh = 1; break;
	case END: tcp->fin = 1; break;
	case CONGESTED: ((unsigned char *)tcp)[13] |= 0x40; break; /* ECE */
	case PORT: tcp->source ^= 1; break;
	case ACK: tcp->ack_seq ^= 1; break;
	case WINDOW: tcp->window ^= 1; break;
	case URGENT: tcp->urg = 1; tcp->urg_ptr = 1; break;
	case OPTION: ((unsigned char *)(tcp + 1))[OPTIONS - 1] = 0; break;
	case SERVICE: six ? (void)(ip6->ip6_flow ^= htonl(1 << 20)) : (void)(ip->tos ^= 3); break;
	case TTL: six ? ip6->ip6_hlim-- : ip->ttl--; break;
	case ID: six ? 0 : (id += 3); break;
	case FRAGMENT: six ? 0 : (ip->frag_off |= htons(0x2000)); break;
	case DATAGRAM: six ? (ip6->ip6_nxt = IPPROTO_UDP) : (ip->protocol = IPPROTO_UDP); break;
	default: break;
	}
	set_length(p);
	if (oddity == CHECKSUM && !six)
		ip->check ^= 1;
	if (oddity == CUT)
		p->size -= 7;
}

static int seal(const unsigned char *payload, int size, unsigned char *record)
{
	CHECK(send(sealer, payload, size, 0) == size);
	return recv(sealed, record, 2048, 0);
}

/* A packet, with its oddity, as records behind each other. Returns their bytes. */
static int add(enum oddity oddity, unsigned char *to)
{
	int payload = oddity == SHORTER ? PAYLOAD - 100 : oddity == LONGER ? PAYLOAD + 20 : oddity == SMALL ? 0 : PAYLOAD;
	unsigned char plain[1501] = {};
	struct packet *p = &sent[count_sent];
	int size;

	if (oddity == GAP)
		seq += 1000;
	write_packet(p, payload);
	make_odd(p, oddity);
	p->oddity = oddity;
	memcpy(plain + 1, p->bytes, p->size);
	if (oddity == CONTROL)
		plain[0] = 3;
	size = seal(plain, 1 + p->size, to);
	if (oddity == FORGED) {
		to[size - 1 - rand() % (size - 21)] ^= 1;
	} else if (oddity == CONTROL) {
		controls++;
	} else {
		count_sent++;
	}
	records++;
	if (oddity == REPLAYED) {
		memcpy(to + size, to, size);
		size *= 2;
		records++;
	}
	return size;
}

/* What the device was given, cut into the packets that it stands for. */
static void cut(unsigned char *bytes, int size, const struct virtio_net_hdr *header)
{
	int head = head_of(bytes) + tcp_of(bytes)->doff * 4, at, part;
	struct tcphdr whole = *tcp_of(bytes), *tcp;
	struct packet *p;

	if (header->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
		p = &came[count_came++];
		p->size = size;
		memcpy(p->bytes, bytes, size);
		return;
	}
	CHECK(header->gso_type == (six ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4));
	CHECK(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && header->csum_start == head_of(bytes));
	for (at = head; at < size && count_came < MOST * 4; at += part) {
		part = size - at < header->gso_size ? size - at : header->gso_size;
		p = &came[count_came++];
		p->size = head + part;
		memcpy(p->bytes, bytes, head);
		memcpy(p->bytes + head, bytes + at, part);
		tcp = tcp_of(p->bytes);
		tcp->seq = htonl(ntohl(whole.seq) + at - head);
		/* What ends a stretch stands in the last of it. */
		tcp->psh = whole.psh && at + part == size;
		tcp->fin = whole.fin && at + part == size;
		if (!six)
			((struct iphdr *)p->bytes)->id = htons(ntohs(((struct iphdr *)bytes)->id) + (at - head) / header->gso_size);
		set_length(p);
	}
}

static void collect(void)
{
	static unsigned char bytes[1 << 17];
	struct virtio_net_hdr *header = (void *)bytes;
	int size;

	if (little)
		settled(tunnel, records);
	for (count_came = 0; count_came < count_sent && readable(tap, little ? 0 : 5000);) {
		size = recv(tap, bytes, sizeof(bytes), MSG_DONTWAIT);
		CHECK(size > (int)sizeof(*header));
		cut(bytes + sizeof(*header), size - sizeof(*header), header);
	}
}

/* GRO keeps the order of a stream alone, to which no fragment belongs, and nothing whose IP header has a wrong checksum. */
static unsigned int stream_of(struct packet *p)
{
	const struct ip6_hdr *ip6 = (void *)p->bytes;
	const struct iphdr *ip = (void *)p->bytes;
	int protocol = six ? ip6->ip6_nxt : ip->protocol;

	return protocol << 17 | (!six && (ip->check != ip_sum(ip) || ip->frag_off & htons(0x2000))) << 16 | tcp_of(p->bytes)->source;
}

/* Checksums of TCP aside: nobody has computed those of packets that were cut. */
static int same(struct packet *a, struct packet *b)
{
	tcp_of(a->bytes)->check = tcp_of(b->bytes)->check = 0;
	return a->size == b->size && !memcmp(a->bytes, b->bytes, a->size);
}

static void compare(unsigned int round)
{
	int i, j;

	CHECK(little || count_came == count_sent);
	for (i = 0; i < count_came; i++) {
		for (j = 0; j < count_sent && (!sent[j].size || stream_of(&sent[j]) != stream_of(&came[i]) ||
					       (little && !same(&came[i], &sent[j]))); j++)
			;
		if (j == count_sent || !same(&came[i], &sent[j])) {
			printf("round %u, packet %d of %d: not what was sent as number %d, oddity %d\n", round, i, count_came, j,
			       j < count_sent ? sent[j].oddity : -1);
			CHECK(!"what came is what was sent");
			return;
		}
		sent[j].size = 0; /* it has come */
	}
}

static void train(unsigned int round)
{
	static unsigned char datagram[1 << 17];
	int size = 0, packets = 2 + rand() % (MOST - 2), i, got;
	unsigned char control[2048];

	count_sent = controls = 0;
	six = rand() % 2;
	port = 1024 + rand() % 1000;
	for (i = 0; i < packets && size < 60000; i++) {
		enum oddity oddity = rand() % 8 ? NONE : rand() % ODDITIES;

		size += add(oddity, datagram + size);
	}
	if (size > 65507)
		return;
	CHECK(send(lower[1], datagram, size, 0) == size);
	collect();
	compare(round);
	for (i = 0; i < controls && !little; i++) {
		got = readable(tunnel, 5000) ? recv(tunnel, control, sizeof(control), MSG_DONTWAIT) : -1;
		CHECK(got > 1 && control[0] == 3);
	}
}

static void come_up(void)
{
	struct ifreq request = { .ifr_flags = IFF_NO_PI | IFF_TUN, .ifr_name = "tun0" };
	int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK), seals[2];
	struct ktls_tunnel t = { .framing = KTLS_ANYCONNECT };
	struct sockaddr_ll address = { .sll_family = AF_PACKET };

	CHECK(!ioctl(tun, TUNSETIFF, &request));
	CHECK(!system("ip link set lo up && ip link set tun0 addrgenmode none && ip link set tun0 up"));
	pair(AF_INET, lower);
	setsockopt(lower[0], SOL_SOCKET, SO_RCVBUFFORCE, &(int){ 1 << 22 }, sizeof(int));
	setsockopt(lower[1], SOL_SOCKET, SO_SNDBUFFORCE, &(int){ 1 << 22 }, sizeof(int));
	tunnel = ready(lower[0], EPOCH, EPOCH);
	t.fd = tun;
	CHECK(!option(tunnel, KTLS_TUNNEL, &t, sizeof(t)));
	pair(AF_INET, seals);
	sealer = ready(seals[0], EPOCH, EPOCH);
	sealed = seals[1];
	tap = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	CHECK(tap >= 0 && !setsockopt(tap, SOL_PACKET, PACKET_VNET_HDR, &(int){ 1 }, sizeof(int)));
	setsockopt(tap, SOL_SOCKET, SO_RCVBUFFORCE, &(int){ 1 << 22 }, sizeof(int));
	CHECK(!ioctl(tun, TUNGETIFF, &request));
	CHECK(!ioctl(tap, SIOCGIFINDEX, &request));
	address.sll_protocol = htons(ETH_P_ALL);
	address.sll_ifindex = request.ifr_ifindex;
	CHECK(!bind(tap, (void *)&address, sizeof(address)));
}

static void set(const char *name, const char *value)
{
	char path[100];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s", name);
	fd = open(path, O_WRONLY);
	CHECK(fd >= 0 && write(fd, value, strlen(value)) > 0);
	close(fd);
}

/* Of requests that cannot wait, which are those in softirq, so many of a hundred are refused. */
static void refuse(const char *many)
{
	static const char *const kinds[] = { "failslab", "fail_page_alloc" };
	const char *const knobs[][2] = { { "verbose", "0" }, { "times", "-1" }, { "ignore-gfp-wait", "Y" }, { "probability", many } };
	char name[100];
	unsigned int i, j;

	set("fail_page_alloc/min-order", "0");
	for (i = 0; i < 2; i++) {
		for (j = 0; j < 4; j++) {
			snprintf(name, sizeof(name), "%s/%s", kinds[i], knobs[j][0]);
			set(name, knobs[j][1]);
		}
	}
}

int main(int argc, char **argv)
{
	unsigned int seed = argc > 1 ? atoi(argv[1]) : 1, rounds = argc > 2 ? atoi(argv[2]) : 300, i;
	struct ktls_stats s;

	alarm(600);
	srand(seed);
	come_up();
	little = argc > 3;
	if (little)
		refuse("10");
	for (i = 0; i < rounds && !failures; i++)
		train(i);
	if (little)
		refuse("0");
	s = stats(tunnel);
	CHECK(little == !!s.rx_errors);
	printf("runs: %llu packets, %llu forged, %llu replayed\n", s.tunnel_rx_packets, s.rx_forged, s.rx_replayed);
	CHECK(s.rx_forged && s.rx_replayed && !s.rx_malformed && !s.rx_old && !s.rx_full);
	return over("runs");
}
