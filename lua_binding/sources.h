/*
 * sources.h: the lines of scripts that a trace names, as members of its otherData.
 */
#ifndef LUA_BINDING_SOURCES_H
#define LUA_BINDING_SOURCES_H

#include "core/output.h"
#include "core/record.h"

/* ,"sources":{"script.lua:12":"text", ...}, of those whose files can be read. */
void l_put_sources(struct output *output, const struct recorder *recorder);

#endif
