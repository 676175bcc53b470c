/*
 * fuzz.h: what the fuzzers share.
 */
#ifndef SPEC_FUZZ_FUZZ_H
#define SPEC_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include <lua.h>

/* What libFuzzer calls: once, and with each input. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Run a file of Lua and push what it returns; ends the process if that fails. */
void fuzz_load(lua_State *L, const char *name);

/* The bytecode of a file of Lua, for the process's life; ends the process if it is none. */
char *fuzz_compile(lua_State *L, const char *name, size_t *length);

#endif
