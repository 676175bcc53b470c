/*
 * facts.h: what Lua knows of greenlets, for observers of them.
 *
 * Read in the middle of switches: nothing here raises, allocates in Lua or runs
 * finalizers. Texts are numbers, of rt->labels or, for places, of the sites.
 */
#ifndef LUA_BINDING_FACTS_H
#define LUA_BINDING_FACTS_H

#include "core/record.h"
#include "lua_binding/runtime.h"

/* For recorders whose `data` is the runtime. */
extern const struct recorder_host l_recorder_host;

/* What the greenlet waits for, `lock "A"` say, as far as that was noted; or NULL. */
const char *l_waited_text(const struct greenlet *g);

/* "Greenlet-3" */
uint32_t l_number_label(struct runtime *rt, int ident);

/* The text of such a number; NULL if there is none. Safe in signal handlers. */
const char *l_fact_text(const struct recorder *recorder, uint32_t number);

#endif
