// SPDX-License-Identifier: GPL-2.0-only
/*
 * want: every call again and again, with its first, its second, … request for memory refused, until none is left to
 * refuse; then records that come while there is little. Needs root, debugfs, and a kernel that injects faults
 * (FAILSLAB, FAIL_PAGE_ALLOC, FAULT_INJECTION_USERCOPY; Documentation/fault-injection/fault-injection.rst).
 */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>

#include "made.h"

#define MOST 2000
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FAULTS "/sys/kernel/debug/"

struct ends {
	int lower[2], a, b, file, pipes[2], poll, tun;
	__u16 version;
};

struct trial {
	const char *name;
	void (*before)(struct ends *e);
	long (*call)(struct ends *e);
	void (*after)(struct ends *e, long result);
};

static unsigned char out[KTLS_MAX_PAYLOAD], in[1 << 17];
static int nth;

static void set(const char *name, const char *value)
{
	int fd = open(name, O_WRONLY);

	if (fd < 0 || write(fd, value, strlen(value)) < 0) {
		perror(name);
		exit(2);
	}
	close(fd);
}

/* From here on the n-th request of this thread is refused; 0: none. To say so takes one itself. */
static void refuse(int n)
{
	char text[20];
	int tries = 0;

	snprintf(text, sizeof(text), "%d", n);
	while (pwrite(nth, text, strlen(text), 0) < 0 && tries < 3)
		tries++;
	CHECK(tries < 3);
}

/* Whether that has been; if it has not, reading may be the one. */
static int refused(void)
{
	char text[20] = {};

	return pread(nth, text, sizeof(text) - 1, 0) > 0 && atoi(text) == 0;
}

static int stream(const struct ends *e)
{
	return e->version != KTLS_DTLS_1_2;
}

static int made(const struct ends *e)
{
	return socket(AF_KTLS, stream(e) ? SOCK_STREAM : SOCK_DGRAM, 0);
}

static long keys_set(int fd)
{
	struct ktls_keys keys = { the_key(EPOCH), the_key(EPOCH) };

	return option(fd, KTLS_KEYS, &keys, sizeof(keys));
}

static long enable(int fd)
{
	__u64 floor = EPOCH;

	return option(fd, KTLS_RX_ENABLE, &floor, sizeof(floor));
}

/* How far an end is before a trial. */
static void made_a(struct ends *e)	{ CHECK((e->a = made(e)) >= 0); }
static void attached_a(struct ends *e)	{ made_a(e); CHECK(!attach(e->a, e->lower[0], e->version, KTLS_AES_GCM_128)); }
static void keyed_a(struct ends *e)	{ attached_a(e); CHECK(!keys_set(e->a)); }

static void ready_b(struct ends *e)
{
	CHECK((e->b = made(e)) >= 0);
	CHECK(!attach(e->b, e->lower[1], e->version, KTLS_AES_GCM_128) && !keys_set(e->b));
	CHECK(stream(e) || !enable(e->b));
}

static void both(struct ends *e)
{
	keyed_a(e);
	CHECK(stream(e) || !enable(e->a));
	ready_b(e);
}

static void held(struct ends *e)
{
	int i;

	keyed_a(e);
	ready_b(e);
	for (i = 0; i < 3; i++)
		CHECK(send(e->b, out, 1400, 0) == 1400);
}

static void waiting(struct ends *e)
{
	both(e);
	CHECK(send(e->b, out, 1400, 0) == 1400 && readable(e->a, 5000));
}

static void small(struct ends *e)
{
	__u32 size = 1400;

	both(e);
	CHECK(!option(e->a, KTLS_RECORD_SIZE, &size, sizeof(size)));
}

/* A device whose packets could be carried. */
static void beside_tun(struct ends *e)
{
	struct ifreq request = { .ifr_flags = IFF_NO_PI | IFF_TUN };

	both(e);
	e->tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	CHECK(e->tun >= 0 && !ioctl(e->tun, TUNSETIFF, &request));
}

static long call_socket(struct ends *e)	{ return e->a = made(e); }
static long call_attach(struct ends *e)	{ return attach(e->a, e->lower[0], e->version, KTLS_AES_GCM_128); }
static long call_keys(struct ends *e)	{ return keys_set(e->a); }
static long call_enable(struct ends *e)	{ return enable(e->a); }
static long call_send(struct ends *e)	{ return send(e->a, out, 1400, 0); }
static long call_most(struct ends *e)	{ return send(e->a, out, KTLS_MAX_PAYLOAD, 0); }
static long call_file(struct ends *e)	{ return sendfile(e->a, e->file, NULL, 10000); }
static long call_recv(struct ends *e)	{ return recv(e->a, in, sizeof(in), MSG_DONTWAIT); }
static long call_splice(struct ends *e)	{ return splice(e->a, NULL, e->pipes[1], NULL, 1400, SPLICE_F_NONBLOCK); }
static long call_detach(struct ends *e)	{ return option(e->a, KTLS_DETACH, NULL, 0); }

