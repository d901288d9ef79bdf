/* target.h - what the fuzz targets that have the supervisor in them share. */
#ifndef AURAE_TARGET_H
#define AURAE_TARGET_H

#include "supervisor.h"
#include "world.h"

#define REQUEST_CELL "0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A supervisor as it is when it has just started, in a world where nothing has happened. */
void supervisor_new(void);
/* The same with a cell around it: `v2` says of which version its one hierarchy is. */
void supervisor_enclosed(bool v2);
/* Hang up, forget all runs, and make sure that no descriptor is left but those of the cell. */
void supervisor_forget(void);

/* Move a payload behind a header of its own, with nothing after it; returns what is to be freed. */
uint8_t *payload_move(struct reader *payload);

/* Make sure that what S sends is a whole frame as docs/design/shim.md has it; returns its type. */
uint16_t check_answer(const uint8_t *bytes, size_t size, uint32_t *request);
/* Make sure that a record is one, and take it. */
void check_record(struct reader in);

#endif
