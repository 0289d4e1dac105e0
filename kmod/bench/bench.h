/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tool's files share. Each part says what it is for in its own file. */
#ifndef BENCH_H
#define BENCH_H

#include <gnutls/gnutls.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

#define ROOM		65536		/* the greatest receive, and the capacity of a pipe */
#define MOST_PAYLOAD	16384
#define LEAST_PAYLOAD	8		/* the counter */
#define SILENCE_MS	50		/* how long a receive waits before it looks around */
#define STALL_S		10		/* a stream that does not move for so long is dead */

enum scenario { TRANSMISSION, FILE_TRANSFER, ECHO, VERIFY };
enum protocol { DTLS, TLS, UDP, TCP };
enum version { V12, V13 };
enum cipher { AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305 };
enum method { LIBRARY, AF_KTLS_SOCKET, KERNEL_TLS, RAW };
enum way { SEND, USER_SEND, MMAP, SENDFILE, SPLICE, RECV_SEND, V_TRANSMISSION, V_SENDFILE, V_SPLICE_READ, V_HANDLING };
enum limit { SECONDS, RECORDS, BYTES };

struct request {
	enum scenario scenario;
	enum protocol protocol;
	enum version version;
	enum cipher cipher;
	enum method tx, rx;
	enum way way;
	unsigned int payload, in_flight;
	enum limit limit;
	double most;			/* of what `limit` names */
	double timeout;			/* seconds that all of it may take */
	unsigned int buffer;		/* of the receiving sockets, bytes */
	bool drop_caches;		/* not told the peer, as the directory */
	const char *directory;
	const char *perf;		/* where perf's fifos are, or NULL */
};

/* One end of a connection, and how records get in and out of it. */
struct channel {
	bool stream;
	int lower;			/* the TCP or UDP socket */
	int fd;				/* where the kernel's records are: the AF_KTLS socket, else `lower` */
	enum method tx, rx;
	gnutls_session_t tls;
	unsigned int record_size;	/* where the kernel cuts what it is not told to */
};

/* An end of a run: `peer` or not. */
struct end {
	struct request request;
	bool peer;
	int control;
	struct channel session;		/* with records, or raw where the protocol is */
	struct channel plain;		/* echo: what stands for the TUN device, or -1 */
};

/* What a process used between two moments. */
struct usage {
	double wall, user, system;	/* seconds */
	long voluntary, involuntary;	/* context switches */
};

struct load {
	uint64_t bytes, records, calls, lost;
	struct usage usage;
	struct timespec last;		/* when the last record came, where that counts */
};

/* error.c */
extern int error_control;		/* the peer tells its errors here */
__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);
__attribute__((noreturn, format(printf, 1, 2))) void unsupported(const char *format, ...);

/* names.c */
int name_find(const char *const *names, const char *name);
extern const char *const scenarios[], *const protocols[], *const versions[], *const ciphers[], *const methods[],
	*const ways[], *const limits[];
const char *request_wrong(const struct request *r);
json_t *request_json(const struct request *r);
void request_read(struct request *r, json_t *json);
json_t *combinations(void);
bool datagram(enum protocol protocol);
bool encrypted(enum protocol protocol);

/* clock.c */
extern volatile sig_atomic_t over;
double seconds_now(void);
double seconds_between(const struct timespec *from, const struct timespec *to);
void usage_begin(struct usage *u);
void usage_end(struct usage *u);
void load_starts(const struct request *r);
void watchdog(double seconds);
json_t *machine_begin(void);
json_t *machine_end(json_t *begin, double wall);

/* control.c */
int control_connect(const char *host, const char *port);
int control_listen(const char *host, const char *port);
void control_send(int fd, json_t *message);
json_t *control_receive(int fd, int milliseconds);
json_t *control_expect(int fd, const char *what, double seconds);

/* sockets.c */
void data_prepare(struct end *e, int *session, int *plain);
void data_join(struct end *e, const json_t *ports);
void data_options(const struct channel *c, const struct request *r);
void data_wait(int fd, int milliseconds);

/* library.c */
void library_start(void);
extern char library_text[256];

/* session.c */
void key_make(void);
const char *key_id(void);
void session_open(struct end *e, const char *pin);
void session_close(struct end *e);

/* handover.c, drivers.c */
void handover(struct channel *c, const struct request *r);
void handover_possible(const struct request *r, bool peer);
json_t *kernel_stats(const struct channel *c);
uint64_t kernel_records(const struct channel *c);
const char *driver_text(const struct channel *c, enum method method, bool tx, enum cipher cipher);

/* channel.c */
void channel_put(struct channel *c, const void *buffer, size_t length);
ssize_t channel_get(struct channel *c, void *buffer, size_t room);
ssize_t channel_splice_in(struct channel *c, int pipe, size_t room);
void channel_splice_out(struct channel *c, int pipe, size_t length);
bool stopped(ssize_t result);

/* payload.c */
struct check {
	const struct request *request;
	bool stream;
	uint64_t position, wrong;
};
uint64_t payload_word(uint64_t index);
void payload_fill(void *buffer, size_t length, uint64_t position);
ssize_t payload_find(const unsigned char *buffer, size_t length, uint64_t position, size_t whole);
bool payload_same(const void *buffer, size_t length, uint64_t position);
void payload_stamp(void *buffer, uint64_t record, unsigned int payload);
void load_took(struct load *l, struct check *k, const unsigned char *buffer, size_t length);

/* The scenarios: what this end does, and what the peer does meanwhile. */
void transmission_send(struct end *e, struct load *l);
void file_prepare(const struct request *r);
void file_send(struct end *e, struct load *l);
void receive_all(struct end *e, struct load *l);
void echo_forward(struct end *e, struct load *l);
void echo_inject(struct end *e, struct load *l);
int file_make(const char *directory, uint64_t size);
json_t *verify_run(struct end *e);
void verify_peer(struct end *e);
void handling_run(struct end *e, unsigned int *checks, unsigned int *failures);

/* peer.c, run.c */
int peer_main(const char *listen, const char *port);
int run_main(struct request *r, const char *peer, const char *port);
json_t *load_json(const struct load *l);

#endif
