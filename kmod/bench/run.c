// SPDX-License-Identifier: GPL-2.0-only
/* One run: agree with the peer, connect, shake hands, hand over; the load; the result as JSON. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench.h"

json_t *load_json(const struct load *l)
{
	return json_pack("{s:I, s:I, s:f, s:f, s:f, s:i, s:i, s:I}", "bytes", (json_int_t)l->bytes, "records",
			 (json_int_t)l->records, "wall_s", l->usage.wall, "user_s", l->usage.user, "system_s",
			 l->usage.system, "voluntary", (int)l->usage.voluntary, "involuntary",
			 (int)l->usage.involuntary, "calls", (json_int_t)l->calls);
}

/* Sockets to the peer; returns its answer, with its key's digest. */
static json_t *open_data(struct end *e)
{
	const struct request *r = &e->request;
	json_t *request = request_json(r), *answer;
	int session, plain;

	json_object_set_new(request, "in_flight", json_integer(r->in_flight));
	json_object_set_new(request, "buffer", json_integer(r->buffer));
	json_object_set_new(request, "timeout", json_real(r->timeout));
	data_prepare(e, &session, &plain);
	control_send(e->control, json_pack("{s:o, s:i, s:i}", "request", request, "session", session, "plain", plain));
	answer = control_expect(e->control, "session", r->timeout);
	data_join(e, answer);
	return answer;
}

/* A direction of the session that the run does not use goes with the other. */
static void methods_of(struct end *e)
{
	const struct request *r = &e->request;

	e->session.tx = r->tx;
	e->session.rx = r->tx;
	if (r->scenario != ECHO)
		return;
	e->session.tx = r->tx == RAW ? r->rx : r->tx;
	e->session.rx = r->rx == RAW ? r->tx : r->rx;
}

/* Returns the seconds that the handshake took, for raw protocols 0; `peer_driver`: what the peer receives by. */
static double start(struct end *e, json_t **peer_driver)
{
	json_t *answer = open_data(e), *ready;
	double began = seconds_now(), took = 0;

	if (encrypted(e->request.protocol)) {
		session_open(e, json_string_value(json_object_get(answer, "key")));
		took = seconds_now() - began;
		methods_of(e);
		handover(&e->session, &e->request);
	}
	ready = control_expect(e->control, "ready", e->request.timeout);
	*peer_driver = json_incref(json_object_get(ready, "ready"));
	json_decref(ready);
	json_decref(answer);
	return took;
}

/* Tell perf, and wait until it has done so. */
static void perf_tell(const struct request *r, const char *what)
{
	char path[256], answer[8];
	int control, ack;

	if (!r->perf)
		return;
	snprintf(path, sizeof(path), "%s/control", r->perf);
	control = open(path, O_WRONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/ack", r->perf);
	ack = open(path, O_RDONLY | O_CLOEXEC);
	if (control < 0 || ack < 0 || write(control, what, strlen(what)) < 0 || read(ack, answer, sizeof(answer)) <= 0)
		fail("perf: %s: %s", r->perf, strerror(errno));
	close(control);
	close(ack);
}

static void load(struct end *e, struct load *l, json_t *result)
{
	json_t *machine, *report, *stats;
	double began;

	perf_tell(&e->request, "enable\n");
	machine = machine_begin();
	began = seconds_now();
	/* The machine's time has what the peer does from here on. */
	control_send(e->control, json_pack("{s:b}", "go", true));
	if (e->request.scenario == TRANSMISSION)
		transmission_send(e, l);
	else if (e->request.scenario == FILE_TRANSFER)
		file_send(e, l);
	else
		echo_forward(e, l);
	control_send(e->control, json_pack("{s:{s:I, s:I}}", "done", "bytes", (json_int_t)l->bytes, "records",
					   (json_int_t)l->records));
	report = control_expect(e->control, "receiver", e->request.timeout);
	json_object_set_new(result, "sender", load_json(l));
	json_object_set(result, "receiver", json_object_get(report, "receiver"));
	json_object_set_new(result, "machine", machine_end(machine, seconds_now() - began));
	perf_tell(&e->request, "disable\n");
	stats = json_pack("{s:o, s:O}", "tx", kernel_stats(&e->session), "rx", json_object_get(report, "ktls"));
	if (json_is_null(json_object_get(stats, "tx")) && json_is_null(json_object_get(stats, "rx"))) {
		json_decref(stats);
		stats = json_null();
	}
	json_object_set_new(result, "ktls", stats);
	json_decref(report);
}

static json_t *drivers(const struct end *e, json_t *peer_driver)
{
	const struct request *r = &e->request;
	json_t *tx = json_string(driver_text(&e->session, r->tx, true, r->cipher));

	if (r->scenario == ECHO) {
		json_decref(peer_driver);
		peer_driver = json_string(driver_text(&e->session, r->rx, false, r->cipher));
	}
	return json_pack("{s:s, s:o, s:o}", "library", library_text, "tx", tx, "rx", peer_driver);
}

int run_main(struct request *r, const char *peer, const char *port)
{
	struct end e = { .request = *r, .plain = { .lower = -1, .fd = -1 } };
	json_t *result, *peer_driver;
	struct load l = {};
	struct utsname name;
	double took;
	int failures = 0;

	watchdog(r->timeout);
	uname(&name);
	handover_possible(r, false);
	e.control = control_connect(peer, port);
	if (r->scenario == FILE_TRANSFER)
		file_prepare(r);
	took = start(&e, &peer_driver);
	if (r->scenario == VERIFY) {
		result = verify_run(&e);
		failures = json_integer_value(json_object_get(result, "failures"));
	} else {
		result = request_json(r);
		if (r->scenario == ECHO)
			json_object_set_new(result, "in_flight", json_integer(r->in_flight));
		json_object_set_new(result, "record_size", json_integer(e.session.record_size));
		json_object_set_new(result, "handshake_s", json_real(took));
		load(&e, &l, result);
	}
	json_object_set_new(result, "drivers", drivers(&e, peer_driver));
	json_object_set_new(result, "kernel", json_string(name.release));
	json_dumpf(result, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(result);
	session_close(&e);
	gnutls_global_deinit();
	return failures ? 1 : 0;
}