static long call_tunnel(struct ends *e)
{
	struct ktls_tunnel tunnel = { .fd = e->tun, .framing = KTLS_ANYCONNECT };

	return option(e->a, KTLS_TUNNEL, &tunnel, sizeof(tunnel));
}

static long call_info(struct ends *e)
{
	struct ktls_info info;
	socklen_t length = sizeof(info);

	return getsockopt(e->a, SOL_KTLS, KTLS_INFO, &info, &length);
}

static long call_poll(struct ends *e)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(e->poll, EPOLL_CTL_ADD, e->a, &event);
}

/* Both ways, as if nothing had been. What was refused may have used a number. */
static void works(struct ends *e)
{
	int fds[2] = { e->a, e->b }, i;

	for (i = 0; i < 2; i++) {
		while (recv(fds[!i], in, sizeof(in), MSG_DONTWAIT) >= 0)
			;
		memset(in, 0, 999);
		CHECK(send(fds[i], out, 999, 0) == 999);
		CHECK(next_record(fds[!i], in, sizeof(in), 0) == 999 && !memcmp(in, out, 999));
	}
}

static void go_on(struct ends *e, long result)
{
	if (stream(e))
		return;
	if (result < 0 && e->a < 0)
		made_a(e);
	call_attach(e);
	keys_set(e->a);
	enable(e->a);
	ready_b(e);
	works(e);
}

/*
 * What was taken comes, and no more than that. The kernel's TLS gives a stream up that it had no memory for: then there
 * is nothing to go on with.
 */
static void arrives(struct ends *e, long result)
{
	long got = 0, n;

	while (got < result && readable(e->b, 5000) && (n = recv(e->b, in + got, sizeof(in) - got, 0)) > 0)
		got += n;
	CHECK(got == (result > 0 ? result : 0) && !memcmp(in, out, got));
	if (stream(e))
		return;
	FAILS(recv(e->b, in, sizeof(in), MSG_DONTWAIT), EAGAIN);
	works(e);
}

/* What was not read is there still. */
static void reads(struct ends *e, long result)
{
	long got = result > 0 ? result : 0;

	if (!stream(e) && got < 1400)
		got += recv(e->a, in + got, sizeof(in) - got, MSG_DONTWAIT);
	CHECK((got == 1400 || (stream(e) && result < 0)) && !memcmp(in, out, got));
	if (!stream(e))
		works(e);
}

static void spliced(struct ends *e, long result)
{
	CHECK(result < 0 || read(e->pipes[0], in, result) == result);
	reads(e, result);
}

/* Held records for which there was none are counted, the rest has come. */
static void counted(struct ends *e, long result)
{
	struct ktls_stats s;

	if (result < 0)
		CHECK(!enable(e->a));
	s = settled(e->a, 3);
	CHECK(s.rx_records + s.rx_errors == 3);
	works(e);
}

/* The daemon has its packets if the kernel does not. */
static void carried(struct ends *e, long result)
{
	if (result < 0)
		works(e);
	else
		FAILS(call_tunnel(e), EALREADY);
}

static void nothing(struct ends *e, long result)
{
	(void)e;
	(void)result;
}

static const struct trial trials[] = {
	{ "socket", NULL, call_socket, go_on },
	{ "attach", made_a, call_attach, go_on },
	{ "keys", attached_a, call_keys, go_on },
	{ "send 1400", both, call_send, arrives },
	{ "send 16384", both, call_most, arrives },
	{ "sendfile", small, call_file, arrives },
	{ "recv", waiting, call_recv, reads },
	{ "splice", waiting, call_splice, spliced },
	{ "info", both, call_info, arrives },
	{ "epoll", both, call_poll, arrives },
};

static const struct trial of_datagrams[] = {
	{ "enable", held, call_enable, counted },
	{ "tunnel", beside_tun, call_tunnel, carried },
	{ "detach", both, call_detach, nothing },
};

/* Documented: no memory, no room; a pointer that could not be followed; no file for a socket; a stream given up. */
static int documented(const struct ends *e, int error)
{
	return error == ENOMEM || error == ENOBUFS || error == EFAULT || (e->a < 0 && error == ENFILE) ||
	       (stream(e) && error == EBADMSG);
}

