/*
 * enclose_fuzz.c - any payload of ENCLOSE, and any step of it failing: one answer, no descriptor left over,
 * and no exit but after a FAILED.
 */
#include "target.h"

#include <stdlib.h>

static struct reader payload;
static int answers;
static uint16_t answered_with;
static bool ready;
static struct source report;

static void sent(const uint8_t *bytes, size_t size)
{
	uint32_t request;

	answered_with = check_answer(bytes, size, &request);
	MAKE_SURE(request == 9);
	answers++;
}

/* Of I there is what S looks for: its pid in _init, and its stat. */
static struct source *find(const char *path)
{
	if (strstr(path, "cgroup.procs"))
		return world_text("%d\n", FIRST_CHILD + 1);
	if (strncmp(path, "/proc", 5) == 0)
		return world_text("1 (a) S 1 2 3 4 5 64 1 2 3 4 5 6 7 8 9 10 11 12 7 \n");
	return &report;
}

static void enclose(void)
{
	struct child *init;

	control_adopt(world_new_fd("connection"));
	world.find = find;
	/* A child that is there already stands for I. */
	world_child();
	init = world_child();
	init->execed = ready;
	cell_enclose(9, &payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct report told;
	struct reader in = input_of(data, size), luck;
	uint8_t *bytes;
	bool back;

	supervisor_new();
	told.what = take_u8(&in) & 3 ? REPORT_READY : (int)take_u8(&in) % (REPORT_READY + 1);
	told.value = ENOSPC;
	luck = take_part(&in);
	payload = in;
	bytes = payload_move(&payload);
	report = source_of(input_of((uint8_t *)&told, sizeof(told)), NULL, 0);
	answers = 0;
	world.luck = luck;
	world.sent = sent;
	back = world_run(enclose);
	if (back && payload.bad)
		MAKE_SURE(answers == 0 && !cell.enclosed && world.open <= 1);
	else if (back)
		MAKE_SURE(cell.enclosed);
	else
		MAKE_SURE(!cell.enclosed);
	if (back && !payload.bad &&
	    world.open > 1) /* all groups, 3 directories, pidfd, listener, and D */
		MAKE_SURE(world.open <= (int)cell.groups + 6 && world.open >= (int)cell.groups + 4);
	supervisor_forget();
	free(bytes);
	return 0;
}
