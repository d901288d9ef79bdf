/* target.c - the supervisor without its event loop: the targets bring the events. */
#include "target.h"

#include <stdlib.h>

/* The loop's part: what is watched is known from the descriptors that are open. */
int watch(int fd, uint32_t events, enum watched what, uint32_t slot)
{
	(void)events;
	(void)what;
	(void)slot;
	return world_on("watch", fd);
}

void unwatch(int *fd)
{
	if (*fd >= 0)
		world_close(*fd);
	*fd = -1;
}

int64_t clock_now(clockid_t clock)
{
	(void)clock;
	return world.now;
}

/* Nothing is saved here, but who still needs what was given back shall notice. */
void give_back(void *memory, size_t size)
{
	(void)memory;
	(void)size;
}

void supervisor_new(void)
{
	world_reset();
	world.has_spare = true;
	cell = (struct cell){ .events = -1, .init_pidfd = -1, .v2 = -1, .freezer = -1 };
}

void supervisor_enclosed(bool v2)
{
	struct child *init;

	supervisor_new();
	init = world_child();
	init->execed = true;
	cell.enclosed = true;
	cell.groups = 1;
	cell.v2 = v2 ? 0 : -1;
	cell.freezer = v2 ? -1 : 0;
	cell.roles[0] = v2 ? ROLE_V2 : ROLE_FREEZER;
	cell.segment_bytes = 4096;
	cell.segments_kept = 2;
	strcpy(cell.id, REQUEST_CELL);
	strcpy(cell.boot, "boot");
	cell.group[0] = world_new_fd("/group");
	cell.directory = world_new_fd("/cell");
	cell.runs = world_new_fd("/runs");
	cell.logs = world_new_fd("/logs");
	cell.init = init->pid;
	cell.init_pidfd = world_new_fd("pidfd");
	cell.init_start = 7;
}

uint8_t *payload_move(struct reader *payload)
{
	size_t size = (size_t)(payload->end - payload->at);
	uint8_t *bytes = malloc(FRAME_HEADER + size);

	if (size > 0)
		memcpy(bytes + FRAME_HEADER, payload->at, size);
	payload->at = bytes + FRAME_HEADER;
	payload->end = payload->at + size;
	return bytes;
}

/* The connection's own state goes as it does when D hangs up. */
static void hang_up(void)
{
	control_event(CONTROL);
}

void supervisor_forget(void)
{
	world.luck = (struct reader){ NULL, NULL, false };
	world.sent = NULL;
	world.find = NULL;
	for (int fd = 0; fd < world.top; fd++)
		world.fds[fd].source = NULL;
	cell.enclosed = true;
	world_run(hang_up);
	each_run(run)
		run_release(run);
	memset(runs, 0, slots * sizeof(*runs));
	slots = 0;
	if (cell.events >= 0)
		unwatch(&cell.events);
}
