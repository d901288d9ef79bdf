/*
 * stage.c - aurae-stage: the way into a cell. It joins the cgroups, enters the namespaces and clones the
 * newcomer, with CLONE_PARENT a child of the supervisor: an executable, or I, the cell's init.
 *
 * Root in a cell can take the memory and descriptors of any process it sees. So this program is exec'd
 * and holds nothing of the supervisor's memory, stays outside of the cell's PID namespace, where it
 * is not seen, and the newcomer is given nothing but what is its own. The newcomer never shares our
 * memory (no CLONE_VM): who is written to through it would still be in the host's PID namespace.
 */
#include "sys.h"

#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define BIT(capability) (1ULL << (capability))

/* Root of a cell has these, and nobody in it can have another. */
static const uint64_t cell_capabilities =
	BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_KILL) |
	BIT(CAP_SETGID) | BIT(CAP_SETUID) | BIT(CAP_SETPCAP) | BIT(CAP_NET_BIND_SERVICE) |
	BIT(CAP_SYS_CHROOT) | BIT(CAP_SETFCAP) | BIT(CAP_AUDIT_WRITE);

static struct order order;

/* Say where it ended, and end. */
static _Noreturn void fail(enum step step)
{
	tell(order.fds[REPORT_PIPE], (int)step, errno);
	_exit(1);
}

/* Write 0, which is the writer itself, to `tasks` files of v1: 15 us each, where a pid costs 7 ms. */
static void join(uint32_t first, uint32_t end)
{
	for (uint32_t i = first; i < end; i++)
		if (write(order.fds[TASKS + i], "0", 1) != 1)
			fail(STEP_cgroup);
}

/* Have these capabilities and no other; the inheritable ones are none. Returns 0 or -1. */
static int set_capabilities(uint64_t permitted, uint64_t effective)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .permitted = (uint32_t)permitted, .effective = (uint32_t)effective },
		{ .permitted = (uint32_t)(permitted >> 32),
		  .effective = (uint32_t)(effective >> 32) },
	};

	return (int)syscall(SYS_capset, &header, data);
}

/* Make a path and all mounts below it read-only. Returns 0 or -1. */
static int make_read_only(const char *path)
{
	uint64_t attributes[4] = { 1 /* set MOUNT_ATTR_RDONLY */ };
	int tries = 0;

	while (syscall(SYS_mount_setattr, AT_FDCWD, path, 0x8000 /* AT_RECURSIVE */, attributes,
		       sizeof(attributes)) < 0)
		/* EINVAL: nothing is mounted there yet, and only a mount can be read-only. */
		if (errno != EINVAL || tries++ > 0 ||
		    mount(path, path, NULL, MS_BIND | MS_REC, NULL) < 0)
			return -1;
	return 0;
}

/*
 * The mounts of the cell. "/" becomes a slave first: where it is shared, as under systemd, a mount
 * of /proc made here would replace the host's.
 */
static void arrange_mounts(char **read_only)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		fail(STEP_mount);
	if (order.namespaces & CLONE_NEWPID &&
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		fail(STEP_mount);
	for (; *read_only; read_only++)
		if (make_read_only(*read_only) < 0)
			fail(STEP_mount);
}

/* A new network namespace has its loopback down. */
static void raise_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		fail(STEP_loopback);
}

/*
 * PID 1 of the cell: furnish its namespaces, then hold nothing and do nothing. Root in the cell may try
 * to take it over, and would gain nothing. It ends by SIGKILL only, from the supervisor or from the
 * kernel when the supervisor dies; with it ends every process of the cell.
 */
static _Noreturn void serve_as_init(char **argv)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || FAILPOINT("enclose.init"))
		fail(STEP_clone);
	if (order.namespaces & CLONE_NEWNS)
		arrange_mounts(argv + 2);
	if (order.namespaces & CLONE_NEWUTS && sethostname(argv[1], strlen(argv[1])) < 0)
		fail(STEP_hostname);
	if (order.namespaces & CLONE_NEWNET)
		raise_loopback();
	/* ptrace is refused to whoever has fewer capabilities: no process of a cell has this one. */
	if (set_capabilities(BIT(CAP_WAKE_ALARM), 0) < 0)
		fail(STEP_capabilities);

	/* What it was told is nobody's business: /proc/1/cmdline says its name and no more. */
	strcpy(argv[0], "aurae-init");
	for (argv++; *argv; argv++)
		memset(*argv, 0, strlen(*argv));
	prctl(PR_SET_NAME, "aurae-init");
	/* The kernel reaps for a process that ignores SIGCHLD; there is nothing to wake up for. */
	signal(SIGCHLD, SIG_IGN);
	/* A supervisor that died before PDEATHSIG was set sends no signal: but nobody reads this then. */
	if (tell(order.fds[REPORT_PIPE], REPORT_READY, 0) < 0)
		_exit(1);
	sys_close_range(0, ~0U);

	/* From here on nothing may exit: when PID 1 goes, the kernel kills the cell. */
	for (;;)
		pause();
}

