/*
 * launcher_fuzz.c - any arguments of the launcher, any call of it failing, and connections until no process
 * can be made any more: each is closed here, and refused by a FAILED when nothing came of it.
 */
#include "target.h"

int launcher_main(int argc, char **argv);

static char *arguments[16];
static int count, refused;

static void sent(const uint8_t *bytes, size_t size)
{
	uint32_t request;

	MAKE_SURE(size <= 64 && bytes[4] == FAILED);
	memcpy(&request, bytes + 6, 4);
	MAKE_SURE(request == 0);
	if (++refused > 3)
		world_exit(0);
}

static void launch(void)
{
	launcher_main(count, arguments);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[4096];
	struct reader in = input_of(data, size);
	uint8_t how = take_u8(&in);

	world_reset();
	world.next_child = CHILDREN_EVER - 4;
	world.luck = take_part(&in);
	if ((size_t)(in.end - in.at) >= sizeof(text))
		return -1;
	/* Arguments are what stands between the NULs. */
	size = (size_t)(in.end - in.at);
	memcpy(text, in.at, size);
	text[size] = 0;
	count = 0;
	for (char *at = text; at <= text + size && count < 15; at += strlen(at) + 1)
		arguments[count++] = at;
	arguments[count] = NULL;
	refused = 0;
	world.in_child = how & 1;
	world.sent = sent;
	world_run(launch);
	MAKE_SURE(world.open <= 4);
	return 0;
}
