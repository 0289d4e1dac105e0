// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz-calls [-s SEED] [-t SECONDS] [-n CALLS] [-p THREADS]: whatever a user may do to sockets of AF_KTLS and to those
 * underneath, in any order, by several threads. It ends after SECONDS, once each call has succeeded; or after CALLS.
 * Started by root it goes on as nobody.
 *
 * One process makes the calls, another watches it: a call that does not come back, and what the kernel says of itself
 * (its taint, its log where that may be read), are failures. Each thread's calls follow from the seed; how the threads
 * meet does not, so that a seed is where to look again, not a proof.
 */
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "fuzz.h"

#define NOBODY 65534
#define DESCRIPTORS 400
#define HANGS_MS 60000 /* far more than any call takes; emulated processors are slow */
#define LONGER 4 /* times the seconds asked for, if a call has not succeeded yet: a machine may be slow */
#define LEFT_MS 30000 /* for grace periods, and the collector of sockets in flight */
#define SOCKETS "/sys/module/af_ktls/refcnt"

/* Bits of the taint that the kernel sets when something is wrong: bad page, died, warning, lockup. */
#define WRONG (1UL << 5 | 1UL << 7 | 1UL << 9 | 1UL << 14)
#define REPORTS "BUG|WARNING|KFENCE|KASAN|UBSAN|KCSAN|Oops|general protection|Call Trace|refcount_t|INFO: (rcu|task)"

static unsigned long number_in(const char *path)
{
	unsigned long number = 0;
	FILE *file = fopen(path, "r");

	if (file) {
		if (fscanf(file, "%lu", &number) != 1)
			number = 0;
		fclose(file);
	}
	return number;
}

static unsigned long taint(void)
{
	return number_in("/proc/sys/kernel/tainted") & WRONG;
}

/* From here on; only who may read it can open it, so before this is nobody. */
static int log_open(void)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (log >= 0)
		lseek(log, 0, SEEK_END);
	else
		printf("the kernel's log is not read (%m): its taint must do\n");
	return log;
}

/* How many lines of the log report something; with the first of them shown all that follows is. */
static int log_reports(int log)
{
	char line[1100];
	regex_t reports;
	int found = 0;
	ssize_t length;

	if (log < 0)
		return 0;
	regcomp(&reports, REPORTS, REG_EXTENDED | REG_NOSUB);
	while ((length = read(log, line, sizeof(line) - 1)) > 0 || (length < 0 && errno == EPIPE)) {
		if (length < 0)
			continue; /* overtaken: the next is the oldest that is left */
		line[length] = 0;
		found += !regexec(&reports, line, 0, NULL, 0);
		if (found)
			printf("kernel: %s", strchr(line, ';') ? strchr(line, ';') + 1 : line);
	}
	regfree(&reports);
	return found;
}

static void *a_thread(void *argument)
{
	struct self *me = argument;

	work(me, 0);
	uring_close(me);
	return NULL;
}

