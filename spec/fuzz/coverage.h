/*
 * coverage.h: what libFuzzer takes for coverage beside the branches of our C files.
 */
#ifndef SPEC_FUZZ_COVERAGE_H
#define SPEC_FUZZ_COVERAGE_H

#include <stdint.h>

#include <lua.h>

/* Something has happened that has this number. */
void fuzz_cover(uint32_t number);

/* Count the lines of this project's Lua parts that the thread runs, and those that it makes: by a
 * debug hook, which programs can see. */
void fuzz_cover_lines(lua_State *L);

#endif
