/*
 * init.c - aurae-init ORDER HOSTNAME READONLY...: PID 1 of the cell. It furnishes the namespaces it was
 * cloned into, and then holds nothing and does nothing: root in the cell may try to take it over, and
 * would gain nothing. It ends by SIGKILL only, from the supervisor or from the kernel when the
 * supervisor dies; with it ends every process of the cell.
 */
#include "sys.h"

#include <linux/capability.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>

struct mount_attributes {
	uint64_t set, clear, propagation, userns;
};

static int report;

static _Noreturn void
fail(enum step step)
{
	tell(report, (int)step, errno);
	_exit(1);
}

/* Make a path and all mounts below it read-only. Returns 0 or -1. */
static int
make_read_only(const char *path)
{
	struct mount_attributes attributes = { .set = 1 /* MOUNT_ATTR_RDONLY */ };
	long status = syscall(SYS_mount_setattr, AT_FDCWD, path, 0x8000 /* AT_RECURSIVE */,
			      &attributes, sizeof(attributes));

	/* EINVAL: nothing is mounted there yet, and only a mount can be read-only. */
	if (status < 0 && errno == EINVAL && mount(path, path, NULL, MS_BIND | MS_REC, NULL) == 0)
		status = syscall(SYS_mount_setattr, AT_FDCWD, path, 0x8000, &attributes,
				 sizeof(attributes));
	return (int)status;
}

/*
 * The mounts of the cell. "/" becomes a slave first: where it is shared, as under systemd, a mount
 * of /proc made here would replace the host's.
 */
static void
arrange_mounts(const struct order *order, char **read_only)
{
	if (!(order->namespaces & CLONE_NEWNS))
		return;
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		fail(STEP_mount);
	if (order->namespaces & CLONE_NEWPID &&
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		fail(STEP_mount);
	for (; *read_only; read_only++)
		if (make_read_only(*read_only) < 0)
			fail(STEP_mount);
}

/* A new network namespace has its loopback down. */
static void
raise_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		fail(STEP_loopback);
	close(fd);
}

/*
 * Give up every capability but one that no process of a cell has: ptrace and its kin are refused to
 * whoever has fewer capabilities than their victim.
 */
static void
limit_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	data[CAP_WAKE_ALARM / 32].permitted = 1U << (CAP_WAKE_ALARM % 32);
	if (syscall(SYS_capset, &header, data) < 0)
		fail(STEP_capabilities);
}

int
main(int argc, char **argv)
{
	static struct order order; /* not on the stack: a page less, as often as not */
	sigset_t all;

	if (argc < 3 || !order_from_text(&order, argv[1]))
		return 1;
	report = order.report;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		fail(STEP_clone);
	arrange_mounts(&order, argv + 3);
	if (order.namespaces & CLONE_NEWUTS && sethostname(argv[2], strlen(argv[2])) < 0)
		fail(STEP_hostname);
	if (order.namespaces & CLONE_NEWNET)
		raise_loopback();
	limit_capabilities();

	/* What it was told is nobody's business: /proc/1/cmdline says "aurae-init" from now on. */
	for (int i = 1; i < argc; i++)
		memset(argv[i], 0, strlen(argv[i]));
	prctl(PR_SET_NAME, "aurae-init");
	/* The kernel reaps for a process that ignores SIGCHLD; there is nothing to wake up for. */
	signal(SIGCHLD, SIG_IGN);
	/* A supervisor that died before PDEATHSIG was set sends no signal: but nobody reads this then. */
	if (tell(report, REPORT_READY, 0) < 0)
		return 1;
	sys_close_range(0, ~0U, 0);

	/* From here on nothing may exit: when PID 1 goes, the kernel kills the cell. */
	for (;;)
		pause();
}
