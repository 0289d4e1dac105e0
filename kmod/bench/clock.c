// SPDX-License-Identifier: GPL-2.0-only
/*
 * Time: of the wall, of the processor, and the end of it. The two kinds are never mixed: a process's processor time
 * is the clock's that the scheduler keeps, parted into user and system as getrusage() parts it; the machine's is
 * /proc/stat's.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"

volatile sig_atomic_t over;

double seconds_between(const struct timespec *from, const struct timespec *to)
{
	return to->tv_sec - from->tv_sec + (to->tv_nsec - from->tv_nsec) / 1e9;
}

static double seconds_of(clockid_t clock)
{
	struct timespec zero = {}, now;

	clock_gettime(clock, &now);
	return seconds_between(&zero, &now);
}

double seconds_now(void)
{
	return seconds_of(CLOCK_MONOTONIC);
}

static void add(struct usage *u, int sign)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	u->wall += sign * seconds_now();
	/* For now the two shares by getrusage; usage_end() makes their sum the clock's. */
	u->user += sign * (r.ru_utime.tv_sec + r.ru_utime.tv_usec / 1e6);
	u->system += sign * (r.ru_stime.tv_sec + r.ru_stime.tv_usec / 1e6);
	u->voluntary += sign * r.ru_nvcsw;
	u->involuntary += sign * r.ru_nivcsw;
}

static double processor;

void usage_begin(struct usage *u)
{
	memset(u, 0, sizeof(*u));
	add(u, -1);
	processor = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

void usage_end(struct usage *u)
{
	double total = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - processor, share;

	add(u, 1);
	share = u->user + u->system > 0 ? u->user / (u->user + u->system) : 0;
	u->user = total * share;
	u->system = total - u->user;
}

static void on_over(int signal)
{
	(void)signal;
	over = 1;
}

static void on_watchdog(int signal)
{
	static const char text[] = "ktls-bench: took longer than --timeout allows\n";

	(void)signal;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(1);
}

static void timer(int signal, void (*handler)(int), double seconds, long again_ns)
{
	struct sigaction action = { .sa_handler = handler }; /* no SA_RESTART: a blocked call returns */
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = signal };
	struct itimerspec when = {
		.it_value = { seconds, (seconds - (long)seconds) * 1e9 },
		.it_interval = { 0, again_ns },
	};
	timer_t id;

	sigaction(signal, &action, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, &id) || timer_settime(id, 0, &when, NULL))
		fail("timer: no timer");
}

/*
 * Sets `over` when the time is up; no clock is read on the way. Again and again, lest a call begin to block just
 * then.
 */
void load_starts(const struct request *r)
{
	over = 0;
	if (r->limit == SECONDS)
		timer(SIGALRM, on_over, r->most, 100000000);
}

/* Nothing outlives this: the last resort when an end is gone without a word. */
void watchdog(double seconds)
{
	timer(SIGRTMIN, on_watchdog, seconds, 0);
}

static const char *const columns[] = { "user_s", "nice_s", "system_s", "idle_s", "iowait_s", "irq_s", "softirq_s",
				       "steal_s" };
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* The machine's processor time so far, in seconds; its clock ticks are a hundredth of one. */
json_t *machine_begin(void)
{
	FILE *file = fopen("/proc/stat", "r");
	json_t *json = json_object();
	char word[8] = "";
	double ticks;

	if (!file || fscanf(file, "%7s", word) != 1)
		fail("/proc/stat cannot be read");
	for (size_t i = 0; i < COLUMNS; i++) {
		if (fscanf(file, "%lf", &ticks) != 1)
			fail("/proc/stat has no %s", columns[i]);
		json_object_set_new(json, columns[i], json_real(ticks / sysconf(_SC_CLK_TCK)));
	}
	fclose(file);
	return json;
}

json_t *machine_end(json_t *begin, double wall)
{
	json_t *end = machine_begin();

	for (size_t i = 0; i < COLUMNS; i++)
		json_object_set_new(end, columns[i],
				    json_real(json_real_value(json_object_get(end, columns[i])) -
					      json_real_value(json_object_get(begin, columns[i]))));
	json_object_set_new(end, "wall_s", json_real(wall));
	json_decref(begin);
	return end;
}
