// SPDX-License-Identifier: GPL-2.0-only
/*
 * tunnel: two network namespaces, a veth pair between them, a TUN device in each, whose packets the kernel carries. TCP and UDP
 * through it, also when the path becomes narrower; what is for the daemons, hostile datagrams, a device that goes, and the way back to user space. Needs NET_ADMIN and
 * SYS_ADMIN, in a network namespace of its own.
 */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "made.h"

#define PORT 4433
#define BYTES (8 << 20)

/* An end: number 1 is the one that drives, 2 the other. */
struct end {
	int number, tun, udp, ktls;
};

static char buffer[1 << 16];

static void run(const char *format, int number)
{
	char command[256];

	snprintf(command, sizeof(command), format, number, number, number);
	CHECK(!system(command));
}

static int open_tun(const char *name, int flags)
{
	struct ifreq request = { .ifr_flags = IFF_NO_PI | flags };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	CHECK(!ioctl(fd, TUNSETIFF, &request));
	return fd;
}

static struct sockaddr_in address(int network, int number, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	a.sin_addr.s_addr = htonl(10 << 24 | network << 16 | number);
	return a;
}

/* TCP through the tunnel, of either family, from the driver to the other end. */
static int listening(int six)
{
	struct sockaddr_in6 own6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	struct sockaddr_in own = address(8, 2, PORT);
	int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET6, "fd08::2", &own6.sin6_addr);
	CHECK(!(six ? bind(fd, (void *)&own6, sizeof(own6)) : bind(fd, (void *)&own, sizeof(own))));
	CHECK(!listen(fd, 1));
	return fd;
}

static int dialled(int six)
{
	struct sockaddr_in6 peer6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	struct sockaddr_in peer = address(8, 2, PORT);
	int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET6, "fd08::2", &peer6.sin6_addr);
	CHECK(!(six ? connect(fd, (void *)&peer6, sizeof(peer6)) : connect(fd, (void *)&peer, sizeof(peer))));
	return fd;
}

static int connected(int network, int number, int port, int type)
{
	struct sockaddr_in own = address(network, number, port), peer = address(network, 3 - number, port);
	int fd = socket(AF_INET, type, 0);

	CHECK(!bind(fd, (void *)&own, sizeof(own)));
	CHECK(!connect(fd, (void *)&peer, sizeof(peer)));
	return fd;
}

static int tunnel(int fd, int tun, int framing, int reserved)
{
	struct ktls_tunnel t = { .fd = tun, .framing = framing, .reserved = reserved };

	return option(fd, KTLS_TUNNEL, &t, sizeof(t));
}

/* From here no process sees the packets of the device. -1: they are the program's, as before. */
static int carry_packets(int fd, int tun)
{
	struct ktls_tunnel tunnel = { .fd = tun, .framing = KTLS_ANYCONNECT };

	return setsockopt(fd, SOL_KTLS, KTLS_TUNNEL, &tunnel, sizeof(tunnel));
}

/* Own device, UDP socket and keys; the kernel has all of them. The numbers of the ends' records differ, their key is one. */
static struct end come_up(int number)
{
	const __u64 first[] = { 0, EPOCH + 1000, EPOCH + (1ULL << 32) };
	struct end end = { .number = number };

	run("ip addr add 10.9.0.%d/24 dev wire && ip link set wire up && ip link set lo up", number);
	end.tun = open_tun("tun0", IFF_TUN | IFF_VNET_HDR);
	CHECK(!ioctl(end.tun, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6));
	run("ip link set tun0 addrgenmode none && ip addr add 10.8.0.%d/24 dev tun0 && ip addr add fd08::%d/64 dev tun0 nodad && ip link set tun0 mtu 1400 up", number);
	end.udp = connected(9, number, PORT, SOCK_DGRAM);
	setsockopt(end.udp, SOL_SOCKET, SO_SNDBUFFORCE, &(int){ 1 << 22 }, sizeof(int));
	setsockopt(end.udp, SOL_SOCKET, SO_RCVBUFFORCE, &(int){ 1 << 22 }, sizeof(int));
	end.ktls = ready(end.udp, first[number], first[3 - number]);
	CHECK(!carry_packets(end.ktls, end.tun));
	return end;
}

