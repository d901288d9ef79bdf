/*
 * supervisor.c - aurae-supervisor: one thread around epoll, and the connection to D. It starts with the
 * connection as descriptor 3, and ends with the cell.
 */
#include "supervisor.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#ifndef AURAE_BUILD
#define AURAE_BUILD "development"
#endif

#define QUEUE_SIZE 65536
#define LARGEST    (MAX_RUNS * (MAX_RECORD + 8) + 64) /* STATE_IS with every slot in use */
#define BATCH      64
#define PAGE       4096UL

/* A connection, and the beginning of a frame that has not come whole. */
struct peer {
	int fd;
	uint8_t *bytes;
	size_t size, held;
};

static _Alignas(4096) uint8_t control_bytes[FRAME_HEADER + FRAME_MAX];
static _Alignas(4096) uint8_t queue[QUEUE_SIZE + LARGEST];
static uint8_t caller_bytes[512];

static struct peer control = { 3, control_bytes, sizeof(control_bytes), 0 };
static struct peer caller = { -1, caller_bytes, sizeof(caller_bytes), 0 };
static struct writer out = { queue, queue + sizeof(queue), false };
static uint8_t *frame; /* that is being written */
static bool greeted, waits_to_send;
static int poller, listener = -1;
static int64_t wake = NEVER;

/* Wait for events of a descriptor; returns 0 or -1. */
int
watch(int fd, uint32_t events, enum watched what, uint32_t slot)
{
	struct epoll_event event = { .events = events, .data.u32 = (uint32_t)what << 16 | slot };

	if (what == LISTENER)
		listener = fd;
	return epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

/* Look away from a pipe, or back at it; its end is always seen. */
void
rest(int fd, enum watched what, uint32_t slot, bool resting)
{
	struct epoll_event event = { .events = resting ? 0 : EPOLLIN,
				     .data.u32 = (uint32_t)what << 16 | slot };

	epoll_ctl(poller, EPOLL_CTL_MOD, fd, &event);
}

/* Close a descriptor. Taken out first: epoll goes on while a child that has not exec'd yet has a copy. */
void
unwatch(int *fd)
{
	if (*fd < 0)
		return;
	epoll_ctl(poller, EPOLL_CTL_DEL, *fd, NULL);
	close(*fd);
	*fd = -1;
}

/* Ask for a tick at a time of CLOCK_MONOTONIC, or before. */
void
wake_at(int64_t when)
{
	if (when < wake)
		wake = when;
}

/* A clock in nanoseconds. */
int64_t
clock_now(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Give the whole pages of a buffer back to the kernel; they read as zeros afterwards. */
void
give_back(void *memory, size_t size)
{
	uintptr_t from = ((uintptr_t)memory + PAGE - 1) & ~(PAGE - 1);
	uintptr_t to = ((uintptr_t)memory + size) & ~(PAGE - 1);

	if (to > from)
		madvise((void *)from, to - from, MADV_DONTNEED);
}

/* The connection has ended. Before there is a cell nobody could find us again. */
static void
hang_up(void)
{
	unwatch(&control.fd);
	control.held = 0;
	out.at = queue;
	out.full = greeted = waits_to_send = false;
	run_forget_requests();
	cell.end_request = 0;
	if (!cell.enclosed)
		leave(1);
}

/*
 * Begin a frame for D; what is written goes nowhere when there is no connection, or nobody to answer.
 * A D that has let the queue fill is gone before: it may connect again and ask.
 */
struct writer *
answer(uint16_t type, uint32_t request)
{
	if (control.fd >= 0 && out.at - queue > QUEUE_SIZE)
		hang_up();
	frame = frame_begin(&out, type, request);
	return &out;
}

/* End it. It is sent when all that happened at once has been written. */
void
answered(void)
{
	uint16_t type;
	uint32_t request;

	memcpy(&type, frame + 4, sizeof(type));
	memcpy(&request, frame + 6, sizeof(request));
	if (control.fd < 0 || out.full || (request == 0 && type != RUN && type != INIT_DIED))
		out.at = frame;
	else
		frame_end(&out, frame);
	out.full = false;
}

/* Answer that a step failed. Request 0 is nobody's. */
void
answer_failed(uint32_t request, int error, enum step step)
{
#define STEP_NAME(name) #name,
	static const char *const names[] = { STEPS(STEP_NAME) };

	if (request == 0)
		return;
	answer(FAILED, request);
	put_u32(&out, (uint32_t)error);
	put_text(&out, names[step]);
	answered();
}

/* Send what is queued, as far as it goes without waiting. */
static void
send_queue(void)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = CONTROL << 16 };
	size_t size = (size_t)(out.at - queue);
	ssize_t n;

	if (control.fd < 0 || size == 0)
		return;
	n = send(control.fd, queue, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		hang_up();
		return;
	}
	if (n > 0) {
		memmove(queue, queue + n, size - (size_t)n);
		out.at -= n;
		if (size > PAGE)
			give_back(queue + PAGE, sizeof(queue) - PAGE);
	}
	if (waits_to_send != (out.at > queue)) {
		waits_to_send = out.at > queue;
		if (waits_to_send)
			event.events |= EPOLLOUT;
		epoll_ctl(poller, EPOLL_CTL_MOD, control.fd, &event);
	}
}

