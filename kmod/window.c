// SPDX-License-Identifier: GPL-2.0-only
/*
 * The window that finds replayed records (RFC 6347, 4.1.2.6), as a ring of bits (RFC 6479).
 *
 * Only authentic records may come here: what a forger sends must not move the window. It always
 * advances: however many records are lost, the next authentic one is accepted.
 */
#include "window.h"

/**
 * af_ktls_window_init - begin a window
 * @window: the window
 * @floor: the least number to accept
 */
void af_ktls_window_init(struct af_ktls_window *window, u64 floor)
{
	memset(window, 0, sizeof(*window));
	window->next = floor;
	window->floor = floor;
}

/**
 * af_ktls_window_floor - raise the floor of a window that has accepted numbers
 * @window: the window
 * @floor: the least number to accept from now on
 */
void af_ktls_window_floor(struct af_ktls_window *window, u64 floor)
{
	if (floor > window->next)
		af_ktls_window_init(window, floor);
	else
		window->floor = floor;
}

/**
 * af_ktls_window_look - say what af_ktls_window_accept() would, and change nothing
 * @window: the window
 * @seq: a number, of which nothing is known
 *
 * What is refused here needs no cipher to be refused.
 */
int af_ktls_window_look(const struct af_ktls_window *window, u64 seq)
{
	if (seq < window->floor)
		return -ERANGE;
	if (window->next > AF_KTLS_WINDOW_BITS && seq < window->next - AF_KTLS_WINDOW_BITS)
		return -ERANGE;
	if (seq >= window->next)
		return 0;
	return window->bits[seq / 64 % AF_KTLS_WINDOW_WORDS] & 1ULL << (seq % 64) ? -EALREADY : 0;
}

/**
 * af_ktls_window_accept - accept a number once
 * @window: the window
 * @seq: the number of an authentic record
 *
 * Return: 0, -EALREADY for a number accepted before, -ERANGE for one that is too old to tell.
 */
int af_ktls_window_accept(struct af_ktls_window *window, u64 seq)
{
	u64 word = seq / 64, top = window->next ? (window->next - 1) / 64 : 0, i;
	int err = af_ktls_window_look(window, seq);

	if (err)
		return err;
	if (seq >= window->next) {
		/* Words that the window moves into hold what is one turn of the ring old. */
		for (i = 1; i <= word - top && i <= AF_KTLS_WINDOW_WORDS; i++)
			window->bits[(top + i) % AF_KTLS_WINDOW_WORDS] = 0;
		window->next = seq + 1;
	}
	window->bits[word % AF_KTLS_WINDOW_WORDS] |= 1ULL << (seq % 64);
	return 0;
}
