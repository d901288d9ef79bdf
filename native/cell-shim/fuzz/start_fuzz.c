/*
 * start_fuzz.c - any payload of START, and any step of it failing. What the stage is given, argv, environment
 * and directory, is what another reader of the payload finds, in full; a start that fails is answered
 * once and leaves neither a descriptor nor a slot.
 */
#include "target.h"

#include <stdlib.h>

static uint8_t copy[1 << 16];
static struct reader payload;
static int answers, executions;

static void sent(const uint8_t *bytes, size_t size)
{
	uint32_t request;

	MAKE_SURE(check_answer(bytes, size, &request) == FAILED && request == 9);
	answers++;
}

/* The next bytes of the copy are this text, with its length in front. */
static void expect_text(struct reader *in, const char *text)
{
	uint32_t length = take_u32(in);

	MAKE_SURE(length == strlen(text) && memcmp(in->at, text, length) == 0);
	in->at += length;
}

static void expect_list(struct reader *in, char *const *strings)
{
	for (uint32_t count = take_u32(in); count > 0; count--)
		expect_text(in, *strings++);
	MAKE_SURE(*strings == NULL);
}

static void executed(const char *path, char *const *argv, char *const *envp)
{
	struct reader in = input_of(copy, sizeof(copy));

	(void)path;
	take_u64(&in);
	in.at += take_u32(&in);
	expect_list(&in, argv + 2);
	expect_list(&in, envp);
	expect_text(&in, argv[1]);
	executions++;
}

static void start(void)
{
	start_run(9, &payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = input_of(data, size), luck;
	uint8_t how = take_u8(&in);
	uint8_t *bytes;
	int before;
	bool back;

	supervisor_enclosed(how & 1);
	control_adopt(world_new_fd("connection"));
	cell.ending = (how & 14) == 14;
	cell.init = (how & 48) == 48 ? 0 : cell.init;
	luck = take_part(&in);
	size = (size_t)(in.end - in.at);
	if (size + 1 > sizeof(copy))
		return -1;
	if (size > 0)
		memcpy(copy, in.at, size);
	payload = in;
	bytes = payload_move(&payload);
	answers = executions = 0;
	before = world.open;
	world.luck = luck;
	world.sent = sent;
	world.executed = executed;
	world.in_child = how & 64;
	back = world_run(start);
	world.in_child = false;
	if (back && (payload.bad || slots == 0 || runs[0].state == FREE))
		MAKE_SURE(world.open <= before && answers <= !payload.bad);
	else if (back)
		MAKE_SURE(answers == 0 && runs[0].state == STARTING && world.open == before + 4);
	supervisor_forget();
	free(bytes);
	return 0;
}
