/*
 * redirect.h - comes before each file of the shim when it is compiled to be fuzzed: its calls of the
 * kernel go to the imaginary one of world.h, so that nothing happens outside of the program.
 */
#ifndef AURAE_REDIRECT_H
#define AURAE_REDIRECT_H

#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Functions that a macro of the same name would break are not called by the shim. */
#define open(...)             world_open(AT_FDCWD, __VA_ARGS__)
#define openat(...)           world_open(__VA_ARGS__)
#define close(fd)             world_close(fd)
#define read(fd, at, size)    world_read(fd, at, size)
#define pread(fd, at, n, off) world_pread(fd, at, n, off)
#define write(fd, at, size)   world_write(fd, at, size, -1)
#define pwrite(...)           world_write(__VA_ARGS__)
#define recvmsg(fd, m, f)     world_receive(fd, m)
#define send(fd, at, size, f) world_send(fd, at, size)
#define pipe2(fds, flags)     world_pipe(fds)
#define syscall(...)          world_syscall(__VA_ARGS__)
#define waitid(...)           world_waitid(__VA_ARGS__)
#define kill(pid, number)     world_kill(pid, number)
#define poll(fds, n, ms)      world_poll(fds)
#define _exit(status)         world_exit(status)
#define pause()               world_exit(0)
#define usleep(us)            world_exit(0)
#define clock_gettime(c, at)  world_clock(at)
#define execvp(path, argv)    world_exec(path, argv, NULL)
#define execve(...)           world_exec(__VA_ARGS__)
#define socket(...)           world_new_fd("socket")
#define accept4(...)          world_new_fd("accept")
#define getpid()              1
#define dup2(from, to)        world_dup2(from, to)

/* Those that are done or fail, and no more. */
#define access(...)           world_path("access", __VA_ARGS__)
#define bind(fd, ...)         world_on("bind", fd)
#define chdir(...)            world_path("chdir", __VA_ARGS__)
#define chmod(...)            world_path("chmod", __VA_ARGS__)
#define fchmodat(...)         world_call("fchmodat")
#define fcntl(fd, ...)        world_on("fcntl", fd)
#define ftruncate(fd, n)      world_truncate(fd, n)
#define getrlimit(...)        world_call("getrlimit")
#define getsid(...)           world_call("getsid")
#define ioctl(fd, ...)        world_on("ioctl", fd)
#define listen(fd, n)         world_on("listen", fd)
#define mkdirat(...)          world_call("mkdirat")
#define mount(...)            world_call("mount")
#define prctl(...)            world_prctl(__VA_ARGS__, 0)
#define rename(...)           world_path("rename", __VA_ARGS__)
#define setgroups(...)        world_call("setgroups")
#define sethostname(...)      world_call("sethostname")
#define setns(fd, flags)      world_on("setns", fd)
#define setresgid(...)        world_call("setresgid")
#define setresuid(...)        world_call("setresuid")
#define setrlimit(...)        world_call("setrlimit")
#define setsid()              world_call("setsid")
#define setsockopt(...)       0
#define shutdown(fd, how)     world_on("shutdown", fd)
#define signal(...)           (world_call("signal") < 0 ? SIG_ERR : SIG_DFL)
#define sigprocmask(...)      0
#define unlink(path)          world_path("unlink", path)
#define unlinkat(...)         world_call("unlinkat")
#define unshare(...)          world_call("unshare")
#define umask(mask)           0
#define dprintf(...)          world_print(__VA_ARGS__)

#endif
