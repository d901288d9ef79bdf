/* usage_fuzz.c - the files of a cgroup with anything in them, or that cannot be read: what is no number is absent. */
#include "target.h"

static struct reader files[4];
static struct source sources[4];

/* A path has always the same content. */
static struct source *find(const char *path)
{
	unsigned which = (unsigned)strlen(path) % 4;

	sources[which] = source_of(files[which], NULL, 0);
	return files[which].at == files[which].end ? NULL : &sources[which];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record record = { .executable = "a" };
	struct reader in = input_of(data, size);
	int events = -1, before;
	bool v2;

	v2 = take_u8(&in) & 1;
	supervisor_enclosed(v2);
	cell.roles[0] |= ROLE_CPU | ROLE_CPUACCT | ROLE_MEMORY | ROLE_PIDS;
	before = world.open;
	world.luck = take_part(&in);
	for (int i = 0; i < 4; i++)
		files[i] = take_long_part(&in);
	world.find = find;
	cgroup_usage("x-a", &record);
	for (uint32_t key = 1; key < KEYS; key++)
		MAKE_SURE(record.known & 1U << key || record.usage[key] == 0);
	MAKE_SURE(!(record.known & ~((1U << KEYS) - 2)) && world.open == before);
	cgroup_populated("x-a", &events);
	unwatch(&events);
	MAKE_SURE(world.open == before);
	supervisor_forget();
	return 0;
}