/* The process that is watched. It takes its children with it, and is taken with its watcher. */
static void run(uint64_t seed, int threads)
{
	static struct self selves[THREADS_MOST];
	pthread_t ids[THREADS_MOST];
	int i, kind, end;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (i = 0; i < SLOTS; i++)
		for (kind = 0; kind < KINDS; kind++)
			for (end = 0; end < 2; end++)
				slots[i].fd[kind][end] = -1;
	for (i = 0; i < threads; i++) {
		/* splitmix64's increment keeps neighbours apart; 0 would stay 0 */
		selves[i] = (struct self){ .state = (seed + i + 1) * 0x9e3779b97f4a7c15ULL | 1, .number = i };
		pthread_create(&ids[i], NULL, a_thread, &selves[i]);
	}
	for (i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	_exit(0);
}

/* The call that has not come back, or NULL. */
static const char *hanging(int threads)
{
	uint64_t now = now_ms();
	int i;

	for (i = 0; i < threads; i++) {
		uint64_t since = shared->cells[i].since;

		if (since && now > since + HANGS_MS)
			return shared->cells[i].call;
	}
	return NULL;
}

/* A call that has never succeeded, which tests nothing; NULL: none. */
static const char *untried(void)
{
	int i;

	for (i = 0; i < calls_count; i++)
		if (!shared->succeeded[i] && !(shared->no_uring && calls[i].make == call_uring))
			return calls[i].name;
	return NULL;
}

/* Until it is over, hangs, or the kernel has had enough. */
static void watch(pid_t pid, int threads, int seconds, unsigned long before, int log, uint64_t begin)
{
	const char *hangs = NULL;
	bool over = false, well = true;
	int status = 0;

	while (!over && !hangs && well) {
		poll(NULL, 0, 20);
		if (now_ms() > begin + seconds * 1000ULL * (untried() ? LONGER : 1))
			shared->stop = 1;
		over = waitpid(pid, &status, WNOHANG) == pid;
		hangs = hanging(threads);
		well = !log_reports(log) && taint() == before;
	}
	if (!well)
		printf("the kernel has reported something after %.1f s\n", (now_ms() - begin) / 1e3);
	if (hangs)
		printf("%s has not come back for %d s\n", hangs, HANGS_MS / 1000);
	if (!over)
		kill(-pid, SIGKILL);
	CHECK(!hangs);
	CHECK(well);
	CHECK(!over || (WIFEXITED(status) && !WEXITSTATUS(status)));
}

static void nobody(void)
{
	struct rlimit files = { DESCRIPTORS, DESCRIPTORS };

	if (!getuid() && (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))) {
		perror("setuid");
		exit(2);
	}
	setrlimit(RLIMIT_NOFILE, &files);
	signal(SIGPIPE, SIG_IGN);
}

static void told(uint64_t begin)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < calls_count; i++) {
		printf("%-16s %8llu made %8llu succeeded\n", calls[i].name, (unsigned long long)shared->made[i],
		       (unsigned long long)shared->succeeded[i]);
		sum += shared->made[i];
	}
	printf("%llu calls in %.1f s\n", (unsigned long long)sum, (now_ms() - begin) / 1e3);
	if (shared->no_uring)
		printf("io_uring is skipped: %s\n", strerror(shared->no_uring));
	/* Of so many calls and no more nothing is asked. */
	if (failures || shared->left <= 0)
		return;
	if (untried())
		printf("%s never succeeded\n", untried());
	CHECK(!untried());
}

int main(int argc, char **argv)
{
	int seconds = 20, threads = 4, log, letter;
	unsigned long before = taint(), sockets = number_in(SOCKETS);
	uint64_t seed, begin, until;
	int64_t left = INT64_MAX;
	pid_t pid;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return 2;
	seed %= 1000000;
	while ((letter = getopt(argc, argv, "s:t:n:p:")) > 0) {
		switch (letter) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 't':
			seconds = atoi(optarg);
			break;
		case 'n':
			left = strtoull(optarg, NULL, 0);
			break;
		case 'p':
			threads = atoi(optarg);
			break;
		default:
			return 2;
		}
	}
	if (threads < 1 || threads > THREADS_MOST) {
		fprintf(stderr, "fuzz-calls: -p is 1 to %d threads\n", THREADS_MOST);
		return 2;
	}
	setbuf(stdout, NULL);
	log = log_open();
	nobody();
	printf("fuzz-calls -s %llu -t %d -p %d, uid %d\n", (unsigned long long)seed, seconds, threads, getuid());
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shared->left = left;
	begin = now_ms();
	pid = fork();
	if (!pid) {
		setpgid(0, 0);
		run(seed, threads);
	}
	watch(pid, threads, seconds, before, log, begin);
	/* Whatever was freed by a grace period is gone; who did not come to its end may keep what it has. */
	until = now_ms() + LEFT_MS;
	while (!failures && number_in(SOCKETS) > sockets && now_ms() < until) {
		/* What holds itself by SCM_RIGHTS is collected when another of that family is closed. */
		close(socket(AF_UNIX, SOCK_DGRAM, 0));
		poll(NULL, 0, 50);
	}
	if (!failures && number_in(SOCKETS) > sockets)
		printf("%lu sockets before, %lu that are left\n", sockets, number_in(SOCKETS));
	CHECK(failures || number_in(SOCKETS) <= sockets);
	CHECK(!log_reports(log));
	told(begin);
	return over("fuzz-calls");
}
