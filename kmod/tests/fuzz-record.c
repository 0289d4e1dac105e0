// SPDX-License-Identifier: GPL-2.0-only
/* Whatever arrives: a verdict, and a record that lies within what arrived. */
#include <stdlib.h>

#include "record.h"
#include "window.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct af_ktls_record record;
	struct af_ktls_window window;
	u8 header[AF_KTLS_HEADER] = {};
	int cipher;

	memcpy(header, data, size < sizeof(header) ? size : sizeof(header));
	for (cipher = KTLS_AES_GCM_128; cipher <= KTLS_CHACHA20_POLY1305; cipher++) {
		const struct af_ktls_cipher *c = af_ktls_cipher_find(cipher);
		enum af_ktls_verdict verdict = af_ktls_record_parse(header, size, 1, c, &record);

		if (verdict != AF_KTLS_MALFORMED && AF_KTLS_HEADER + record.length > size)
			abort();
		if (verdict == AF_KTLS_OURS &&
		    AF_KTLS_HEADER + (size_t)record.length < af_ktls_overhead(c))
			abort();
	}
	af_ktls_window_init(&window, 0);
	for (; size >= 6; data += 6, size -= 6) {
		u64 seq = 0;
		int i;

		for (i = 0; i < 6; i++)
			seq = seq << 8 | data[i];
		if (!af_ktls_window_accept(&window, seq) &&
		    af_ktls_window_accept(&window, seq) != -EALREADY)
			abort();
	}
	return 0;
}