/* End, but let the last frames go first: for a second at most. */
_Noreturn void
leave(int status)
{
	struct pollfd peer = { .fd = control.fd, .events = POLLOUT };

	while (control.fd >= 0 && out.at > queue && status >= 0) {
		ssize_t n = send(control.fd, queue, (size_t)(out.at - queue),
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && (errno != EAGAIN || poll(&peer, 1, 1000) <= 0))
			break;
		if (n > 0) {
			memmove(queue, queue + n, (size_t)(out.at - queue - n));
			out.at -= n;
		}
	}
	_exit(status);
}

/*
 * Read a hello, and answer with ours, also when it is of another version: so its sender learns whom
 * it met. Returns whether it was right: the first one names the cell, the next ones have to know it.
 */
static bool
greet(int fd, struct reader *in)
{
	uint8_t bytes[256];
	struct writer reply = { bytes, bytes + sizeof(bytes), false };
	uint32_t magic = take_u32(in);
	uint16_t version = take_u16(in);
	const char *id = take_text(in, sizeof(cell.id) - 1);
	const char *boot = take_text(in, sizeof(cell.boot) - 1);
	uint8_t *hello;

	take_text(in, 128); /* its build is for people */
	if (!take_end(in) || magic != HELLO_MAGIC || strlen(id) != sizeof(cell.id) - 1)
		return false;
	if (!cell.enclosed && version == HELLO_VERSION) {
		strcpy(cell.id, id);
		strcpy(cell.boot, boot);
	}
	hello = frame_begin(&reply, HELLO, 0);
	put_u32(&reply, HELLO_MAGIC);
	put_u16(&reply, HELLO_VERSION);
	put_text(&reply, cell.id);
	put_text(&reply, cell.boot);
	put_text(&reply, AURAE_BUILD);
	frame_end(&reply, hello);
	send(fd, bytes, (size_t)(reply.at - bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
	return version == HELLO_VERSION && strcmp(id, cell.id) == 0 && strcmp(boot, cell.boot) == 0;
}

/* Do what a frame asks; returns false when it is none of ours, and then nothing was done. */
static bool
serve(uint16_t type, uint32_t request, struct reader *in)
{
	uint64_t run;
	uint32_t number, grace;

	if (!greeted)
		return greeted = type == HELLO && greet(control.fd, in);
	if (request == 0 || cell.enclosed == (type == ENCLOSE))
		return false;
	switch (type) {
	case ENCLOSE:
		cell_enclose(request, in);
		return !in->bad;
	case START:
		run_start(request, in);
		return !in->bad;
	case STOP:
	case SIGNAL:
		run = take_u64(in);
		number = take_u32(in);
		grace = type == STOP ? take_u32(in) : 0;
		if (!take_end(in))
			return false;
		if (type == STOP)
			run_stop(request, run, number, grace);
		else
			run_signal(request, run, number);
		return true;
	case STATE:
		if (!take_end(in))
			return false;
		cell_state(answer(STATE_IS, request));
		run_list(&out);
		answered();
		return true;
	case END:
		grace = take_u32(in);
		if (!take_end(in))
			return false;
		cell_end(request, grace);
		return true;
	default:
		return false;
	}
}

/* Find the first frame at `at`: its whole size, 0 when it has not come whole, -1 when it is too long. */
static ssize_t
frame_at(const struct peer *peer, size_t at, uint16_t *type, uint32_t *request, struct reader *in)
{
	struct reader header = { peer->bytes + at, peer->bytes + peer->held, false };
	uint32_t length = take_u32(&header);

	*type = take_u16(&header);
	*request = take_u32(&header);
	if (header.bad)
		return 0;
	if (length > peer->size - FRAME_HEADER)
		return -1;
	if (length > (size_t)(header.end - header.at))
		return 0;
	*in = (struct reader){ header.at, header.at + length, false };
	return FRAME_HEADER + (ssize_t)length;
}

/* Serve every frame that is there. A bad one ends the connection. */
static void
serve_all(void)
{
	size_t at = 0, held = control.held;
	struct reader in;
	uint16_t type;
	uint32_t request;
	ssize_t n;

	while ((n = frame_at(&control, at, &type, &request, &in)) > 0) {
		if (!serve(type, request, &in)) {
			n = -1;
			break;
		}
		if (control.fd < 0)
			return;
		at += (size_t)n;
	}
	if (n < 0) {
		hang_up();
		return;
	}
	control.held -= at;
	memmove(control.bytes, control.bytes + at, control.held);
	if (held > PAGE && control.held <= PAGE)
		give_back(control.bytes + PAGE, control.size - PAGE);
}

/* Take in what a peer has sent; returns false when it has gone. */
static bool
receive(struct peer *peer)
{
	ssize_t n = recv(peer->fd, peer->bytes + peer->held, peer->size - peer->held, MSG_DONTWAIT);

	if (n > 0)
		peer->held += (size_t)n;
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* A new connection. It is nothing before its hello; a newer one takes its place. */
static void
accept_caller(void)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	unwatch(&caller.fd);
	caller.fd = fd;
	caller.held = 0;
	if (watch(fd, EPOLLIN, CALLER, 0) < 0)
		unwatch(&caller.fd);
}

/* A caller has sent something: if it is the right hello, it takes the place of the connection. */
static void
hear_caller(void)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = CONTROL << 16 };
	struct reader in;
	uint16_t type;
	uint32_t request;
	ssize_t n;

	if (!receive(&caller)) {
		unwatch(&caller.fd);
		return;
	}
	n = frame_at(&caller, 0, &type, &request, &in);
	if (n == 0)
		return;
	if (n < 0 || type != HELLO || !greet(caller.fd, &in)) {
		unwatch(&caller.fd);
		return;
	}
	hang_up();
	control.fd = caller.fd;
	caller.fd = -1;
	greeted = true;
	epoll_ctl(poller, EPOLL_CTL_MOD, control.fd, &event);
	control.held = caller.held - (size_t)n;
	memcpy(control.bytes, caller.bytes + n, control.held);
	serve_all();
}

