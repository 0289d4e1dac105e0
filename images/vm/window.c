// SPDX-License-Identifier: MIT
/*
 * window TGID COMM COMMAND...: run a command while the profile's window is open (profile.c).
 *
 * TGID and COMM are the offsets of these fields in the kernel's task_struct, in bytes.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

static void mark(uint64_t what, uint64_t tgid, uint64_t comm)
{
	uint64_t clock = __rdtsc();

	asm volatile("xchg %%r10, %%r10" : : "D"(what), "S"(tgid), "d"(comm), "c"(clock) : "memory");
}

int main(int argc, char **argv)
{
	int status = 0;
	pid_t child;

	if (argc < 4) {
		fprintf(stderr, "usage: window TGID COMM COMMAND...\n");
		return 2;
	}
	mark(1, strtoul(argv[1], NULL, 0), strtoul(argv[2], NULL, 0));
	child = fork();
	if (!child) {
		execvp(argv[3], argv + 3);
		perror(argv[3]);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		perror("window");
	mark(2, 0, 0);
	return WIFEXITED(status) && child > 0 ? WEXITSTATUS(status) : 1;
}
