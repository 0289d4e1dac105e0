/* SPDX-License-Identifier: MIT */
/*
 * Trains: many datagrams to one peer in one system call and through the network stack as one, by UDP_SEGMENT and UDP_GRO
 * (udp(7)). All datagrams of a train have the same length but for the last one, which may be shorter.
 *
 * `train_push` stands where send(2) of a connected UDP socket stood, one datagram a call.
 */
#ifndef TRAIN_H
#define TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define TRAIN_BYTES 65507  /* what a UDP datagram over IPv4 can hold: the kernel cuts the train after that limit */
#define TRAIN_DATAGRAMS 64 /* UDP_MAX_SEGMENTS of kernels before 6.9 */
#define TRAIN_BATCH 64     /* datagrams or trains that one system call receives */

struct train_in;

struct train {
	/* Sending. */
	uint8_t out[TRAIN_BYTES];
	size_t size;          /* bytes of `out` */
	size_t each;          /* bytes of every datagram of it but the last */
	unsigned int count;   /* datagrams of it */
	bool collects;        /* datagrams wait for train_depart */
	bool single;          /* the kernel or the path takes no trains: each datagram is sent by itself */
	int error;            /* errno of what could not be sent since the last departure; EMSGSIZE before all others */
	struct train_in *in;  /* receiving: allocated when the first datagram is wanted */
	uint64_t pulled;      /* datagrams, or parts of them, that were handed out */
	struct timespec when; /* the kernel's time stamp of the datagram looked at last, if the socket is asked for any */
};

/*
 * Prepare a connected UDP socket: receive trains, and have room for some. Returns false where the kernel
 * knows nothing of trains (before Linux 5.0): everything works, one datagram a call.
 */
bool train_prepare(int fd);

/* From here on train_push collects, until train_depart sends what there is. */
void train_collect(struct train *t);

/*
 * Send what was collected. Returns 0, or -1 and errno where some of it could not be sent: EMSGSIZE where a datagram is longer
 * than the path's MTU.
 */
int train_depart(struct train *t, int fd);

/*
 * Where the next datagram of `size` bytes can be made in its place, or NULL where nothing is collected: then push it. It counts
 * once train_made is called, with the same size.
 */
uint8_t *train_place(struct train *t, int fd, size_t size);
void train_made(struct train *t, int fd, size_t size);

/* As send(2). While datagrams are collected it always succeeds; what fails is told by train_depart. */
ssize_t train_push(struct train *t, int fd, const void *data, size_t size);

/* Is there anything left of what was received? */
bool train_waits(const struct train *t);

/*
 * Receive, where nothing is left: returns false, and sets errno, where nothing came. train_front is what is left of the next
 * datagram, which may be written to until the next train_receive, or NULL where none is left; train_took says how many bytes
 * of it were used.
 */
bool train_receive(struct train *t, int fd);
uint8_t *train_front(struct train *t, size_t *size);
void train_took(struct train *t, size_t size);

/* Forget what was found out about another socket, and what is left of it. */
void train_forget(struct train *t);

/* And give the memory back. */
void train_free(struct train *t);

#endif