/*
 * Make the cell's init; argv has its host name and read-only paths. The cgroup namespace has its root
 * where we are now, in the cell's directory: unshared after the move to _init, or by the clone,
 * executables would see "/../x" in /proc/self/cgroup.
 */
static _Noreturn void make_init(char **argv)
{
	uint64_t flags = CLONE_PARENT | (order.namespaces & ~(uint32_t)CLONE_NEWCGROUP);
	pid_t pid = 0;

	/* Only who lives in a PID namespace can make one below it, and setns() moves children alone. */
	if (order.fds[PARENT] >= 0 && order.namespaces & CLONE_NEWPID)
		pid = sys_clone(CLONE_PARENT, -1);
	if (pid == 0) {
		if (order.namespaces & CLONE_NEWCGROUP && unshare(CLONE_NEWCGROUP) < 0)
			fail(STEP_unshare);
		join(order.joins, order.tasks);
		pid = sys_clone(flags, order.fds[INTO]);
		if (pid == 0)
			serve_as_init(argv);
	}
	if (pid < 0)
		fail(STEP_clone);
	_exit(0);
}

/* Have its own descriptors and no other: stdio, and the report, which exec closes. Returns 0 or -1. */
static int take_descriptors(void)
{
	enum { REPORT = 3 };

	if (dup2(order.fds[OUT_PIPE], STDOUT_FILENO) < 0 ||
	    dup2(order.fds[ERR_PIPE], STDERR_FILENO) < 0 ||
	    dup2(order.fds[REPORT_PIPE], REPORT) < 0)
		return -1;
	order.fds[REPORT_PIPE] = REPORT;
	if (fcntl(REPORT, F_SETFD, FD_CLOEXEC) < 0)
		return -1;
	return sys_close_range(REPORT + 1, ~0U);
}

/*
 * Become the user and group of the order, with no way back: the bounding set is cut, so that no exec
 * brings a capability back. Returns 0 or -1.
 */
static int take_identity(void)
{
	struct rlimit files;

	umask(022);
	/* A capability that this kernel does not know ends the list with EINVAL. */
	for (unsigned long number = 0; number < 64; number++)
		if (!(cell_capabilities & BIT(number)) && prctl(PR_CAPBSET_DROP, number) < 0) {
			if (errno == EINVAL && number > CAP_AUDIT_READ)
				break;
			return -1;
		}
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return -1;
	/* Programs that use select() break on descriptors above 1,024; the hard limit stays. */
	if (files.rlim_max > 1024)
		files.rlim_cur = 1024;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    set_capabilities(cell_capabilities, cell_capabilities) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(order.gid, order.gid, order.gid) < 0 ||
	    setresuid(order.uid, order.uid, order.uid) < 0)
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* Start an executable; argv has its working directory and its own argv, the environment is its own. */
static _Noreturn void start(char **argv)
{
	sigset_t none;
	pid_t pid;

	if (take_descriptors() < 0)
		fail(STEP_pipe);
	if (chdir(argv[1]) < 0)
		fail(STEP_chdir);
	if (take_identity() < 0)
		fail(STEP_identity);
	pid = sys_clone(CLONE_PARENT, -1);
	if (pid < 0)
		fail(STEP_clone);
	if (pid > 0)
		_exit(tell(order.fds[REPORT_PIPE], REPORT_PID, pid) < 0);

	/* In the cell, and seen there. exec closes the report: its end without a failure is the news. */
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(FAILPOINT("start.4.cloned") ? "" : argv[2], argv + 2);
	fail(STEP_exec);
}

int main(int argc, char **argv)
{
	if (argc < 2 || read(ORDER_FD, &order, sizeof(order)) != (ssize_t)sizeof(order) ||
	    order.joins > order.tasks || order.tasks > FDS - TASKS)
		return 1;
	join(0, order.joins);
	if (order.fds[PARENT] >= 0 && setns(order.fds[PARENT], CELL_NAMESPACES) < 0)
		fail(STEP_enter);
	if (order.init)
		make_init(argv);
	start(argv);
}
