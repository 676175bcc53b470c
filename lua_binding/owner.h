/*
 * owner.h: who has taken something, without being kept alive by it.
 *
 * A reference would keep a greenlet from being found when it is garbage, and so
 * from giving back what it holds; and an address is used again. So whoever takes
 * a lock gets a number, which is good until it is dead, and a place in a table
 * where it is found by it. The last few who died with locks in their hands are
 * remembered by their names, for reports.
 */
#ifndef LUA_BINDING_OWNER_H
#define LUA_BINDING_OWNER_H

#include <lua.h>
#include <stdint.h>

struct pair;
struct runtime;

/* 0 is nobody. The upper half is a generation of the place that the lower one,
 * less 1, is. */
typedef uint64_t l_owner;

struct owners {
  struct owner {
    struct pair *pair;   /* NULL: the place is free */
    uint32_t generation;
    uint32_t next;       /* free places: the next one, + 1 */
  } *of;
  uint32_t count, room;
  uint32_t free;         /* the first free place, + 1 */
};

/* The number of a living greenlet, given to it now; 0 if there is no memory. */
l_owner l_new_owner(struct runtime *rt, struct pair *pair);

/* Whose it is: NULL if that one is dead. */
struct pair *l_find_owner(const struct runtime *rt, l_owner owner);

/* The greenlet is gone. */
void l_owner_gone(struct runtime *rt, struct pair *pair);

/* Push the name of one who died while it held something; nil if it is forgotten. */
void l_push_dead_owner(lua_State *L, struct runtime *rt, l_owner owner);

void l_owners_term(struct owners *owners);

#endif
