// SPDX-License-Identifier: GPL-2.0
/*
 * The window that finds replayed records (RFC 6347, 4.1.2.6), as a ring of bits (RFC 6479).
 *
 * Only authentic records may come here: what a forger sends must not move the window. It always advances: however many
 * records are lost, the next authentic one is accepted.
 */
#include "window.h"

/**
 * ktls_window_init - begin a window
 * @window: the window
 * @floor: the least number to accept
 */
void ktls_window_init(struct ktls_window *window, u64 floor)
{
	memset(window, 0, sizeof(*window));
	window->next = floor;
	window->floor = floor;
}

/**
 * ktls_window_accept - accept a number once
 * @window: the window
 * @seq: the number of an authentic record
 *
 * Return: 0, -EALREADY for a number accepted before, -ERANGE for one that is too old to tell.
 */
int ktls_window_accept(struct ktls_window *window, u64 seq)
{
	u64 word = seq / 64, top = window->next ? (window->next - 1) / 64 : 0, i;
	u64 bit = 1ULL << (seq % 64);

	if (seq < window->floor || (window->next > KTLS_WINDOW_BITS && seq < window->next - KTLS_WINDOW_BITS))
		return -ERANGE;
	if (seq >= window->next) {
		/* Words that the window moves into hold what is one turn of the ring old. */
		for (i = 1; i <= word - top && i <= KTLS_WINDOW_WORDS; i++)
			window->bits[(top + i) % KTLS_WINDOW_WORDS] = 0;
		window->next = seq + 1;
	}
	if (window->bits[word % KTLS_WINDOW_WORDS] & bit)
		return -EALREADY;
	window->bits[word % KTLS_WINDOW_WORDS] |= bit;
	return 0;
}
