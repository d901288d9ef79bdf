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

/* Roles of a hierarchy. */
enum { ROLE_V2 = 1, ROLE_CPU = 2, ROLE_CPUACCT = 4, ROLE_MEMORY = 8, ROLE_PIDS = 16 };
enum { ROLE_FREEZER = 32 };

/* Flags of a run. */
enum { EXITED = 1, EMPTY = 2, COMPLETE = 4, CLOSED = EXITED | EMPTY | COMPLETE };

/* How a run ended, and why. */
enum { BY_EXIT = 1, BY_SIGNAL = 2, BY_OOM = 3, ABORTED = 5 };

/* Keys of the usage of a run. */
enum { CPU_USER = 1, CPU_SYSTEM, CPU_TOTAL, MEMORY_PEAK, OOM_KILLS, PIDS_PEAK, THROTTLED, KEYS };

struct record {
	uint64_t run;
	char executable[MAX_NAME + 1];
	pid_t pid;
	uint64_t start;
	int64_t started_at, ended_at;
	uint8_t how, core, reason;
	int32_t status;
	uint64_t dropped;
	uint32_t known; /* a key whose bit is off is something that the host cannot tell */
	uint64_t usage[KEYS];
};

/* The log of a run: a number of segments, of which the last is written. */
struct log {
	int fd;
	struct record *record; /* has the names, and counts the lines dropped */
	uint64_t segment, size, limit;
	uint64_t gap; /* lines dropped that the log does not tell of yet */
};

/* One of a run's two pipes, and the beginning of a line whose end has not come yet. */
struct stream {
	int fd;
	uint32_t held;
	char *line; /* MAX_LINE bytes */
};

enum run_state { FREE, STARTING, FAILING, RUNNING };

struct run {
	enum run_state state;
	uint8_t flags, told; /* what is so, and what D was told */
	bool stopping, killed;
	uint32_t start_request, stop_request; /* 0: nobody waits for an answer */
	pid_t stage, main;                    /* 0: none, or reaped */
	int report, events, file;             /* file: of the record */
	enum step failed;
	int error, stop_signal;
	int64_t deadline, look_at, exited_at; /* of CLOCK_MONOTONIC */
	struct stream streams[2];
	struct log log;
	struct record record;
	char group[MAX_NAME + 3]; /* x-<executable> */
};

struct cell {
	char id[17], boot[64];
	int stage_program, directory, runs, logs, events, listener;
	uint32_t groups;          /* hierarchies */
	int v2, freezer, members; /* of them; -1: none. members: the one to look for processes in */
	int group[MAX_HIERARCHIES]; /* descriptors of their directories */
	uint32_t roles[MAX_HIERARCHIES];
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

/* supervisor.c: the event loop, and what all use */
enum watched { CONTROL, LISTENER, CHILDREN, CELL_EVENTS, REPORT, RUN_EVENTS, OUT, ERR };
int watch(int fd, uint32_t events, enum watched what, uint32_t slot);
void unwatch(int *fd);
int64_t clock_now(clockid_t clock);
void give_back(void *memory, size_t size);

/* control.c: the connection */
void control_event(enum watched what);
void control_adopt(int fd);
struct writer *answer(uint16_t type, uint32_t request);
void answered(void);
void answer_failed(uint32_t request, enum step step, int error);

/* cell.c: the life of the cell, and the one place that forks */
uint64_t process_start(pid_t pid, uint64_t *flags);
enum step stage_clone(struct order *order, int group, char **argv, char **envp, pid_t *pid);
void order_close(const struct order *order);
bool stage_groups(struct order *order, const char *child);
void cell_state(struct writer *out);
void cell_enclose(uint32_t request, struct reader *in);
void cell_end(uint32_t request, uint32_t grace_ms);
void cell_init_died(int how, int status);
int64_t cell_tick(int64_t now);

/* run.c: the life of a run, and the ends of all children */
extern struct run runs[MAX_RUNS];
extern uint32_t slots; /* those that have been in use */
#define each_run(each)                                                                             \
	for (struct run *each = runs; each < runs + slots; each++)                                 \
		if (each->state != FREE)
struct run *run_by_id(uint64_t id);
struct run *run_acquire(void);
void run_release(struct run *run);
void run_update(struct run *run);
void run_fail(struct run *run, enum step step, int error);
void run_stop(struct run *run, int number, int64_t deadline);
void run_kill(struct run *run);
void run_list(struct writer *out);
void run_event(enum watched what, struct run *run);
int64_t run_tick(int64_t now);
bool run_none_left(void);

void collect(void);

/* start.c: how a run begins */
void start_run(uint32_t request, struct reader *in);
void read_reports(struct run *run);
void resolve(struct run *run);

/* log.c: lines */
int log_open(struct log *log);
void log_close(struct log *log, bool remove);
ssize_t log_read(struct log *log, struct stream *stream, bool is_stderr);

/* cgroup.c: small files; processes and counters of the cell's directory (".") and of those in it */
int open_at(int dir, int flags, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool read_at(int dir, const char *directory, const char *file, char text[PAGE]);
bool text_value(const char *text, const char *key, uint64_t *value);
bool cgroup_populated(const char *child, int *events);
void cgroup_usage(const char *child, struct record *record);
void cgroup_signal(const char *child, int number);
void cgroup_kill(const char *child);
void hold_spare(void);

/* record.c: run records */
uint32_t crc32(const uint8_t *bytes, size_t size);
void record_put(struct writer *out, const struct record *record);
int record_write(int *file, const struct record *record);

#endif
