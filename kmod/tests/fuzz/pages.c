// SPDX-License-Identifier: GPL-2.0-only
/* Pages that others have too, on their way in and out: sendfile, vmsplice, splice, tee. */
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "fuzz.h"

static int a_file(void)
{
	return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
}

bool call_sendfile(struct self *me)
{
	off_t from = any(me, 5000);
	int file = a_file();
	bool done = sendfile(a_ktls(me), file, &from, any(me, 20000)) > 0;

	if (file >= 0)
		close(file);
	return done;
}

/* A pipe that never waits. */
static bool a_pipe(int fds[2])
{
	return !pipe2(fds, O_NONBLOCK | O_CLOEXEC);
}

static void close_both(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

/* Memory or a file by a pipe into a socket. The memory is written to meanwhile, by whatever this thread does next. */
bool call_splice_in(struct self *me)
{
	struct iovec part = { me->buffer, 1 + any(me, 8000) };
	int fds[2], file, flags = SPLICE_F_NONBLOCK | (any(me, 2) ? SPLICE_F_MORE : 0);
	bool done;

	if (!a_pipe(fds))
		return false;
	if (any(me, 2)) {
		vmsplice(fds[1], &part, 1, SPLICE_F_NONBLOCK);
	} else {
		file = a_file();
		splice(file, NULL, fds[1], NULL, part.iov_len, SPLICE_F_NONBLOCK);
		if (file >= 0)
			close(file);
	}
	done = splice(fds[0], NULL, a_ktls(me), NULL, 1 + any(me, 8000), flags) > 0;
	close_both(fds);
	return done;
}

/* A socket's records into a pipe, and from there to nobody, to this thread, or into a socket again. */
bool call_splice_out(struct self *me)
{
	int fds[2], more[2], fd = a_ktls(me);
	bool done;

	if (!a_pipe(fds))
		return false;
	done = splice(fd, NULL, fds[1], NULL, 1 + any(me, 20000), SPLICE_F_NONBLOCK) > 0;
	if (done && any(me, 2) && a_pipe(more)) {
		tee(fds[0], more[1], 4096, SPLICE_F_NONBLOCK);
		splice(more[0], NULL, a_ktls(me), NULL, 4096, SPLICE_F_NONBLOCK);
		close_both(more);
	}
	if (done && any(me, 2))
		done = read(fds[0], me->buffer, 4096) > 0;
	close_both(fds);
	return done;
}
