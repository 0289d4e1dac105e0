// SPDX-License-Identifier: GPL-2.0-only
/*
 * A file, in records of the payload's size: read and sent, mapped and sent, by sendfile(), or by splice() through a
 * pipe. An UDP socket itself would make one datagram of all that one sendfile() gives it, so there a call is made
 * for each.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "bench.h"

static int file = -1;

/* A file without a name, of the payloads' bytes. */
int file_make(const char *directory, uint64_t size)
{
	static unsigned char chunk[1 << 20];
	int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	uint64_t done = 0;
	ssize_t n;

	if (fd < 0)
		fail("no file in %s: %s", directory, strerror(errno));
	while (done < size) {
		size_t part = size - done < sizeof(chunk) ? size - done : sizeof(chunk);

		payload_fill(chunk, part, done);
		n = write(fd, chunk, part);
		if (n <= 0)
			fail("file in %s: %s", directory, strerror(errno));
		done += n;
	}
	if (lseek(fd, 0, SEEK_SET))
		fail("file in %s: %s", directory, strerror(errno));
	return fd;
}

/* What is clean only can be dropped. */
static void drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	if (fsync(file))
		fail("the file cannot be written out: %s", strerror(errno));
	if (fd < 0 || write(fd, "3", 1) != 1)
		unsupported("drop_caches: %s", strerror(errno));
	close(fd);
}

/* Not part of the load. */
void file_prepare(const struct request *r)
{
	file = file_make(r->directory, r->most);
	if (r->drop_caches)
		drop_caches();
}

static void by_read(struct end *e, struct load *l, uint64_t size)
{
	static unsigned char buffer[MOST_PAYLOAD];
	ssize_t n;

	while (l->bytes < size) {
		n = read(file, buffer, e->request.payload);
		if (n <= 0)
			fail("file: %s", n ? strerror(errno) : "too short");
		channel_put(&e->session, buffer, n);
		l->bytes += n;
		l->records++;
		l->calls += 2;
	}
}

static void by_mmap(struct end *e, struct load *l, uint64_t size)
{
	const size_t payload = e->request.payload;
	unsigned char *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);

	if (map == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	while (l->bytes < size) {
		size_t part = size - l->bytes < payload ? size - l->bytes : payload;

		channel_put(&e->session, map + l->bytes, part);
		l->bytes += part;
		l->records++;
		l->calls++;
	}
	l->calls += 2;
	munmap(map, size);
}

static void by_sendfile(struct end *e, struct load *l, uint64_t size)
{
	bool each = !e->session.stream && e->session.tx == RAW;
	uint64_t before = kernel_records(&e->session);
	ssize_t n;

	while (l->bytes < size) {
		n = sendfile(e->session.fd, file, NULL, each ? e->request.payload : size - l->bytes);
		l->calls++;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			fail("sendfile: %s", n ? strerror(errno) : "file too short");
		l->bytes += n;
	}
	l->records = kernel_records(&e->session) - before;
	/* Nobody counts them: as many as it takes. */
	if (!l->records)
		l->records = (size + e->session.record_size - 1) / e->session.record_size;
}

static void by_splice(struct end *e, struct load *l, uint64_t size)
{
	size_t length, part;
	int pipes[2];
	ssize_t n;

	if (pipe2(pipes, O_CLOEXEC))
		fail("pipe: %s", strerror(errno));
	while (l->bytes < size) {
		part = size - l->bytes < e->request.payload ? size - l->bytes : e->request.payload;
		for (length = 0; length < part; length += n) {
			n = splice(file, NULL, pipes[1], NULL, part - length, 0);
			l->calls++;
			if (n <= 0)
				fail("splice from the file: %s", n ? strerror(errno) : "too short");
		}
		channel_splice_out(&e->session, pipes[0], length);
		l->calls++;
		l->bytes += length;
		l->records++;
	}
	close(pipes[0]);
	close(pipes[1]);
}

void file_send(struct end *e, struct load *l)
{
	uint64_t size = e->request.most;

	usage_begin(&l->usage);
	switch (e->request.way) {
	case USER_SEND:
		by_read(e, l, size);
		break;
	case MMAP:
		by_mmap(e, l, size);
		break;
	case SENDFILE:
		by_sendfile(e, l, size);
		break;
	default:
		by_splice(e, l, size);
	}
	usage_end(&l->usage);
}
