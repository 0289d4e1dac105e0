/* SPDX-License-Identifier: MIT */
/* How a test talks to a program here: a message is its length in four bytes, in the machine's order, and so many bytes. */
#ifndef MESSAGES_H
#define MESSAGES_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the program where something does not hold. */
static void need(int right, const char *what)
{
	if (right)
		return;
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

/* A message out, of two parts. */
static void put(const void *data, size_t size, const void *more, size_t rest)
{
	uint32_t all = size + rest;

	fwrite(&all, sizeof(all), 1, stdout);
	fwrite(data, 1, size, stdout);
	fwrite(more, 1, rest, stdout);
}

#endif