static unsigned char pattern(size_t position)
{
	return (position * 2654435761u) >> 24;
}

static void send_bytes(int fd)
{
	size_t sent = 0, i;

	while (sent < BYTES) {
		for (i = 0; i < sizeof(buffer); i++)
			buffer[i] = pattern(sent + i);
		CHECK(send(fd, buffer, sizeof(buffer), 0) == sizeof(buffer));
		sent += sizeof(buffer);
	}
	shutdown(fd, SHUT_WR);
}

static void receive_bytes(int fd)
{
	size_t got = 0;
	int size, i, same = 1;

	while ((size = recv(fd, buffer, sizeof(buffer), 0)) > 0) {
		for (i = 0; i < size; i++)
			same &= (unsigned char)buffer[i] == pattern(got + i);
		got += size;
	}
	CHECK(!size && same && got == BYTES);
}

/* The device goes: the daemon hears of it, and has the packets that still come. */
static void lose_device(struct end *end)
{
	int error = 0;
	socklen_t length = sizeof(error);

	run("grep -q ' AES-128-GCM 4433 4433 tun0 ' /proc/net/ktls", 0);
	run("ip link del tun0", 0);
	CHECK(!getsockopt(end->ktls, SOL_SOCKET, SO_ERROR, &error, &length) && error == ENODEV);
	FAILS(tunnel(end->ktls, end->tun, KTLS_ANYCONNECT, 0), EALREADY);
	run("grep -q ' AES-128-GCM 4433 4433 - ' /proc/net/ktls", 0);
}

/* Trains: fewer than packets. Half of these may be acknowledgements, each by itself, where a kernel takes its time. */
static void in_trains(const struct end *end)
{
	struct ktls_stats s = stats(end->ktls);

	CHECK(s.tunnel_tx_bytes > BYTES && s.tunnel_rx_bytes > BYTES);
	CHECK(s.tunnel_rx_trains < s.tunnel_rx_packets / 4 * 3 && s.tunnel_tx_trains < s.tunnel_tx_packets / 4 * 3);
}

/* The other end: TCP there and back, then UDP as it comes, until the driver closes its end of the pipe. */
static int other(int from, int to)
{
	struct sockaddr_in own = address(8, 2, PORT), peer;
	socklen_t length = sizeof(peer);
	int listener[2], fd, size, i;
	struct ktls_stats s;
	struct end end;
	char word;

	CHECK(!unshare(CLONE_NEWNET));
	CHECK(write(to, "n", 1) == 1 && read(from, &word, 1) == 1);
	end = come_up(2);
	for (i = 0; i < 2; i++)
		listener[i] = listening(i);
	CHECK(write(to, "l", 1) == 1);
	for (i = 0; i < 4; i++) {
		fd = accept(listener[i % 2], NULL, NULL);
		if (i == 2)
			in_trains(&end);
		receive_bytes(fd);
		send_bytes(fd);
		close(fd);
		CHECK(read(from, &word, 1) == 1);
		if (i == 1)
			run("ip link set wire mtu 1300", 0);
		CHECK(write(to, "n", 1) == 1);
	}
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(!bind(fd, (void *)&own, sizeof(own)));
	CHECK(write(to, "u", 1) == 1);
	while (readable(fd, 10000) && (size = recvfrom(fd, buffer, sizeof(buffer), 0, (void *)&peer, &length)) > 1)
		CHECK(sendto(fd, buffer, size, 0, (void *)&peer, length) == size);
	/* What is not a packet, in the order in which it was sent. */
	CHECK(readable(end.ktls, 5000));
	for (size = 0; size < 3; size++) {
		char control[CMSG_SPACE(1)], data[64];
		struct iovec iov = { data, sizeof(data) };
		struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
		int got = readable(end.ktls, 5000) ? recvmsg(end.ktls, &message, MSG_DONTWAIT) : -1;
		int type = got < 0 || !CMSG_FIRSTHDR(&message) ? -1 : *(unsigned char *)CMSG_DATA(CMSG_FIRSTHDR(&message));

		CHECK(size == 0 ? got == 4 && type == 23 && data[0] == 3 :
		      size == 1 ? got == 15 && type == KTLS_RAW && data[0] == 22 && data[14] == 'h' :
				  got == 2 && type == 21 && data[0] == 2);
	}
	CHECK(read(from, &word, 1) == 1);
	s = stats(end.ktls);
	CHECK(s.rx_forged == 2 && s.rx_replayed == 1 && s.rx_passed == 1 && s.tunnel_rx_stale == 1);
	CHECK(s.tunnel_rx_dropped == 1 && !s.rx_errors && !s.tx_errors && !s.tunnel_tx_dropped);
	lose_device(&end);
	CHECK(write(to, "s", 1) == 1);
	CHECK(readable(end.ktls, 5000) && recv(end.ktls, buffer, sizeof(buffer), 0) == 1 + 28 + 5 && !buffer[0]);
	CHECK(!read(from, &word, 1));
	return failures != 0;
}

