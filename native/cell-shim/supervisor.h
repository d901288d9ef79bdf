/* supervisor.h - what the files of the supervisor know of each other. */
#ifndef AURAE_SUPERVISOR_H
#define AURAE_SUPERVISOR_H

#include "frame.h"
#include "sys.h"

#include <sys/types.h>
#include <time.h>

#define MAX_RUNS     512
#define MAX_LINE     16384
#define MAX_NAME     200 /* of an executable */
#define MAX_RECORD   512
#define MAX_STRINGS  32768 /* arguments and variables of one start */
#define NEVER        INT64_MAX
#define MILLISECONDS 1000000LL
#define PAGE         4096UL
#define CONTROL_FD   3 /* the first connection, from the launcher */

/* Roles of a hierarchy. */
enum {
	ROLE_V2 = 1,
	ROLE_CPU = 2,
	ROLE_CPUACCT = 4,
	ROLE_MEMORY = 8,
	ROLE_PIDS = 16,
	ROLE_FREEZER = 32
};

/* Flags of a run. */
enum { EXITED = 1, EMPTY = 2, COMPLETE = 4, CLOSED = EXITED | EMPTY | COMPLETE };

enum reason { NONE, BY_EXIT, BY_SIGNAL, BY_OOM, BY_TIMEOUT, ABORTED, BY_TTL, LOST };

enum usage_key {
	CPU_USER = 1,
	CPU_SYSTEM,
	CPU_TOTAL,
	MEMORY_PEAK,
	OOM_KILLS,
	PIDS_PEAK,
	THROTTLED,
	USAGE_KEYS,
};

/* Counters; a key whose bit in `known` is off is something that the host cannot tell. */
struct usage {
	uint32_t known;
	uint64_t value[USAGE_KEYS];
};

struct record {
	uint64_t run;
	char executable[MAX_NAME + 1];
	pid_t pid;
	uint64_t start;
	int64_t started_at, ended_at;
	uint8_t how, core, reason;
	int32_t status;
	uint64_t dropped;
	struct usage usage;
};

/* The log of a run: a number of segments, of which the last is written. */
struct log {
	int dir, fd;
	const struct record *record; /* has the names */
	uint64_t segment, size, limit, segment_bytes, kept;
	uint64_t dropped, gap; /* lines in all, and those that the log does not tell of yet */
};

/* One of a run's two pipes, and the beginning of a line whose end has not come yet. */
struct stream {
	int fd;
	bool small, resting;
	uint32_t held;
	int64_t read_at;
	char *line; /* MAX_LINE bytes */
};

enum run_state { FREE, STARTING, FAILING, STARTED_UP };

struct run {
	enum run_state state;
	uint8_t flags, told; /* what is so, and what D was told */
	bool stopping, killed;
	uint32_t start_request, stop_request; /* 0: nobody waits for an answer */
	pid_t stage, main;                    /* 0: none, or reaped */
	int pidfd, report, events, file;      /* file: of the record */
	enum step failed;
	int error;
	uint32_t stop_signal;
	int64_t deadline, look_at, exited; /* of CLOCK_MONOTONIC */
	struct stream streams[2];
	struct log log;
	struct record record;
	struct text cgroup; /* x-<executable> */
};

struct cgroups {
	uint32_t count;
	int v2, freezer, members; /* indexes; -1: none. members: the one to look for processes in */
	int dir[MAX_HIERARCHIES];
	uint32_t roles[MAX_HIERARCHIES];
};

struct cell {
	char id[17], boot[64];
	int stage_program, init_program;
	int directory, runs_directory, logs, events;
	struct cgroups cgroups;
	uint32_t namespaces;
	uint64_t segment_bytes, segments_kept;
	pid_t init; /* 0: has died */
	int init_pidfd;
	uint64_t init_start;
	bool enclosed, ending, killed;
	uint32_t end_request;
	int64_t deadline;
};

extern struct cell cell;

/* supervisor.c: the event loop */
enum watched { CONTROL, CALLER, LISTENER, CHILDREN, CELL_EVENTS, REPORT, RUN_EVENTS, OUT, ERR };
int watch(int fd, uint32_t events, enum watched what, uint32_t slot);
void rewatch(int fd, uint32_t events, enum watched what, uint32_t slot);
void unwatch(int *fd);
void wake_at(int64_t when);
int64_t clock_now(clockid_t clock);
void give_back(void *memory, size_t size);

/* control.c: the connection */
int control_listen(int fd);
void control_event(enum watched what, uint32_t events);
void control_send(void);
struct writer *answer(uint16_t type, uint32_t request);
void answered(void);
void answer_failed(uint32_t request, int error, enum step step);
_Noreturn void leave(int status);

/* cell.c: the life of the cell, and the one place that forks */
int process_start(pid_t pid, uint64_t *start, uint64_t *flags);
pid_t stage_clone(int into, const struct order *order, char **argv, char **envp);
bool cell_open_programs(void);
void cell_state(struct writer *out);
void cell_enclose(uint32_t request, struct reader *in);
void cell_end(uint32_t request, uint32_t grace_ms);
void cell_init_died(int how, int status);
void cell_settle(void);

/* run.c: the life of a run. Whoever goes through them may release the one at hand, and no other. */
extern struct run runs[MAX_RUNS];
extern uint32_t active[MAX_RUNS], active_count; /* the slots in use */
#define each_run(run)                                                                              \
	for (uint32_t each = active_count; each-- > 0 && ((run) = &runs[active[each]], true);)
struct run *run_by_id(uint64_t id);
struct run *run_by_pid(pid_t pid, bool stage);
uint32_t slot_of(const struct run *run);
struct run *acquire(void);
void release(struct run *run);
void drain(struct run *run);
void update(struct run *run);
void fail(struct run *run, enum step step, int error);
void run_stop(uint32_t request, uint64_t id, uint32_t number, uint32_t grace_ms);
void run_signal(uint32_t request, uint64_t id, uint32_t number);
void run_list(struct writer *out);
void run_event(enum watched what, uint32_t slot, uint32_t events);
void run_tick(int64_t now);
void run_stop_all(int64_t deadline);
bool run_all_empty(void);
void run_kill_all(void);
void run_close_all(void);
void run_forget_requests(void);

/* start.c: how a run begins; reap.c: how it ends */
void run_start(uint32_t request, struct reader *in);
void read_reports(struct run *run);
void resolve(struct run *run);
void collect(void);

/* log.c: output to lines to CRI segments */
int log_open(struct log *log);
void log_close(struct log *log, bool remove);
ssize_t log_read(struct log *log, struct stream *stream, bool is_stderr);
void log_trim(void);

/* cgroup.c: the files of the cell's directories */
void cgroup_add(struct cgroups *groups, int dir, uint32_t roles);
int cgroup_open(const struct cgroups *groups, int index, const char *child, const char *file,
		int flags);
bool cgroup_text_value(const char *text, const char *key, uint64_t *value);
bool cgroup_populated(const struct cgroups *groups, const char *child, int *events);
void cgroup_usage(const struct cgroups *groups, const char *child, struct usage *usage);
void cgroup_signal(const struct cgroups *groups, const char *child, int number);
void cgroup_kill(const struct cgroups *groups, const char *child);

/* record.c: run records */
uint32_t crc32(const uint8_t *bytes, size_t size);
size_t record_encode(const struct record *record, uint8_t *bytes, size_t size);
int record_write(int *file, int directory, const struct record *record);

#endif
