// SPDX-License-Identifier: GPL-2.0-only
/* The other process: serves one control connection after another, each in a child that ends with it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static void open_data(struct end *e, json_t *hello)
{
	int session, plain;

	data_prepare(e, &session, &plain);
	control_send(e->control, json_pack("{s:i, s:i, s:s}", "session", session, "plain", plain, "key", key_id()));
	data_join(e, hello);
}

static void work(struct end *e)
{
	const struct request *r = &e->request;
	struct load l = {};
	json_t *result;

	json_decref(control_expect(e->control, "go", r->timeout));
	if (r->scenario == VERIFY) {
		verify_peer(e);
		return;
	}
	if (r->scenario == ECHO)
		echo_inject(e, &l);
	else
		receive_all(e, &l);
	result = json_pack("{s:o, s:o}", "receiver", load_json(&l), "ktls", kernel_stats(&e->session));
	if (r->scenario == ECHO)
		json_object_set_new(json_object_get(result, "receiver"), "lost", json_integer(l.lost));
	control_send(e->control, result);
}

static void serve(int control)
{
	struct end e = { .peer = true, .control = control, .plain = { .lower = -1, .fd = -1 } };
	enum method method;
	json_t *hello;

	error_control = control;
	hello = control_expect(control, "request", STALL_S);
	request_read(&e.request, json_object_get(hello, "request"));
	watchdog(e.request.timeout);
	handover_possible(&e.request, true);
	open_data(&e, hello);
	json_decref(hello);
	method = e.request.scenario == ECHO ? LIBRARY : e.request.rx;
	if (encrypted(e.request.protocol)) {
		session_open(&e, NULL);
		e.session.tx = e.session.rx = method;
		handover(&e.session, &e.request);
	}
	control_send(control, json_pack("{s:s}", "ready",
					driver_text(&e.session, encrypted(e.request.protocol) ? method : RAW, false,
						    e.request.cipher)));
	work(&e);
	session_close(&e);
	gnutls_global_deinit();
}

int peer_main(const char *listen, const char *port)
{
	int control, fd = control_listen(listen, port);
	pid_t child, parent = getpid();

	key_make();
	printf("listening on %s port %s\n", listen, port);
	fflush(stdout);
	for (;;) {
		control = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (control < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (control < 0)
			fail("accept: %s", strerror(errno));
		child = fork();
		if (!child) {
			/* Who kills the peer ends the run as well. */
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (getppid() != parent)
				_exit(1);
			close(fd);
			serve(control);
			exit(0);
		}
		close(control);
		if (child < 0)
			fail("fork: %s", strerror(errno));
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	}
}