static void refused(void)
{
	int tap = open_tun("tap0", IFF_TAP), several = open_tun("many0", IFF_TUN | IFF_MULTI_QUEUE), fds[2], fd;
	int second = open_tun("many0", IFF_TUN | IFF_MULTI_QUEUE), stream = socket(AF_KTLS, SOCK_STREAM, 0);

	pair(AF_INET, fds);
	fd = socket(AF_KTLS, SOCK_DGRAM, 0);
	FAILS(tunnel(fd, tap, KTLS_ANYCONNECT, 0), ENOTCONN);
	CHECK(!attach(fd, fds[0], KTLS_DTLS_1_2, KTLS_AES_GCM_128));
	FAILS(tunnel(fd, tap, KTLS_ANYCONNECT, 0), ENOKEY);
	close(fd);
	fd = ready(fds[1], EPOCH, EPOCH);
	FAILS(tunnel(fd, tap, 0, 0), EINVAL);
	FAILS(tunnel(fd, tap, KTLS_ANYCONNECT, 1), EINVAL);
	FAILS(tunnel(fd, -2, KTLS_ANYCONNECT, 0), EINVAL);
	FAILS(tunnel(fd, -1, KTLS_ANYCONNECT, 0), ENODEV);
	FAILS(tunnel(fd, 999, KTLS_ANYCONNECT, 0), EBADF);
	FAILS(tunnel(fd, fds[0], KTLS_ANYCONNECT, 0), ENODEV);
	FAILS(tunnel(fd, tap, KTLS_ANYCONNECT, 0), EPROTOTYPE);
	FAILS(tunnel(fd, several, KTLS_ANYCONNECT, 0), EOPNOTSUPP);
	FAILS(tunnel(stream, tap, KTLS_ANYCONNECT, 0), EOPNOTSUPP);
	close(fd);
	close(stream);
	close(tap);
	close(several);
	close(second);
}

/* A record as it stands on the wire, made by a socket that has the same key. */
static int made(__u64 seq, const void *payload, int size, int type, unsigned char *record)
{
	char control[CMSG_SPACE(1)] = {};
	struct iovec iov = { (void *)payload, size };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int fds[2], fd, got;

	header->cmsg_level = SOL_KTLS;
	header->cmsg_type = KTLS_RECORD_TYPE;
	header->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(header) = type;
	pair(AF_INET, fds);
	fd = ready(fds[0], seq, EPOCH);
	CHECK(sendmsg(fd, &message, 0) == size);
	got = recv(fds[1], record, 2048, 0);
	close(fd);
	close(fds[0]);
	close(fds[1]);
	return got;
}

