// SPDX-License-Identifier: GPL-2.0-only
/*
 * queued: with a driver that is done later, records at the driver take room in the receive buffer: there
 * are never more than it holds. The others are dropped and counted, and those that come later are taken.
 */
#include "made.h"

#define COUNT 400

int main(void)
{
	unsigned char record[KTLS_MAX_PAYLOAD] = {}, in[KTLS_MAX_PAYLOAD];
	int a[2], b[2], sender, receiver, i, size, room = 1;
	struct ktls_stats s;

	alarm(120);
	pair(AF_INET, a);
	pair(AF_INET, b);
	sender = ready(a[0], EPOCH, EPOCH);
	receiver = ready(b[0], EPOCH, EPOCH);
	CHECK(!setsockopt(receiver, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)));
	CHECK(send(sender, in, 12000, 0) == 12000);
	size = recv(a[1], record, sizeof(record), 0);
	record[100] ^= 1;
	/* Forged, so that none of them waits for the reader. */
	for (i = 0; i < COUNT; i++)
		CHECK(send(b[1], record, size, 0) == size);
	s = settled(receiver, COUNT);
	printf("%llu at the driver, %llu not\n", s.rx_forged, s.rx_full);
	CHECK(s.rx_forged && s.rx_full && s.rx_forged + s.rx_full == COUNT);
	record[100] ^= 1;
	CHECK(send(b[1], record, size, 0) == size);
	CHECK(next_record(receiver, in, sizeof(in), 0) == 12000);
	return over("queued");
}
