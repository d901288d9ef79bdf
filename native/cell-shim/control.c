/*
 * control.c - the connection to D: frames in, answers and events out. There is one D at a time, and the
 * next one has to say the right hello before it takes the place of the last.
 */
#include "supervisor.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>

#ifndef AURAE_BUILD
#define AURAE_BUILD "development"
#endif

#define QUEUE_SIZE 65536
#define LARGEST    (MAX_RUNS * (MAX_RECORD + 8) + 64) /* STATE_IS with every slot in use */

static _Alignas(4096) uint8_t input[FRAME_HEADER + FRAME_MAX];
static _Alignas(4096) uint8_t queue[QUEUE_SIZE + LARGEST];
static size_t held; /* bytes in input: the beginning of a frame that has not come whole */
static struct writer out = { queue, queue + sizeof(queue), false };
static uint8_t *frame; /* that is being written */
static bool greeted, waits_to_send;
static int control = CONTROL_FD, listener = -1, caller = -1;

/* The connection has ended. Before there is a cell nobody could find us again. */
static void
hang_up(void)
{
	unwatch(&control);
	held = 0;
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
	if (control >= 0 && out.at - queue > QUEUE_SIZE)
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
	if (control < 0 || out.full || (request == 0 && type != RUN && type != INIT_DIED))
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
void
control_send(void)
{
	size_t size = (size_t)(out.at - queue);
	ssize_t n;

	if (control < 0 || size == 0)
		return;
	n = send(control, queue, size, MSG_DONTWAIT | MSG_NOSIGNAL);
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
		rewatch(control, waits_to_send ? EPOLLIN | EPOLLOUT : EPOLLIN, CONTROL, 0);
	}
}

/* End, but let the last frames go first: for a second at most. */
_Noreturn void
leave(int status)
{
	struct timeval limit = { .tv_sec = 1 };

	if (control >= 0 && out.at > queue) {
		setsockopt(control, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		send(control, queue, (size_t)(out.at - queue), MSG_NOSIGNAL);
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
		return greeted = type == HELLO && greet(control, in);
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

/* Find the frame at `in`: its whole size, 0 when it has not come whole, -1 when it is longer than `max`. */
static ssize_t
next_frame(struct reader *in, size_t max, uint16_t *type, uint32_t *request)
{
	uint32_t length = take_u32(in);

	*type = take_u16(in);
	*request = take_u32(in);
	if (in->bad)
		return 0;
	if (length > max)
		return -1;
	if (length > (size_t)(in->end - in->at))
		return 0;
	in->end = in->at + length;
	return FRAME_HEADER + (ssize_t)length;
}

/* Take in what D has sent and serve every frame that is whole. A bad one ends the connection. */
static void
hear(void)
{
	ssize_t n = recv(control, input + held, sizeof(input) - held, MSG_DONTWAIT);
	size_t at = 0, had;
	uint32_t request;
	uint16_t type;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		hang_up();
		return;
	}
	had = held += (size_t)n;
	for (;;) {
		struct reader in = { input + at, input + held, false };

		n = next_frame(&in, FRAME_MAX, &type, &request);
		if (n < 0 || (n > 0 && !serve(type, request, &in)))
			hang_up();
		if (n == 0 || control < 0)
			break;
		at += (size_t)n;
	}
	if (control >= 0) {
		held -= at;
		memmove(input, input + at, held);
	}
	if (had > PAGE && held <= PAGE)
		give_back(input + PAGE, sizeof(input) - PAGE);
}

/* A caller has sent something: if it is the right hello, and whole, its connection is the control now. */
static void
hear_caller(void)
{
	uint8_t bytes[512];
	/* A look only: what follows the hello stays in the socket, for hear(). */
	ssize_t n = recv(caller, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_PEEK);
	struct reader in = { bytes, bytes + (n < 0 ? 0 : n), false };
	uint32_t request;
	uint16_t type = 0;

	if (n > 0)
		n = next_frame(&in, sizeof(bytes) - FRAME_HEADER, &type, &request);
	else
		n = -1;
	if (n == 0)
		return;
	if (n < 0 || type != HELLO || !greet(caller, &in)) {
		unwatch(&caller);
		return;
	}
	hang_up();
	recv(caller, bytes, (size_t)n, MSG_DONTWAIT);
	control = caller;
	caller = -1;
	greeted = true;
	rewatch(control, EPOLLIN, CONTROL, 0);
}

/* Listen on this socket for the D of tomorrow. */
int
control_listen(int fd)
{
	listener = fd;
	return watch(fd, EPOLLIN, LISTENER, 0);
}

/* An event of the connection, of a caller, or of the socket. */
void
control_event(enum watched what, uint32_t events)
{
	if (what == CONTROL && control >= 0 && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		hear();
	} else if (what == CALLER && caller >= 0) {
		hear_caller();
	} else if (what == LISTENER) {
		/* A caller is nothing before its hello; a newer one takes its place. */
		unwatch(&caller);
		caller = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (caller >= 0 && watch(caller, EPOLLIN, CALLER, 0) < 0)
			unwatch(&caller);
	}
}
