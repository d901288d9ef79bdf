/* members_fuzz.c - any cgroup.procs, which may change between two looks: who is signalled is in the second. */
#include "target.h"

static struct reader looks[2];
static struct source source;
static int look;

static struct source *find(const char *path)
{
	if (!strstr(path, "cgroup.procs"))
		return NULL;
	source = source_of(looks[look > 0], NULL, 0);
	look++;
	return &source;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = input_of(data, size);
	int before;

	supervisor_enclosed(true);
	before = world.open;
	world.luck = take_part(&in);
	looks[0] = take_long_part(&in);
	looks[1] = (struct reader){ in.at, in.end, false };
	look = 0;
	world.find = find;
	cgroup_signal("x-a", 15);
	MAKE_SURE(world.open == before);
	supervisor_forget();
	return 0;
}
