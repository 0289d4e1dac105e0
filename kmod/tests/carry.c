// SPDX-License-Identifier: GPL-2.0-only
/*
 * carry receive|send OWN PEER [COUNT] [nocheck]
 *
 * Records whose bytes follow from their number, from one machine to another, over whatever the network makes of them.
 * What arrives is compared byte for byte, nothing may arrive twice, and everything that did not is accounted for. The
 * receiver ends when for two seconds nothing came; it says `ready` when the other may begin, and prints its counts as
 * `name=value`.
 */
#include <net/if.h>

#include "made.h"

#define PORT 5684
#define MOST (1 << 17)

static unsigned char record[KTLS_MAX_PAYLOAD], in[KTLS_MAX_PAYLOAD + 1], seen[MOST];

/* Of record `number`: its length, its bytes. Most fit a link's MTU, some are cut into fragments. */
static int make(unsigned int number)
{
	unsigned int state = number * 2654435761u + 1, size, i;

	size = number % 16 ? 4 + state % 1397 : 1500 + state % 7000;
	memcpy(record, &number, 4);
	for (i = 4; i < size; i++) {
		state = state * 1103515245u + 12345;
		record[i] = state >> 16;
	}
	return size;
}

/* A connected UDP socket between the two addresses, IPv4 or IPv6; waits until the address is there. */
static int link_up(const char *own, const char *peer)
{
	struct sockaddr_in6 v6[2] = { { .sin6_family = AF_INET6, .sin6_port = htons(PORT) },
				      { .sin6_family = AF_INET6, .sin6_port = htons(PORT) } };
	struct sockaddr_in v4[2] = { { .sin_family = AF_INET, .sin_port = htons(PORT) },
				     { .sin_family = AF_INET, .sin_port = htons(PORT) } };
	int six = strchr(own, ':') != NULL, fd = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM, 0), i;

	inet_pton(AF_INET, own, &v4[0].sin_addr);
	inet_pton(AF_INET, peer, &v4[1].sin_addr);
	inet_pton(AF_INET6, own, &v6[0].sin6_addr);
	inet_pton(AF_INET6, peer, &v6[1].sin6_addr);
	for (i = 0; i < 200; i++) {
		if (!(six ? bind(fd, (void *)&v6[0], sizeof(v6[0])) : bind(fd, (void *)&v4[0], sizeof(v4[0]))))
			break;
		poll(NULL, 0, 50);
	}
	if (six ? connect(fd, (void *)&v6[1], sizeof(v6[1])) : connect(fd, (void *)&v4[1], sizeof(v4[1]))) {
		perror("link_up");
		exit(2);
	}
	return fd;
}

static int receive(int fd)
{
	unsigned int number, wrong = 0, twice = 0, late = 0, greatest = 0, got = 0;
	struct ktls_stats s;
	int n;

	/* The first may take its time: the other end has to come up. */
	while (readable(fd, got ? 2000 : 20000) && (n = recv(fd, in, sizeof(in), MSG_DONTWAIT)) >= 0) {
		memcpy(&number, in, 4);
		if (n < 4 || number >= MOST || n != make(number) || memcmp(in, record, n)) {
			wrong++;
			continue;
		}
		twice += seen[number];
		seen[number] = 1;
		late += number < greatest;
		greatest = number > greatest ? number : greatest;
		got++;
	}
	s = stats(fd);
	printf("got=%u wrong=%u twice=%u late=%u ", got, wrong, twice, late);
	printf("forged=%llu replayed=%llu old=%llu malformed=%llu ", s.rx_forged, s.rx_replayed, s.rx_old, s.rx_malformed);
	printf("full=%llu errors=%llu passed=%llu\n", s.rx_full, s.rx_errors, s.rx_passed);
	return wrong || twice;
}

/* Without waiting for room, so that a full queue is met: what was refused comes again, and has used no number. */
static int send_all(int fd, unsigned int count)
{
	unsigned int number, refused = 0;
	struct ktls_stats s;

	for (number = 0; number < count;) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		int size = make(number);

		if (send(fd, record, size, MSG_DONTWAIT) == size) {
			number++;
			continue;
		}
		if (errno != EAGAIN) {
			perror("send");
			return 1;
		}
		refused++;
		poll(&p, 1, 1000);
	}
	s = stats(fd);
	printf("sent=%llu errors=%llu refused=%u next=%llu\n", s.tx_records, s.tx_errors, refused,
	       sequences(fd).tx - EPOCH);
	return s.tx_records != count || s.tx_errors || sequences(fd).tx != EPOCH + count;
}

int main(int argc, char **argv)
{
	int lower, fd, room = 1 << 22;
	__u32 size = KTLS_MAX_PAYLOAD;

	alarm(120);
	if (argc < 4)
		return 2;
	lower = link_up(argv[2], argv[3]);
	if (argc > 5 && setsockopt(lower, SOL_SOCKET, SO_NO_CHECK, &(int){ 1 }, sizeof(int)))
		perror("nocheck");
	fd = ready(lower, EPOCH, EPOCH);
	option(fd, KTLS_RECORD_SIZE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (failures)
		return 2;
	if (argv[1][0] == 'r')
		puts("ready");
	fflush(stdout);
	return argv[1][0] == 'r' ? receive(fd) : send_all(fd, argc > 4 ? atoi(argv[4]) : 1000);
}
