/*
 * control.c - the connection to D: frames in, answers and events out. There is one D at a time. The
 * socket is root's alone, so who connects is the next one, and takes the place of the last at once.
 */
#include "supervisor.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#ifndef AURAE_BUILD
#define AURAE_BUILD "development"
#endif

#define LARGEST     (MAX_RUNS * (MAX_RECORD + 8) + 64) /* STATE_IS with every slot in use */
#define SEND_BUFFER (1 << 20) /* what D may leave unread before it is disconnected */

static _Alignas(PAGE) uint8_t input[FRAME_HEADER + FRAME_MAX];
static _Alignas(PAGE) uint8_t output[LARGEST];
static size_t held; /* bytes in input: the beginning of a frame that has not come whole */
static struct writer out;
static bool greeted;
static int control = -1;
static uint32_t refused; /* connections that were ended for what came on them */

/* The connection has ended. Before there is a cell nobody could find us again. */
static void hang_up(void)
{
	unwatch(&control);
	held = 0;
	greeted = false;
	each_run(run)
		run->start_request = run->stop_request = 0;
	cell.end_request = 0;
	if (!cell.enclosed)
		_exit(1);
}

/* Begin a frame for D. */
struct writer *answer(uint16_t type, uint32_t request)
{
	out = (struct writer){ output, output + sizeof(output), false };
	frame_begin(&out, type, request);
	return &out;
}

/*
 * Send it, if there is a D. Nobody waits for one that does not read: it is disconnected when its
 * socket is full, and may connect again and ask.
 */
void answered(void)
{
	size_t size = (size_t)(out.at - output);

	frame_end(output, &out);
	if (control >= 0 &&
	    send(control, output, size, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)size)
		hang_up();
	if (size > PAGE)
		give_back(output, sizeof(output));
}

/* Answer that a step failed. Request 0 is nobody's. */
void answer_failed(uint32_t request, enum step step, int error)
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

/*
 * Read a hello, and answer with ours, also when it is of another version: so its sender learns whom
 * it met. Returns whether it was right: the first one names the cell, the next ones have to know it.
 */
static bool greet(struct reader *in)
{
	uint32_t magic = take_u32(in);
	uint16_t version = take_u16(in);
	const char *id = take_text(in, sizeof(cell.id) - 1);
	const char *boot = take_text(in, sizeof(cell.boot) - 1);

	take_text(in, 128); /* its build is for people */
	if (!take_end(in) || magic != HELLO_MAGIC || strlen(id) != sizeof(cell.id) - 1)
		return false;
	if (!cell.enclosed && version == HELLO_VERSION) {
		strcpy(cell.id, id);
		strcpy(cell.boot, boot);
	}
	answer(HELLO, 0);
	put_u32(&out, HELLO_MAGIC);
	put_u16(&out, HELLO_VERSION);
	put_text(&out, cell.id);
	put_text(&out, cell.boot);
	put_text(&out, AURAE_BUILD);
	answered();
	return version == HELLO_VERSION && strcmp(id, cell.id) == 0 && strcmp(boot, cell.boot) == 0;
}

/* STOP and SIGNAL: of a run that D knows. What has ended already is collected first: it was not us. */
static void stop_or_signal(uint16_t type, uint32_t request, uint64_t id, int number, uint32_t grace)
{
	struct run *run;

	collect();
	run = run_by_id(id);
	if (!run || run->state == FAILING || (type == SIGNAL && run->main == 0)) {
		answer_failed(request, STEP_run, ESRCH);
	} else if (number <= 0 || number >= _NSIG) {
		answer_failed(request, STEP_run, EINVAL);
	} else if (type == SIGNAL) {
		kill(run->main, number); /* only we reap, so it has this pid still */
		answer(DONE, request);
		answered();
	} else {
		answer_failed(run->stop_request, STEP_stop, ECANCELED);
		run->stop_request = request;
		run_stop(run, number, clock_now(CLOCK_MONOTONIC) + grace * MILLISECONDS);
	}
}

/* Do what a frame asks; returns false when it is none of ours, and then nothing was done. */
static bool serve(uint16_t type, uint32_t request, struct reader *in)
{
	uint64_t run = 0;
	uint32_t number = 0, grace = 0;

	if (!greeted)
		return greeted = type == HELLO && greet(in);
	if (request == 0 || cell.enclosed == (type == ENCLOSE))
		return false;
	if (type == ENCLOSE || type == START) {
		(type == START ? start_run : cell_enclose)(request, in);
		return !in->bad;
	}
	if (type == STOP || type == SIGNAL)
		run = take_u64(in), number = take_u32(in);
	if (type == STOP || type == END)
		grace = take_u32(in);
	if (!take_end(in))
		return false;
	switch (type) {
	case STOP:
	case SIGNAL:
		stop_or_signal(type, request, run, (int)number, grace);
		return true;
	case STATE:
		cell_state(answer(STATE_IS, request));
		run_list(&out);
		put_u32(&out, refused);
		answered();
		return true;
	case END:
		cell_end(request, grace);
		return true;
	default:
		return false;
	}
}

/* Serve the frame at `in`; returns its size, 0 when it has not come whole, -1 when it is a bad one. */
static ssize_t serve_next(struct reader in)
{
	uint32_t length = take_u32(&in), request;
	uint16_t type = take_u16(&in);

	request = take_u32(&in);
	if (in.bad)
		return 0;
	if (length > FRAME_MAX)
		return -1;
	if (length > (size_t)(in.end - in.at))
		return 0;
	in.end = in.at + length;
	return serve(type, request, &in) ? FRAME_HEADER + (ssize_t)length : -1;
}

/* Take in what D has sent and serve every frame that is whole. A bad one ends the connection. */
static void hear(void)
{
	struct iovec room = { input + held, sizeof(input) - held };
	struct msghdr message = { .msg_iov = &room, .msg_iovlen = 1 };
	ssize_t n = recvmsg(control, &message, MSG_DONTWAIT);
	size_t at = 0, had;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		hang_up();
		return;
	}
	had = held += (size_t)n;
	/* For descriptors there is no room: the kernel has closed those that came, and says so. */
	if (message.msg_flags & MSG_CTRUNC)
		n = -1;
	while (n > 0 && (n = serve_next((struct reader){ input + at, input + held, false })) > 0 &&
	       control >= 0)
		at += (size_t)n;
	if (n < 0)
		refused++, hang_up();
	if (control >= 0) {
		held -= at;
		memmove(input, input + at, held);
	}
	if (had > PAGE && held <= PAGE)
		give_back(input + PAGE, sizeof(input) - PAGE);
}

/* Take a connection for the one to D. One that cannot be watched is as good as gone. */
void control_adopt(int fd)
{
	int size = SEND_BUFFER;

	control = fd;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (watch(fd, EPOLLIN, CONTROL, 0) < 0)
		hang_up();
}

/* An event of the connection, or of the socket. */
void control_event(enum watched what)
{
	int caller = what == LISTENER ? accept4(cell.listener, NULL, NULL, SOCK_CLOEXEC) : -1;

	if (caller >= 0) {
		hang_up();
		control_adopt(caller);
	} else if (what == CONTROL && control >= 0) {
		hear();
	}
}
