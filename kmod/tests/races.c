// SPDX-License-Identifier: GPL-2.0-only
/*
 * races SECONDS SEED: everything at once, over and over. Threads attach to one UDP socket, set keys, send, receive,
 * ask, detach and close while others do, and somebody sends rubbish from the other side. One attachment wins, one key
 * is set; nothing else is promised but that nothing breaks: the kernel's log is read afterwards.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/sendfile.h>
#include <sys/time.h>

#include "made.h"

#define THREADS 6

static int lower[2], shared[THREADS], winner, file, begin_with;
static _Atomic int attached, keyed, enabled, stop;
static _Atomic unsigned long long calls;
static pthread_barrier_t barrier;

static void one_call(int fd, unsigned int *seed)
{
	char buffer[3000];
	struct ktls_stats s;
	struct ktls_sequences q;
	socklen_t length = sizeof(s);
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	calls++;
	switch (rand_r(seed) % 9) {
	case 0:
	case 1: send(fd, buffer, rand_r(seed) % sizeof(buffer), MSG_DONTWAIT | MSG_NOSIGNAL); break;
	case 2: recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT); break;
	case 3: recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT | MSG_PEEK); break;
	case 4: getsockopt(fd, SOL_KTLS, KTLS_STATS, &s, &length); break;
	case 5: length = sizeof(q); getsockopt(fd, SOL_KTLS, KTLS_SEQUENCES, &q, &length); break;
	case 6: poll(&p, 1, 0); break;
	case 7: sendfile(fd, file, NULL, 5000); lseek(file, 0, SEEK_SET); break;
	case 8:
		/* The other side, by hand: rubbish that looks like records of the epoch. */
		memset(buffer, rand_r(seed), sizeof(buffer));
		memcpy(buffer, "\x17\xfe\xfd\0\1\0\0\0\0\0\7\0\x40", 13);
		send(lower[1], buffer, 13 + 64 + rand_r(seed) % 2, MSG_DONTWAIT);
		break;
	}
}

static void *worker(void *argument)
{
	struct ktls_keys keys = { the_key(EPOCH), the_key(EPOCH) };
	long me = (long)argument;
	unsigned int seed = me * 7919 + begin_with, i;
	__u64 floor = EPOCH;
	int failed;

	while (1) {
		pthread_barrier_wait(&barrier);
		if (stop)
			return NULL;
		/* Each with a socket of its own: one of them gets the UDP socket. */
		failed = attach(shared[me], lower[0], KTLS_DTLS_1_2, KTLS_AES_GCM_128) ? errno : 0;
		CHECK(!failed || failed == EBUSY);
		if (!failed) {
			attached++;
			winner = shared[me];
		}
		pthread_barrier_wait(&barrier);
		/* All with that one. */
		failed = option(winner, KTLS_KEYS, &keys, sizeof(keys)) ? errno : 0;
		CHECK(!failed || failed == EALREADY);
		keyed += !failed;
		if (!option(winner, KTLS_RX_ENABLE, &floor, sizeof(floor)))
			enabled++;
		pthread_barrier_wait(&barrier);
		for (i = 0; i < 60; i++) {
			one_call(winner, &seed);
			if (me == 1 && i == 30 && seed & 1)
				option(winner, KTLS_DETACH, NULL, 0);
			if (me == 2 && i == 40 && seed & 2)
				shutdown(winner, seed & 4 ? SHUT_RD : SHUT_WR);
		}
		/* The last descriptor may go while others are still in their calls. */
		if (me == 3)
			close(winner);
		for (i = 0; i < 20; i++)
			one_call(winner, &seed);
		pthread_barrier_wait(&barrier);
	}
}

int main(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : 5, rounds = 0, mine[THREADS];
	struct timeval begin, now;
	pthread_t threads[THREADS];
	long i;

	alarm(seconds * 4 + 60);
	setbuf(stdout, NULL);
	begin_with = argc > 2 ? atoi(argv[2]) : 1;
	file = open("/proc/self/exe", O_RDONLY);
	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, worker, (void *)i);
	gettimeofday(&begin, NULL);
	do {
		pair(rounds % 2 ? AF_INET6 : AF_INET, lower);
		attached = keyed = enabled = 0;
		for (i = 0; i < THREADS; i++)
			mine[i] = shared[i] = socket(AF_KTLS, SOCK_DGRAM, 0);
		for (i = 0; i < 4; i++)
			pthread_barrier_wait(&barrier);
		CHECK(attached == 1 && keyed == 1 && enabled == 1);
		for (i = 0; i < THREADS; i++)
			close(mine[i]); /* the winner's is closed already */
		close(lower[0]);
		close(lower[1]);
		rounds++;
		gettimeofday(&now, NULL);
	} while (now.tv_sec - begin.tv_sec < seconds && failures < 10);
	stop = 1;
	pthread_barrier_wait(&barrier);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	printf("%d rounds, %llu calls\n", rounds, calls);
	return over("races");
}
