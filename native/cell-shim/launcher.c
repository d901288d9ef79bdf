/*
 * launcher.c - aurae-launcher SOCKET SUPERVISOR CGROUPDIR...
 * Turns each connection into a supervisor that has it as descriptor 3, and reaps. It has no policy and
 * reads no byte, so nothing that is sent can harm it; supervisors outlive it.
 */
#include "frame.h"
#include "sys.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* The one line on descriptor 1 that says why there is no launcher. */
static _Noreturn void fail(const char *what, const char *which)
{
	dprintf(STDOUT_FILENO, "Cannot %s %s: %s\n", what, which, strerror(errno));
	_exit(1);
}

/*
 * Set every signal to its default, also those that libc keeps to itself, and let it come: Node starts
 * its children with SIGPIPE ignored, and every executable would inherit that.
 */
static void default_signals(void)
{
	static const unsigned long defaults[4];
	sigset_t none;

	for (int number = 1; number <= 64; number++)
		syscall(SYS_rt_sigaction, number, defaults, NULL, 8);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * Join one cgroup. `tasks` exists on v1 only; 0 means the writer, which alone is quick: another pid,
 * or cgroup.procs, waits for an RCU grace period of 7-15 ms. Paid once, every supervisor inherits.
 */
static void enter_group(const char *directory)
{
	int dir = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = openat(dir, "tasks", O_WRONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		fd = openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (dir < 0 || fd < 0 || write(fd, "0", 1) != 1)
		fail("join", directory);
	close(fd);
	close(dir);
}

/*
 * Listen on SOCKET, and return the descriptor. Bound under another name first: the socket that
 * appears has its mode, and one that a dead launcher left is replaced in one step.
 */
static int listen_on(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t room = sizeof(name.sun_path);

	errno = ENAMETOOLONG;
	if ((size_t)snprintf(name.sun_path, room, "%s.new", path) >= room || fd < 0 ||
	    (unlink(name.sun_path) < 0 && errno != ENOENT) ||
	    bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 ||
	    chmod(name.sun_path, 0600) < 0 || listen(fd, 128) < 0 ||
	    rename(name.sun_path, path) < 0)
		fail("listen on", path);
	return fd;
}

/* Tell D that no supervisor came of this connection. A peer that does not read is not waited for. */
static void refuse(int connection, int error)
{
	uint8_t bytes[64];
	struct writer out = { bytes, bytes + sizeof(bytes), false };

	frame_begin(&out, FAILED, 0);
	put_u32(&out, (uint32_t)error);
	put_text(&out, "launch");
	frame_end(bytes, &out);
	send(connection, bytes, (size_t)(out.at - bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* In the child: become the supervisor of this connection. */
static _Noreturn void supervise(int connection, char *supervisor)
{
	/* Descriptor 3 is the listening socket, if not the connection; neither is needed any more. */
	signal(SIGCHLD, SIG_DFL);
	if ((connection == 3 ? fcntl(3, F_SETFD, 0) : dup2(connection, 3)) >= 0)
		execve(supervisor, (char *[]){ supervisor, NULL }, (char *[]){ NULL });
	refuse(connection, errno);
	_exit(1);
}

int main(int argc, char **argv)
{
	int socket, null, refused = -1;

	sys_close_range(3, ~0U);
	errno = EINVAL;
	if (argc < 3)
		fail("start", "without SOCKET SUPERVISOR CGROUPDIR...");
	default_signals();
	for (int i = 3; i < argc; i++)
		enter_group(argv[i]);
	if (access(argv[2], X_OK) < 0)
		fail("run", argv[2]);
	/* With SIGCHLD ignored the kernel reaps for us: children, and what dead supervisors leave. */
	if ((setsid() < 0 && getsid(0) != getpid()) || signal(SIGCHLD, SIG_IGN) == SIG_ERR ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		fail("become", "a subreaper with a session of its own");
	socket = listen_on(argv[1]);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (chdir("/") < 0 || null < 0)
		fail("open", "/dev/null");
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		return 1;
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	close(null);

	/* From here on nothing may exit: without a launcher no cell can be made. */
	for (;;) {
		int connection = accept4(socket, NULL, NULL, SOCK_CLOEXEC);
		pid_t pid = connection < 0 ? -1 : sys_clone(0, -1);

		if (pid == 0)
			supervise(connection, argv[2]);
		if (connection >= 0 && pid < 0) {
			refuse(connection, errno);
			shutdown(connection, SHUT_WR);
			/* Closed at once, what D writes first would fail, and hide why. */
			close(refused);
			refused = connection;
		} else if (connection >= 0) {
			close(connection);
		} else if (errno != EINTR && errno != ECONNABORTED) {
			usleep(10000); /* out of descriptors or memory: it stays in the queue */
		}
	}
}
