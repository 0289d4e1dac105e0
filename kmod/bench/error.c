// SPDX-License-Identifier: GPL-2.0-only
/* How the tool ends early: 1 with a message, or 77 with the reason why this cannot be done here. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"

int error_control = -1;

static void tell(bool missing, const char *format, va_list arguments)
{
	char text[512];
	json_t *message;

	vsnprintf(text, sizeof(text), format, arguments);
	fprintf(stderr, "ktls-bench: %s\n", text);
	if (error_control < 0)
		return;
	message = json_pack("{s:s, s:b}", "error", text, "unsupported", missing);
	json_dumpfd(message, error_control, JSON_COMPACT);
	json_decref(message);
	(void)!write(error_control, "\n", 1);
}

/* Something went wrong: exit 1. */
void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	tell(false, format, arguments);
	va_end(arguments);
	exit(1);
}

/* Not this tool's fault: the machine, its kernel or the library cannot. Exit 77. */
void unsupported(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	tell(true, format, arguments);
	va_end(arguments);
	exit(77);
}