/* One event of epoll. */
static void
handle(const struct epoll_event *event, int children)
{
	enum watched what = (enum watched)(event->data.u32 >> 16);
	struct signalfd_siginfo info;

	switch (what) {
	case CONTROL:
		if (control.fd < 0 || !(event->events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
			return;
		if (receive(&control))
			serve_all();
		else
			hang_up();
		return;
	case CALLER:
		if (caller.fd >= 0)
			hear_caller();
		return;
	case LISTENER:
		accept_caller();
		return;
	case CHILDREN:
		/* Many ends may be one signal: it says no more than that there is something. */
		if (read(children, &info, sizeof(info)) > 0)
			collect();
		return;
	case CELL_EVENTS:
		return; /* cell_settle() looks */
	case REPORT:
	case RUN_EVENTS:
	case OUT:
	case ERR:
		run_event(what, event->data.u32 & 0xffff, event->events);
	}
}

/* Wait for events until the next tick is due; returns how many there are. */
static int
wait_for_events(struct epoll_event *events)
{
	struct timespec timeout = { 0 };
	int64_t left = wake == NEVER ? NEVER : wake - clock_now(CLOCK_MONOTONIC);

	if (left > 0) {
		timeout.tv_sec = left / 1000000000;
		timeout.tv_nsec = left % 1000000000;
	}
	/* In nanoseconds: pauses between reads are shorter than epoll_wait() can wait. */
	return (int)syscall(SYS_epoll_pwait2, poller, events, BATCH,
			    wake == NEVER ? NULL : &timeout, NULL, 0);
}

/* Be as alone as a program can be: what we are given by accident, executables would have too. */
static int
settle_in(void)
{
	struct rlimit files;
	sigset_t all;

	sys_close_range(4, ~0U, 0);
	umask(077);
	sys_default_signals();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (fcntl(3, F_SETFD, FD_CLOEXEC) < 0 || getrlimit(RLIMIT_NOFILE, &files) < 0)
		return -1;
	files.rlim_cur = files.rlim_max; /* 512 runs have four descriptors each */
	setrlimit(RLIMIT_NOFILE, &files);
	sigemptyset(&all);
	sigaddset(&all, SIGCHLD);
	return signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
}

int
main(void)
{
	struct epoll_event events[BATCH];
	int children = settle_in();

	poller = epoll_create1(EPOLL_CLOEXEC);
	if (children < 0 || poller < 0 || !cell_open_programs() ||
	    watch(children, EPOLLIN, CHILDREN, 0) < 0 || watch(3, EPOLLIN, CONTROL, 0) < 0)
		return 1;
	for (;;) {
		int n = wait_for_events(events);
		int64_t now;

		for (int i = 0; i < n; i++)
			handle(&events[i], children);
		now = clock_now(CLOCK_MONOTONIC);
		if (now >= wake) {
			wake = NEVER;
			run_tick(now);
		}
		cell_settle();
		send_queue();
	}
}
