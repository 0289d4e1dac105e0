// SPDX-License-Identifier: GPL-2.0-only
/* The words of the command line and of the JSON, and which of them go together. */
#include <string.h>

#include "bench.h"

const char *const scenarios[] = { "transmission", "file", "echo", "verify", NULL };
const char *const protocols[] = { "dtls", "tls", "udp", "tcp", NULL };
const char *const versions[] = { "1.2", "1.3", NULL };
const char *const ciphers[] = { "aes-128-gcm", "aes-256-gcm", "chacha20-poly1305", NULL };
const char *const methods[] = { "library", "af_ktls", "ktls", "raw", NULL };
const char *const ways[] = { "send", "user-send", "mmap", "sendfile", "splice", "recv-send", "transmission", "sendfile",
			     "splice-read", "handling", NULL };
const char *const limits[] = { "seconds", "records", "bytes", NULL };

int name_find(const char *const *names, const char *name)
{
	for (int i = 0; names[i]; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

bool datagram(enum protocol protocol)
{
	return protocol == DTLS || protocol == UDP;
}

bool encrypted(enum protocol protocol)
{
	return protocol == DTLS || protocol == TLS;
}

static bool kernel(enum method method)
{
	return method == AF_KTLS_SOCKET || method == KERNEL_TLS;
}

static const char *echo_wrong(const struct request *r)
{
	if (r->way != RECV_SEND && r->way != SPLICE)
		return "echo goes by recv-send or splice";
	if (!encrypted(r->protocol))
		return NULL;
	if (r->tx == RAW && r->rx == RAW)
		return "echo: one side at least has records";
	if (kernel(r->tx) && kernel(r->rx) && r->tx != r->rx)
		return "echo: af_ktls and ktls cannot have the same socket";
	if (r->way == SPLICE && (r->tx == LIBRARY || r->rx == LIBRARY))
		return "splice does not go through a library";
	return NULL;
}

static const char *verify_wrong(const struct request *r)
{
	switch (r->way) {
	case V_TRANSMISSION:
		return NULL;
	case V_SENDFILE:
		return r->tx == LIBRARY ? "sendfile does not go through a library" : NULL;
	case V_SPLICE_READ:
		return r->rx == LIBRARY ? "splice does not go through a library" : NULL;
	case V_HANDLING:
		return r->tx == AF_KTLS_SOCKET ? NULL : "handling is that of af_ktls: --tx af_ktls";
	default:
		return "verify has the ways transmission, sendfile, splice-read and handling";
	}
}

static const char *method_wrong(const struct request *r, enum method method)
{
	if (encrypted(r->protocol)) {
		if (method == RAW && r->scenario != ECHO)
			return "raw goes with udp and tcp";
	} else if (method != RAW) {
		return "udp and tcp go raw";
	}
	if (method == KERNEL_TLS && r->protocol != TLS)
		return "the kernel's own TLS has no DTLS: ktls goes with tls";
	return NULL;
}

/* Why these do not go together, or NULL. */
const char *request_wrong(const struct request *r)
{
	const char *wrong = method_wrong(r, r->tx);

	if (!wrong)
		wrong = method_wrong(r, r->rx);
	if (wrong)
		return wrong;
	if (r->version == V13 && r->protocol != TLS)
		return "version 1.3 goes with tls";
	if (r->payload < LEAST_PAYLOAD || r->payload > MOST_PAYLOAD)
		return "payload: 8 to 16384";
	if (r->protocol == DTLS && r->payload > 16347)
		return "payload: no more than 16347 with dtls, so that the library can have the record in its 16384";
	switch (r->scenario) {
	case TRANSMISSION:
		return r->way == SEND ? NULL : "transmission goes by send";
	case FILE_TRANSFER:
		if (r->way != USER_SEND && r->way != MMAP && r->way != SENDFILE && r->way != SPLICE)
			return "file goes by user-send, mmap, sendfile or splice";
		if ((r->way == SENDFILE || r->way == SPLICE) && r->tx == LIBRARY)
			return "sendfile and splice do not go through a library";
		return r->payload % 8 ? "file: the payload is a multiple of 8" : NULL;
	case ECHO:
		return echo_wrong(r);
	default:
		return verify_wrong(r);
	}
}

/* The request as the peer gets it and as the result repeats it. */
json_t *request_json(const struct request *r)
{
	json_t *most = r->limit == SECONDS ? json_real(r->most) : json_integer(r->most);

	return json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:s, s:s, s:i, s:{s:o}}",
			 "scenario", scenarios[r->scenario], "protocol", protocols[r->protocol],
			 "version", encrypted(r->protocol) ? versions[r->version] : NULL,
			 "cipher", encrypted(r->protocol) ? ciphers[r->cipher] : NULL,
			 "tx", methods[r->tx], "rx", methods[r->rx], "way", ways[r->way], "payload", (int)r->payload,
			 "limit", limits[r->limit], most);
}

static int read_name(json_t *json, const char *key, const char *const *names)
{
	const char *name = json_string_value(json_object_get(json, key));
	int i = name ? name_find(names, name) : -1;

	if (!name && (names == versions || names == ciphers))
		return 0;
	if (i < 0)
		fail("request: no such %s", key);
	return i;
}

void request_read(struct request *r, json_t *json)
{
	json_t *limit = json_object_get(json, "limit");
	const char *wrong, *name;
	json_t *value;

	r->scenario = read_name(json, "scenario", scenarios);
	r->protocol = read_name(json, "protocol", protocols);
	r->version = read_name(json, "version", versions);
	r->cipher = read_name(json, "cipher", ciphers);
	r->tx = read_name(json, "tx", methods);
	r->rx = read_name(json, "rx", methods);
	r->way = r->scenario == VERIFY ? V_TRANSMISSION + read_name(json, "way", ways + V_TRANSMISSION) :
		 (int)read_name(json, "way", ways);
	r->payload = json_integer_value(json_object_get(json, "payload"));
	json_object_foreach(limit, name, value) {
		r->limit = name_find(limits, name);
		r->most = json_number_value(value);
	}
	r->in_flight = json_integer_value(json_object_get(json, "in_flight"));
	r->buffer = json_integer_value(json_object_get(json, "buffer"));
	r->timeout = json_number_value(json_object_get(json, "timeout"));
	wrong = request_wrong(r);
	if (wrong)
		fail("request: %s", wrong);
}

/* Every combination that makes sense, whatever this machine can do. */
json_t *combinations(void)
{
	json_t *list = json_array();
	struct request r = { .payload = 1400 };

	for (int s = TRANSMISSION; s <= VERIFY; s++)
		for (int p = DTLS; p <= TCP; p++)
			for (int v = V12; v <= V13; v++)
				for (int tx = LIBRARY; tx <= RAW; tx++)
					for (int rx = LIBRARY; rx <= RAW; rx++)
						for (int w = SEND; w <= V_HANDLING; w++) {
							r.scenario = s;
							r.protocol = p;
							r.version = v;
							r.tx = tx;
							r.rx = rx;
							r.way = w;
							if (request_wrong(&r))
								continue;
							json_array_append_new(list, json_pack(
								"{s:s, s:s, s:s?, s:s, s:s, s:s}",
								"scenario", scenarios[s], "protocol", protocols[p],
								"version", encrypted(p) ? versions[v] : NULL, "tx",
								methods[tx], "rx", methods[rx], "way", ways[w]));
						}
	return list;
}