/* To the other end past its tunnel's own sender: forged; replayed; no packet; another epoch's; the library's; an alert. */
static void hostile(struct end *end)
{
	const unsigned char over[] = { 22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 'n', 'o' };
	const unsigned char hello[] = { 22, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 9, 0, 2, 'o', 'h' };
	unsigned char record[2048], train[3 * 2048];
	__u64 next = sequences(end->ktls).tx + 400; /* within the window of those that still come */
	int size, i;

	CHECK(send(end->ktls, "\3dpd", 4, 0) == 4);
	CHECK(send(end->udp, over, sizeof(over), 0) == sizeof(over));
	CHECK(send(end->udp, hello, sizeof(hello), 0) == sizeof(hello));
	size = made(next, "\2\0", 2, 21, record);
	CHECK(send(end->udp, record, size, 0) == size);
	CHECK(send(end->udp, record, size, 0) == size);
	record[size - 1] ^= 1;
	record[10]++;
	CHECK(send(end->udp, record, size, 0) == size);
	/* Two good ones around a bad one: no packets, so one of them is counted as that; the other is the alert's twin. */
	for (i = 0; i < 3; i++)
		size = made(next + 10 + i, "\0none", 5, 23, train + i * size);
	train[size + 20] ^= 1;
	setsockopt(end->udp, SOL_SOCKET, SO_NO_CHECK, &(int){ 0 }, sizeof(int));
	for (i = 0; i < 2; i++)
		CHECK(send(end->udp, train + i * size, size, 0) == size);
}

static void drive(int from, int to, pid_t pid)
{
	struct sockaddr_in peer = address(8, 2, PORT);
	int fd, i, status;
	struct ktls_stats s;
	struct end end;
	char word;

	CHECK(read(from, &word, 1) == 1);
	run("ip link add wire type veth peer name wire netns %d", pid);
	CHECK(write(to, "w", 1) == 1);
	end = come_up(1);
	FAILS(tunnel(end.ktls, end.tun, KTLS_ANYCONNECT, 0), EALREADY);
	CHECK(read(from, &word, 1) == 1);
	for (i = 0; i < 4; i++) {
		fd = dialled(i % 2);
		send_bytes(fd);
		receive_bytes(fd);
		close(fd);
		if (i == 1) {
			/* From here each record leaves in two fragments. */
			in_trains(&end);
			run("ip link set wire mtu 1300", 0);
		}
		CHECK(write(to, "t", 1) == 1 && read(from, &word, 1) == 1);
	}
	CHECK(read(from, &word, 1) == 1);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(!connect(fd, (void *)&peer, sizeof(peer)));
	for (i = 0; i < 64; i++) {
		int size = 2 + i * 20;

		CHECK(send(fd, buffer, size, 0) == size);
		CHECK(readable(fd, 5000) && recv(fd, buffer, sizeof(buffer), 0) == size);
	}
	CHECK(send(fd, "", 1, 0) == 1);
	hostile(&end);
	CHECK(write(to, "c", 1) == 1);
	CHECK(read(from, &word, 1) == 1 && word == 's');
	s = stats(end.ktls);
	CHECK(!s.rx_errors && !s.tx_errors && !s.tunnel_tx_dropped && !s.tunnel_rx_dropped && !s.rx_forged);
	CHECK(send(fd, "after", 5, 0) == 5);
	/* To the daemon again: what leaves by the device is read from its descriptor. */
	CHECK(!tunnel(end.ktls, -1, KTLS_ANYCONNECT, 0));
	CHECK(send(fd, "packet", 6, 0) == 6);
	CHECK(readable(end.tun, 5000) && read(end.tun, buffer, sizeof(buffer)) == 10 + 28 + 6);
	close(to);
	CHECK(waitpid(pid, &status, 0) == pid && !status);
	close(end.ktls);
	close(end.udp);
	close(end.tun);
}

int main(void)
{
	int there[2], back[2];
	pid_t pid;

	alarm(600); /* a kernel that watches everything takes its time */
	refused();
	CHECK(!pipe(there) && !pipe(back));
	pid = fork();
	if (!pid) {
		close(there[1]);
		close(back[0]);
		alarm(600); /* a kernel that watches everything takes its time */
		_exit(other(there[0], back[1]));
	}
	close(there[0]);
	close(back[1]);
	drive(back[0], there[1], pid);
	return over("tunnel");
}
