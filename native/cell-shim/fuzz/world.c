/* world.c - the descriptors and files of the imaginary kernel. */
#include "world.h"

#include <errno.h>
#include <sanitizer/asan_interface.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world world;
static jmp_buf way_out;

/* Forget everything; what a target asked to be told stays to be said anew. */
void world_reset(void)
{
	memset(world.fds, 0, (size_t)world.top * sizeof(world.fds[0]));
	memset(world.children, 0, (size_t)world.next_child * sizeof(world.children[0]));
	memset(&world, 0, offsetof(struct world, fds));
	world.now = 1000000000000000000;
}

_Noreturn void world_broken(const char *fact, const char *file, int line)
{
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, fact);
	abort();
}

bool world_run(void (*work)(void))
{
	if (setjmp(way_out) != 0)
		return false;
	work();
	return true;
}

_Noreturn void world_exit(int status)
{
	(void)status;
	longjmp(way_out, 1);
}

/* Returns whether the next call succeeds; when it does not, errno says why. */
bool world_luck(void)
{
	static const uint8_t errors[] = { EPERM,  ENOENT, ESRCH,  EINTR,  EIO,    EAGAIN, ENOMEM,
					  EACCES, EEXIST, EINVAL, EMFILE, ENOSPC, EPIPE,  ENODEV };
	uint8_t byte = world.luck.at < world.luck.end ? *world.luck.at++ : 0;

	if (byte < 256 - sizeof(errors))
		return true;
	errno = errors[255 - byte];
	return false;
}

/* Returns the index of a descriptor that is open, or -1. */
static int look(int fd)
{
	bool known = fd >= FIRST_FD && fd < FIRST_FD + FDS_OPEN && world.fds[fd - FIRST_FD].open;

	/* Standard ones and the order's are always there; a negative one is an error that was passed on. */
	MAKE_SURE(known || world.lax || fd <= 3);
	errno = EBADF;
	return known ? fd - FIRST_FD : -1;
}

int world_new_fd(const char *path)
{
	size_t length = strlen(path), room = sizeof(world.fds[0].path) - 1;
	int fd = 0;

	if (!world_luck())
		return -1;
	while (world.fds[fd].open)
		MAKE_SURE(++fd < FDS_OPEN);
	world.fds[fd].open = true;
	world.fds[fd].source = NULL;
	strcpy(world.fds[fd].path, length > room ? path + length - room : path);
	world.open++;
	world.top = fd < world.top ? world.top : fd + 1;
	return FIRST_FD + fd;
}

int world_open(int dir, const char *path, int flags, ...)
{
	struct source *source = NULL;
	int fd;

	(void)flags;
	if (world.has_spare && strcmp(path, "/") == 0)
		return SPARE_FD;
	if (*path != '/' && look(dir) < 0 && dir != -100 /* AT_FDCWD */)
		return -1;
	if (world.find) {
		source = world.find(path);
		errno = ENOENT;
		if (!source)
			return -1;
	}
	fd = world_new_fd(path);
	if (fd >= 0)
		world.fds[fd - FIRST_FD].source = source;
	return fd;
}

int world_close(int fd)
{
	int at = fd == SPARE_FD ? -1 : look(fd);

	if (at < 0)
		return -1;
	world.fds[at].open = false;
	world.open--;
	return 0;
}

int world_pipe(int fds[2])
{
	int reader = world_new_fd("reader"), writer;

	if (reader < 0)
		return -1;
	writer = world_new_fd("writer");
	if (writer < 0) {
		world_close(reader);
		return -1;
	}
	fds[0] = reader;
	fds[1] = writer;
	return 0;
}

int world_dup2(int from, int to)
{
	return from <= 3 || look(from) >= 0 ? (world_luck() ? to : -1) : -1;
}

ssize_t world_read(int fd, void *to, size_t size)
{
	int at = look(fd);
	struct source *source = fd == 3 ? &world.order : at < 0 ? NULL : world.fds[at].source;
	size_t left;

	/* There has to be room for what is asked for: the last byte says so, and is quick to look at. */
	MAKE_SURE(size == 0 || !__asan_address_is_poisoned((char *)to + size - 1));
	if ((at < 0 && fd != 3) || !world_luck())
		return -1;
	if (!source)
		return 0;
	left = (size_t)(source->end - source->at);
	size = size < left ? size : left;
	if (source->cuts && source->cuts->at < source->cuts->end) {
		size_t cut = 1 + (size_t)take_u8(source->cuts) * 17;

		size = size < cut ? size : cut;
	}
	errno = source->error;
	if (left == 0)
		return source->error ? -1 : 0;
	memcpy(to, source->at, size);
	source->at += size;
	return (ssize_t)size;
}

ssize_t world_receive(int fd, struct msghdr *message)
{
	message->msg_flags = world.descriptors ? MSG_CTRUNC : 0;
	return world_read(fd, message->msg_iov->iov_base, message->msg_iov->iov_len);
}

ssize_t world_pread(int fd, void *to, size_t size, off_t from)
{
	int at = look(fd);

	if (at >= 0 && world.fds[at].source) {
		/* A file of the kernel: made anew for each look. */
		struct source *source = world.find ? world.find(world.fds[at].path) : NULL;

		errno = ENODEV;
		if (!source)
			return -1;
		source->at = source->from + from;
		world.fds[at].source = source;
	}
	return world_read(fd, to, size);
}

ssize_t world_write(int fd, const void *from, size_t size, off_t offset)
{
	int at = look(fd);

	MAKE_SURE(!__asan_region_is_poisoned((void *)from, size));
	if ((at < 0 && fd != 1) || !world_luck())
		return -1;
	return world.written
		       ? world.written(fd, at < 0 ? "" : world.fds[at].path, from, size, offset)
		       : (ssize_t)size;
}

ssize_t world_send(int fd, const void *from, size_t size)
{
	MAKE_SURE(!__asan_region_is_poisoned((void *)from, size));
	if (look(fd) < 0 || !world_luck())
		return -1;
	if (world.sent)
		world.sent(from, size);
	return (ssize_t)size;
}
