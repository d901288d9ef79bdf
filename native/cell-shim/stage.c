/*
 * stage.c - aurae-stage ORDER ...: the way into a cell. It joins the cgroups, enters the namespaces and
 * clones the newcomer, with CLONE_PARENT a child of the supervisor, which so gets its exit status.
 *
 * Root in a cell can take the memory and descriptors of any process it sees. So this program is exec'd
 * and holds nothing of the supervisor's memory, stays outside of the cell's PID namespace, where it
 * is not seen, and the newcomer is given nothing but what is its own. The newcomer never shares our
 * memory (no CLONE_VM): who is written to through it would still be in the host's PID namespace.
 */
#include "sys.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define BIT(capability) (1ULL << (capability))

/* Root of a cell has these, and nobody in it can have another. */
static const uint64_t cell_capabilities =
	BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_KILL) |
	BIT(CAP_SETGID) | BIT(CAP_SETUID) | BIT(CAP_SETPCAP) | BIT(CAP_NET_BIND_SERVICE) |
	BIT(CAP_SYS_CHROOT) | BIT(CAP_SETFCAP) | BIT(CAP_AUDIT_WRITE);

/* Say where it ended, and end. */
static _Noreturn void
fail(int report, enum step step)
{
	tell(report, (int)step, errno);
	_exit(1);
}

/* Write 0, which is the writer itself, to `tasks` files of v1: 15 us each, where a pid costs 7 ms. */
static void
join(const struct order *order, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++)
		if (write(order->tasks[i], "0", 1) != 1)
			fail(order->report, STEP_cgroup);
}

/*
 * Cut the capabilities down to the cell's: in the bounding set, so that no exec brings one back,
 * then in ours. Inheritable and ambient sets are empty. Returns 0 or -1.
 */
static int
limit_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	/* A capability that this kernel does not know ends the list with EINVAL. */
	for (unsigned long number = 0; number < 64; number++)
		if (!(cell_capabilities & BIT(number)) && prctl(PR_CAPBSET_DROP, number) < 0) {
			if (errno == EINVAL && number > CAP_AUDIT_READ)
				break;
			return -1;
		}
	data[0].effective = data[0].permitted = (uint32_t)cell_capabilities;
	data[1].effective = data[1].permitted = (uint32_t)(cell_capabilities >> 32);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_capset, &header, data);
}

/* Become the user and group of the order, with no way back. Returns 0 or -1. */
static int
take_identity(const struct order *order)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return -1;
	/* Programs that use select() break on descriptors above 1,024; the hard limit stays. */
	if (files.rlim_max > 1024)
		files.rlim_cur = 1024;
	umask(022);
	if (setrlimit(RLIMIT_NOFILE, &files) < 0 || limit_capabilities() < 0 ||
	    setgroups(0, NULL) < 0 || setresgid(order->gid, order->gid, order->gid) < 0 ||
	    setresuid(order->uid, order->uid, order->uid) < 0)
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/*
 * Make the cell's init. argv becomes its own: order, host name, read-only paths. The cgroup namespace
 * has its root where we are now, in the cell's directory: unshared after the move to _init, or by the
 * clone, executables would see "/../x" in /proc/self/cgroup.
 */
static _Noreturn void
make_init(const struct order *order, char **argv)
{
	char *envp[] = { NULL };
	uint64_t flags = CLONE_PARENT | (order->namespaces & ~(uint32_t)CLONE_NEWCGROUP);
	pid_t pid;

	/* Only who lives in a PID namespace can make one below it, and setns() moves children alone. */
	if (order->init >= 0 && order->namespaces & CLONE_NEWPID) {
		pid = sys_clone(CLONE_PARENT, -1);
		if (pid < 0)
			fail(order->report, STEP_clone);
		if (pid > 0)
			_exit(0);
	}
	if (order->namespaces & CLONE_NEWCGROUP && unshare(CLONE_NEWCGROUP) < 0)
		fail(order->report, STEP_unshare);
	join(order, order->joins, order->leaves);
	pid = sys_clone(flags, order->into);
	if (pid < 0)
		fail(order->report, STEP_clone);
	if (pid > 0)
		_exit(0);
	argv[0] = "aurae-init";
	if (sys_close_range(3, ~0U, FLAG_CLOSE_CLOEXEC) == 0 &&
	    fcntl(order->report, F_SETFD, 0) == 0)
		sys_execveat(order->program, argv, envp);
	fail(order->report, STEP_exec);
}

/* Start an executable: argv is its working directory and its own argv; the environment is its own. */
static _Noreturn void
start(const struct order *order, char **argv)
{
	sigset_t none;
	pid_t pid;
	int report = 3;

	if (dup2(order->out, STDOUT_FILENO) < 0 || dup2(order->err, STDERR_FILENO) < 0)
		fail(order->report, STEP_pipe);
	if (order->report != report && dup2(order->report, report) < 0)
		fail(order->report, STEP_pipe);
	if (fcntl(report, F_SETFD, FD_CLOEXEC) < 0 || sys_close_range(4, ~0U, 0) < 0)
		fail(report, STEP_pipe);
	if (chdir(argv[0]) < 0)
		fail(report, STEP_chdir);
	if (take_identity(order) < 0)
		fail(report, STEP_identity);
	pid = sys_clone(CLONE_PARENT, -1);
	if (pid < 0)
		fail(report, STEP_clone);
	if (pid > 0) {
		tell(report, REPORT_PID, pid);
		_exit(0);
	}

	/* In the cell, and seen there. exec closes the report: its end without a failure is the news. */
	sigemptyset(&none);
	setsid();
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(argv[1], argv + 1);
	fail(report, STEP_exec);
}

int
main(int argc, char **argv)
{
	struct order order;

	if (argc < 4 || !order_from_text(&order, argv[1]))
		return 1;
	join(&order, 0, order.joins);
	if (order.init >= 0 && setns(order.init, CELL_NAMESPACES) < 0)
		fail(order.report, STEP_enter);
	if (order.program >= 0)
		make_init(&order, argv);
	start(&order, argv + 2);
}
