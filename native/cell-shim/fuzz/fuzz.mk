# The fuzz targets: `make fuzz SECONDS=600` shares the time among them, `make fuzz-corpus` replays what
# they have found and goes on for a moment. Clang's libFuzzer, with ASan and UBSan, on the C library of
# the machine.

SECONDS ?= 60
fuzz := $(BUILD)/fuzz
fuzz_targets := $(patsubst fuzz/%_fuzz.c,%,$(wildcard fuzz/*_fuzz.c))
fuzz_parts := control cell start run log cgroup record frame stage launcher
fuzz_world := world input calls target answers
fuzz_flags := $(points) -std=c11 -D_GNU_SOURCE -g -O1 -Wall -Wextra -Wno-unused -I. -Ifuzz \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
fuzz_objects := $(fuzz_parts:%=$(fuzz)/%.o) $(fuzz_world:%=$(fuzz)/w_%.o)
fuzz_headers := $(wildcard *.h fuzz/*.h)

$(fuzz):
	mkdir -p $@

# The shim's own files, whose calls of the kernel become calls of the imaginary one.
$(fuzz)/%.o: %.c $(fuzz_headers) fuzz/fuzz.mk | $(fuzz)
	@echo "  FUZZ $@"
	@clang $(fuzz_flags) -include fuzz/redirect.h -Dmain=$*_main -c -o $@ $<

$(fuzz)/w_%.o: fuzz/%.c $(fuzz_headers) fuzz/fuzz.mk | $(fuzz)
	@echo "  FUZZ $@"
	@clang $(fuzz_flags) -c -o $@ $<

$(fuzz)/%_fuzz: fuzz/%_fuzz.c $(fuzz_objects)
	@echo "  FUZZ $@"
	@clang $(subst fuzzer-no-link,fuzzer,$(fuzz_flags)) -o $@ $^

.PHONY: fuzz fuzz-corpus
fuzz: $(fuzz_targets:%=$(fuzz)/%_fuzz)
	@$(NODE) test/fuzz.ts $(fuzz) $(SECONDS) $(fuzz_targets)

fuzz-corpus: $(fuzz_targets:%=$(fuzz)/%_fuzz)
	@$(NODE) test/fuzz.ts $(fuzz) corpus $(fuzz_targets)
