// SPDX-License-Identifier: GPL-2.0-only
/*
 * reconnect [SECONDS [MAPPED]]: the UDP socket goes from peer to peer, an IPv4-mapped one and one of
 * IPv6, while records are sent, as nobody in particular. Whatever route it remembers, a record leaves
 * for the peer of one moment, or not at all; and the kernel lives.
 *
 * A route to the broadcast address is an object of its own, and so are its neighbours: an IPv4 route
 * that is taken for IPv6's is read beyond its end. Where the kernel survives that, as it may without
 * slub_debug, a packet of IPv6 has gone IPv4's way, and is counted where it arrives: by version.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <sys/resource.h>

#include "made.h"

#define AROUND 400

static struct sockaddr_in6 mapped, six;
static volatile int over_now;
static int lower, fd, receivers[2];

/* Packets of another version than the link says, as the network name space counts them. */
static unsigned long long confused(void)
{
	FILE *file = fopen("/proc/net/snmp", "r");
	unsigned long long four = 0, six_errors = 0;
	char line[1000];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Ip: %*u %*u %*u %llu", &four) == 1)
			break;
	CHECK(file && !fclose(file));
	file = fopen("/proc/net/snmp6", "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Ip6InHdrErrors %llu", &six_errors) == 1)
			break;
	CHECK(file && !fclose(file));
	return four + six_errors;
}

static void around(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(7777) };
	int i;

	address.sin_addr.s_addr = htonl(0x7fffffff);
	for (i = 0; i < AROUND; i++) {
		int udp = socket(AF_INET, SOCK_DGRAM, 0);

		CHECK(!setsockopt(udp, SOL_SOCKET, SO_BROADCAST, &(int){ 1 }, sizeof(int)));
		CHECK(!connect(udp, (void *)&address, sizeof(address)));
	}
}

static void *sends(void *unused)
{
	char record[100] = {};

	while (!over_now)
		send(fd, record, sizeof(record), MSG_DONTWAIT | MSG_NOSIGNAL);
	return unused;
}

static void *reconnects(void *unused)
{
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	unsigned int i;

	for (i = 0; !over_now; i++) {
		connect(lower, (void *)&six, sizeof(six));
		if (i % 16 == 15)
			connect(lower, &nobody, sizeof(nobody));
		connect(lower, (void *)&mapped, sizeof(mapped));
	}
	return unused;
}

int main(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : 10, i;
	const char *peer = argc > 2 ? argv[2] : "::ffff:127.255.255.255";
	struct rlimit limit = { 2 * AROUND + 100, 2 * AROUND + 100 };
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	struct ktls_key key = the_key(EPOCH);
	struct sockaddr_storage address;
	socklen_t length;
	unsigned long long before = confused();
	pthread_t threads[3];
	char record[200];

	alarm(seconds + 120);
	CHECK(!setrlimit(RLIMIT_NOFILE, &limit));
	receivers[0] = bound(AF_INET6, SOCK_DGRAM, &address, &length);
	six = *(struct sockaddr_in6 *)&address;
	mapped = six;
	CHECK(inet_pton(AF_INET6, peer, &mapped.sin6_addr) == 1);
	lower = socket(AF_INET6, SOCK_DGRAM, 0);
	CHECK(!setsockopt(lower, SOL_SOCKET, SO_BROADCAST, &(int){ 1 }, sizeof(int)));
	around();
	CHECK(!connect(lower, (void *)&mapped, sizeof(mapped)));
	around();
	fd = socket(AF_KTLS, SOCK_DGRAM, 0);
	CHECK(!attach(fd, lower, KTLS_DTLS_1_2, KTLS_AES_GCM_128));
	CHECK(!option(fd, KTLS_TX_KEY, &key, sizeof(key)));
	for (i = 0; i < 3; i++)
		CHECK(!pthread_create(&threads[i], NULL, i < 2 ? sends : reconnects, NULL));
	sleep(seconds);
	over_now = 1;
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	/* And it is as good as new. */
	CHECK(!connect(lower, &nobody, sizeof(nobody)));
	CHECK(!connect(lower, (void *)&six, sizeof(six)) || errno == EAFNOSUPPORT);
	while (recv(receivers[0], record, sizeof(record), MSG_DONTWAIT) >= 0)
		;
	printf("%llu sent, %llu not\n", stats(fd).tx_records, stats(fd).tx_errors);
	CHECK(stats(fd).tx_records > 0);
	CHECK(confused() == before);
	return over("reconnect");
}
