/* answers.c - what S says, read by other code than S's own and D's. */
#include "target.h"

void check_record(struct reader in)
{
	uint32_t keys, length;
	uint8_t how;

	take_u64(&in);
	length = take_u32(&in);
	MAKE_SURE(length >= 1 && length <= MAX_NAME && length <= (size_t)(in.end - in.at));
	MAKE_SURE(!memchr(in.at, 0, length) && !memchr(in.at, '/', length));
	in.at += length;
	in.at += 4 + 8 + 8 + 8;
	how = take_u8(&in);
	MAKE_SURE(how <= BY_SIGNAL);
	take_u32(&in);
	MAKE_SURE(take_u8(&in) <= 1);
	MAKE_SURE((how == 0) == (take_u8(&in) == 0));
	take_u64(&in);
	keys = take_u32(&in);
	MAKE_SURE(keys < KEYS);
	for (int last = 0; keys > 0; keys--) {
		int key = take_u16(&in);

		MAKE_SURE(key > last && key < KEYS);
		last = key;
		take_u64(&in);
	}
	MAKE_SURE(take_end(&in));
}

/* A record with its length; returns nothing, for what is wrong ends the program. */
static void skip_record(struct reader *in)
{
	uint32_t length = take_u32(in);

	MAKE_SURE(!in->bad && length <= (size_t)(in->end - in->at));
	check_record((struct reader){ in->at, in->at + length, false });
	in->at += length;
}

static void skip(struct reader *in, size_t size)
{
	MAKE_SURE((size_t)(in->end - in->at) >= size);
	in->at += size;
}

static void check_payload(uint16_t type, struct reader *in)
{
	static const uint8_t sizes[] = {
		[ENCLOSED] = 24, [STARTED] = 28, [STOPPED] = 8, [STATE_IS] = 24, [INIT_DIED] = 5,
	};

	if (type < sizeof(sizes))
		skip(in, sizes[type]);
	if (type == INIT_DIED)
		skip(in, sizes[INIT_DIED]);
	if (type == FAILED)
		skip(in, 4);
	if (type == HELLO)
		skip(in, 6);
	for (int texts = type == HELLO ? 3 : type == FAILED; texts > 0; texts--)
		skip(in, take_u32(in));
	for (uint32_t count = type == STATE_IS ? take_u32(in) : type == RUN; count > 0; count--) {
		MAKE_SURE(take_u8(in) <= CLOSED);
		skip_record(in);
	}
	if (type == STATE_IS)
		skip(in, 4);
}

uint16_t check_answer(const uint8_t *bytes, size_t size, uint32_t *request)
{
	const uint32_t own = 1 << HELLO | 1 << RUN | 1 << INIT_DIED;
	const uint32_t answers = 1 << ENCLOSED | 1 << FAILED | 1 << STARTED | 1 << STOPPED |
				 1 << DONE | 1 << STATE_IS | 1 << ENDED;
	struct reader in = input_of(bytes, size);
	uint32_t length = take_u32(&in);
	uint16_t type = take_u16(&in);

	*request = take_u32(&in);
	MAKE_SURE(length == size - FRAME_HEADER);
	MAKE_SURE(type <= INIT_DIED && (*request == 0 ? own : answers) & 1U << type);
	check_payload(type, &in);
	MAKE_SURE(take_end(&in));
	return type;
}
