// SPDX-License-Identifier: GPL-2.0-only
/*
 * ktls-bench: what records cost, made and taken apart by GnuTLS, by AF_KTLS or by the kernel's own TLS.
 *
 * The scenarios are those of sections 5.3 to 5.5 and 5.7 of the thesis. Two processes, best in two network
 * namespaces: `peer` waits, `run` does one scenario with it and prints one JSON object. Over a control connection
 * (TCP) they agree on a run; the data go over sockets of their own, between the same two addresses. The handshake
 * is GnuTLS's, in user space, with a key that the peer makes when it starts; then a record goes each way by the
 * library, and each end hands its keys to whoever is to do the records. All that is before the load and in none of
 * its figures but `handshake_s`.
 *
 * Sent and received are counted apart: datagrams may be lost, and nobody slows the sender down. So are the
 * process's own processor time and wall time; a process also pays for the softirqs that happen to run on its time,
 * so that only `machine` (all processors' time, from before the load until the peer's report) has everything.
 * `calls` are what the load's loops call: of the library, or of the kernel. Each record begins with a counter that
 * the receiver looks at; `verify` compares all bytes.
 *
 * Exit: 0; 1 something went wrong, or verify has failures; 2 wrong usage; 77 this machine cannot, with the reason.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static const char help[] =
"NAME\n"
"    ktls-bench - cost of TLS and DTLS records: GnuTLS, AF_KTLS, the kernel's own TLS\n"
"\n"
"SYNOPSIS\n"
"    ktls-bench peer [--listen ADDRESS] [--port PORT]\n"
"    ktls-bench run --peer ADDRESS [--port PORT] --scenario NAME --protocol NAME --way NAME LIMIT [OPTION]...\n"
"    ktls-bench list\n"
"\n"
"DESCRIPTION\n"
"    peer  serves one run after another until it is killed\n"
"    run   does one run with a peer and prints the result, one JSON object\n"
"    list  prints the combinations of scenario, protocol, tx, rx and way that make sense, as JSON\n"
"\n"
"SCENARIOS and their --way\n"
"    transmission  send                            one record after another\n"
"    file          user-send mmap sendfile splice  a file (--bytes); splice emulates sendfile\n"
"    echo          recv-send splice                in on one side, out on the other: OpenConnect, HAProxy\n"
"    verify        transmission sendfile splice-read handling\n"
"                                                  all bytes compared; wrong use of the socket; no LIMIT\n"
"\n"
"OPTIONS\n"
"    --protocol dtls|tls|udp|tcp      udp and tcp: raw\n"
"    --version 1.2|1.3                of TLS; default 1.2\n"
"    --cipher aes-128-gcm|aes-256-gcm|chacha20-poly1305\n"
"                                     default aes-128-gcm\n"
"    --tx library|af_ktls|ktls|raw    how this end sends; default library, or raw with udp and tcp\n"
"    --rx library|af_ktls|ktls|raw    how the peer receives; in an echo how this end receives\n"
"                                     ktls: the kernel's own TLS, used directly. echo with dtls and tls:\n"
"                                     raw is the side without records, the TUN device's place\n"
"    --payload BYTES                  of a record, 8 to 16384; default 1400\n"
"    --in-flight RECORDS              echo: under way at once; default 1\n"
"    --directory DIRECTORY            file: where; default /dev/shm\n"
"    --drop-caches                    file: drop the page cache first (root)\n"
"    --perf DIRECTORY                 perf waits there (--delay -1 --control fifo:control,ack): it samples the\n"
"                                     load and nothing else\n"
"    --buffer BYTES                   receive buffer of datagram sockets; default 16777216. More than\n"
"                                     net.core.rmem_max only with CAP_NET_ADMIN\n"
"    --timeout SECONDS                of the whole run; default 60 and the load's seconds, or 600\n"
"    --peer ADDRESS, --listen ADDRESS, --port PORT\n"
"                                     default port 5203; default to listen 0.0.0.0\n"
"\n"
"LIMIT, one of\n"
"    --seconds SECONDS                how long (transmission, echo)\n"
"    --count RECORDS                  how many (transmission, echo)\n"
"    --bytes BYTES                    the size of the file\n"
"\n"
"ENVIRONMENT\n"
"    GNUTLS_CPUID_OVERRIDE            which instructions GnuTLS may use; drivers.library has which it does\n"
"\n"
"EXIT STATUS\n"
"    0 done; 1 failed; 2 wrong usage; 77 cannot be done here, the reason on stderr\n";

__attribute__((noreturn)) static void usage(const char *wrong)
{
	fprintf(stderr, "ktls-bench: %s; see ktls-bench --help\n", wrong);
	exit(2);
}

static double number(const char *text, const char *what)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value > 0) || value > 1e15)
		usage(what);
	return value;
}

static int choice(const char *const *names, const char *name, const char *what)
{
	int i = name_find(names, name);

	if (i < 0)
		usage(what);
	return i;
}

struct options {
	struct request request;
	const char *peer, *listen, *port, *way;
	int limits;
	bool scenario, protocol, tx, rx;
};

enum { PEER = 1, LISTEN, PORT, SCENARIO, PROTOCOL, VERSION, CIPHER, TX, RX, WAY, PAYLOAD, IN_FLIGHT, SECONDS_, COUNT,
       BYTES_, DIRECTORY, DROP_CACHES, PERF, BUFFER, TIMEOUT, HELP };

static const struct option table[] = {
	{ "peer", required_argument, NULL, PEER },
	{ "listen", required_argument, NULL, LISTEN },
	{ "port", required_argument, NULL, PORT },
	{ "scenario", required_argument, NULL, SCENARIO },
	{ "protocol", required_argument, NULL, PROTOCOL },
	{ "version", required_argument, NULL, VERSION },
	{ "cipher", required_argument, NULL, CIPHER },
	{ "tx", required_argument, NULL, TX },
	{ "rx", required_argument, NULL, RX },
	{ "way", required_argument, NULL, WAY },
	{ "payload", required_argument, NULL, PAYLOAD },
	{ "in-flight", required_argument, NULL, IN_FLIGHT },
	{ "seconds", required_argument, NULL, SECONDS_ },
	{ "count", required_argument, NULL, COUNT },
	{ "bytes", required_argument, NULL, BYTES_ },
	{ "directory", required_argument, NULL, DIRECTORY },
	{ "drop-caches", no_argument, NULL, DROP_CACHES },
	{ "perf", required_argument, NULL, PERF },
	{ "buffer", required_argument, NULL, BUFFER },
	{ "timeout", required_argument, NULL, TIMEOUT },
	{ "help", no_argument, NULL, HELP },
	{},
};

static void limit(struct options *o, enum limit kind, const char *what)
{
	o->request.limit = kind;
	o->request.most = number(optarg, what);
	if (kind != SECONDS)
		o->request.most = (uint64_t)o->request.most;
	o->limits++;
}

static void take_request(struct options *o, int option)
{
	struct request *r = &o->request;

	switch (option) {
	case SCENARIO:
		r->scenario = choice(scenarios, optarg, "no such scenario");
		o->scenario = true;
		break;
	case PROTOCOL:
		r->protocol = choice(protocols, optarg, "no such protocol");
		o->protocol = true;
		break;
	case VERSION:
		r->version = choice(versions, optarg, "no such version");
		break;
	case CIPHER:
		r->cipher = choice(ciphers, optarg, "no such cipher");
		break;
	case TX:
		r->tx = choice(methods, optarg, "no such tx");
		o->tx = true;
		break;
	case RX:
		r->rx = choice(methods, optarg, "no such rx");
		o->rx = true;
		break;
	case PAYLOAD:
		r->payload = number(optarg, "payload: a number of bytes");
		break;
	case IN_FLIGHT:
		r->in_flight = number(optarg, "in-flight: a number of records");
		break;
	case BUFFER:
		r->buffer = number(optarg, "buffer: a number of bytes");
		break;
	case TIMEOUT:
		r->timeout = number(optarg, "timeout: a number of seconds");
		break;
	default:
		usage("what is that");
	}
}

static void take(struct options *o, int option)
{
	switch (option) {
	case PEER:
		o->peer = optarg;
		break;
	case LISTEN:
		o->listen = optarg;
		break;
	case PORT:
		o->port = optarg;
		break;
	case WAY:
		o->way = optarg;
		break;
	case SECONDS_:
		limit(o, SECONDS, "seconds: a number");
		break;
	case COUNT:
		limit(o, RECORDS, "count: a number");
		break;
	case BYTES_:
		limit(o, BYTES, "bytes: a number");
		break;
	case DIRECTORY:
		o->request.directory = optarg;
		break;
	case DROP_CACHES:
		o->request.drop_caches = true;
		break;
	case PERF:
		o->request.perf = optarg;
		break;
	case HELP:
		fputs(help, stdout);
		exit(0);
	default:
		take_request(o, option);
	}
}

/* What the options come to, and what was left out. */
static void settle(struct options *o)
{
	struct request *r = &o->request;
	bool raw = !encrypted(r->protocol);
	const char *wrong;

	if (!o->peer || !o->scenario || !o->protocol || !o->way)
		usage("run needs --peer, --scenario, --protocol and --way");
	if (o->limits != (r->scenario != VERIFY))
		usage(r->scenario == VERIFY ? "verify has no limit" : "one of --seconds, --count and --bytes");
	if (r->scenario != VERIFY && (r->scenario == FILE_TRANSFER) != (r->limit == BYTES))
		usage("a file has --bytes, transmission and echo have --seconds or --count");
	if (!o->tx && raw)
		r->tx = RAW;
	if (!o->rx && raw)
		r->rx = RAW;
	r->way = r->scenario == VERIFY ? V_TRANSMISSION + choice(ways + V_TRANSMISSION, o->way, "no such way") :
		 (int)choice(ways, o->way, "no such way");
	if (r->scenario == FILE_TRANSFER && (uint64_t)r->most % 8)
		usage("bytes: a multiple of 8");
	if (!r->timeout)
		r->timeout = r->limit == SECONDS && r->scenario != VERIFY ? 60 + r->most : 600;
	wrong = request_wrong(r);
	if (wrong)
		usage(wrong);
}

int main(int argc, char **argv)
{
	struct options o = {
		.listen = "0.0.0.0",
		.port = "5203",
		.request = { .payload = 1400, .in_flight = 1, .buffer = 16 << 20, .directory = "/dev/shm" },
	};
	const char *command = argc > 1 ? argv[1] : "";
	int option;

	if (!strcmp(command, "--help") || !strcmp(command, "help")) {
		fputs(help, stdout);
		return 0;
	}
	if (strcmp(command, "peer") && strcmp(command, "run") && strcmp(command, "list"))
		usage("a command: peer, run or list");
	while ((option = getopt_long(argc - 1, argv + 1, "", table, NULL)) >= 0)
		take(&o, option);
	if (optind != argc - 1)
		usage("an argument too many");
	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(command, "list")) {
		json_t *list = combinations();

		json_dumpf(list, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(list);
		return 0;
	}
	if (!strcmp(command, "run"))
		settle(&o);
	library_start();
	if (!strcmp(command, "peer"))
		return peer_main(o.listen, o.port);
	return run_main(&o.request, o.peer, o.port);
}