/* With its n-th request refused; returns whether it has so many. */
static int one(const struct trial *trial, __u16 version, int n)
{
	struct ends e = { .a = -1, .b = -1, .tun = -1, .version = version };
	int *all[] = { &e.a, &e.b, &e.tun, &e.file, &e.pipes[0], &e.pipes[1], &e.poll, &e.lower[0], &e.lower[1] }, error, was;
	unsigned int i;
	long result;

	if (stream(&e))
		stream_pair(AF_INET, e.lower);
	else
		pair(AF_INET, e.lower);
	CHECK(!pipe(e.pipes) && (e.poll = epoll_create1(0)) >= 0);
	CHECK((e.file = open("/tmp", O_TMPFILE | O_RDWR, 0600)) >= 0);
	CHECK(write(e.file, out, 10000) == 10000 && !lseek(e.file, 0, SEEK_SET));
	if (trial->before)
		trial->before(&e);
	refuse(n);
	errno = 0;
	result = trial->call(&e);
	error = errno;
	was = refused();
	refuse(0);
	if (result < 0 && !documented(&e, error))
		printf("%s, request %d: %s\n", trial->name, n, strerror(error));
	CHECK(was ? result >= 0 || documented(&e, error) : result >= 0);
	trial->after(&e, result);
	for (i = 0; i < COUNT(all); i++)
		if (*all[i] >= 0)
			close(*all[i]);
	return was;
}

static void each(const char *name, const struct trial *trial, unsigned int count, __u16 version)
{
	int n;

	for (; count--; trial++) {
		for (n = 1; n < MOST && one(trial, version, n); n++)
			;
		CHECK(n > 1 && n < MOST);
		printf("%s %s: %d requests, each refused once\n", name, trial->name, n - 1);
		fflush(stdout);
	}
}

/* Who receives cannot wait for memory: of such requests every fifth is refused, while records come. */
static void little(void)
{
	int fds[2], a, b, i, n, got = 0;
	struct ktls_stats s;

	pair(AF_INET, fds);
	a = ready(fds[0], EPOCH, EPOCH);
	b = ready(fds[1], EPOCH, EPOCH);
	set(FAULTS "failslab/ignore-gfp-wait", "Y");
	set(FAULTS "fail_page_alloc/ignore-gfp-wait", "Y");
	set(FAULTS "failslab/probability", "20");
	set(FAULTS "fail_page_alloc/probability", "20");
	for (i = 0; i < 1000; i++) {
		memcpy(out, &i, sizeof(i));
		CHECK(send(a, out, i % 2 ? 1400 : 9000, 0) > 0 || errno == ENOMEM || errno == ENOBUFS);
		while ((n = recv(b, in, sizeof(in), MSG_DONTWAIT)) > 0) {
			CHECK(n == (in[0] % 2 ? 1400 : 9000) && !memcmp(in + 4, out + 4, n - 4));
			got++;
		}
	}
	set(FAULTS "failslab/probability", "0");
	set(FAULTS "fail_page_alloc/probability", "0");
	while (next_record(b, in, sizeof(in), 0) > 0)
		got++;
	s = stats(b);
	printf("little: of 1000 records %d came, %llu were counted as lost by us, the rest is UDP's\n", got, s.rx_errors);
	CHECK((unsigned long long)got == s.rx_records && s.rx_records + s.rx_errors <= 1000);
	CHECK(got > 0 && s.rx_errors > 0);
	CHECK(!s.rx_forged && !s.rx_malformed && !s.rx_replayed && !s.rx_old && !s.rx_passed);
	CHECK(send(a, out, 1400, 0) == 1400 && next_record(b, in, sizeof(in), 0) == 1400);
	close(a);
	close(b);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	static const char *const files[] = { FAULTS "failslab/", FAULTS "fail_page_alloc/", FAULTS "fail_usercopy/" };
	char name[100];
	unsigned int i;

	alarm(1800);
	for (i = 0; i < COUNT(files); i++) {
		snprintf(name, sizeof(name), "%sverbose", files[i]);
		set(name, "0");
		snprintf(name, sizeof(name), "%stimes", files[i]);
		set(name, "-1");
	}
	set(FAULTS "failslab/ignore-gfp-wait", "N");
	set(FAULTS "fail_page_alloc/ignore-gfp-wait", "N");
	set(FAULTS "fail_page_alloc/ignore-gfp-highmem", "N");
	set(FAULTS "fail_page_alloc/min-order", "0");
	nth = open("/proc/self/fail-nth", O_RDWR);
	if (nth < 0) {
		perror("/proc/self/fail-nth");
		return 2;
	}
	for (i = 0; i < sizeof(out); i++)
		out[i] = rand();
	each("dtls", trials, COUNT(trials), KTLS_DTLS_1_2);
	each("dtls", of_datagrams, COUNT(of_datagrams), KTLS_DTLS_1_2);
	each("tls1.2", trials, COUNT(trials), KTLS_TLS_1_2);
	little();
	return over("want");
}
