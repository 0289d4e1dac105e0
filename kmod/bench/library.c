// SPDX-License-Identifier: GPL-2.0-only
/*
 * GnuTLS, and which of the processor's instructions it uses. It tells that to its log alone, when it is set up: so
 * it is kept from setting itself up before main(). GNUTLS_CPUID_OVERRIDE is in what it tells.
 */
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"

GNUTLS_SKIP_GLOBAL_INIT

char library_text[256];

static void on_log(int level, const char *text)
{
	const char *end = strstr(text, " was detected");
	size_t have = strlen(library_text);

	(void)level;
	if (end)
		snprintf(library_text + have, sizeof(library_text) - have, "%s%.*s",
			 strchr(library_text, ':') ? ", " : ": ", (int)(end - text), text);
}

void library_start(void)
{
	snprintf(library_text, sizeof(library_text), "GnuTLS %s", gnutls_check_version(NULL));
	gnutls_global_set_log_function(on_log);
	gnutls_global_set_log_level(2);
	if (gnutls_global_init() < 0)
		fail("GnuTLS does not start");
	gnutls_global_set_log_level(0);
	if (!strchr(library_text, ':'))
		strncat(library_text, ": none of its own, what Nettle takes (NETTLE_FAT_OVERRIDE)",
			sizeof(library_text) - strlen(library_text) - 1);
}
