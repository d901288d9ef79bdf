/*
 * frames_fuzz.c - any bytes from D, cut into any reads, before there is a cell and in one. What S says to
 * them is well formed, and after a frame that is none of D's nothing is done but to hang up.
 */
#include "target.h"

static struct source source;
static bool heard_hello;

static void sent(const uint8_t *bytes, size_t size)
{
	uint32_t request;

	heard_hello |= check_answer(bytes, size, &request) == HELLO;
	MAKE_SURE(heard_hello); /* nothing is said before */
}

static void hear(void)
{
	int connection = world_new_fd("connection");

	if (connection < 0)
		return;
	control_adopt(connection);
	if (world.fds[connection - FIRST_FD].open)
		world.fds[connection - FIRST_FD].source = &source;
	while (world.fds[connection - FIRST_FD].open)
		control_event(CONTROL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = input_of(data, size), cuts;
	uint8_t how = take_u8(&in);
	bool enclosed = how & 1;

	if (enclosed)
		supervisor_enclosed(how & 2);
	else
		supervisor_new();
	world.descriptors = how & 4 && how & 8;
	heard_hello = false;
	world.sent = sent;
	world.luck = take_part(&in);
	cuts = take_part(&in);
	source = source_of(in, &cuts, 0);
	/* It comes back when D has hung up, or exits: before there is a cell, and when there is none any more. */
	world_run(hear);
	supervisor_forget();
	return 0;
}
