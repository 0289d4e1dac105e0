/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <gnutls/gnutls.h>

int hand_over(gnutls_session_t session, int udp, int cipher, void (*deliver)(const void *packet, int length));

#endif
