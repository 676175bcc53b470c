/*
 * pages.h: the pages of HTML in which data is shown, made of lua_binding/pages.
 *
 * A page needs nothing but the file it is in. What writes one writes its head, then the
 * data, JSON without any `<`, then its tail.
 */
#ifndef LUA_BINDING_PAGES_H
#define LUA_BINDING_PAGES_H

#include <stddef.h>

/* Both last as long as the program. */
struct page_parts {
  const char *head;
  size_t head_size;        /* 0: this build has no pages */
  const char *tail;
  size_t tail_size;
};

/* The page that shows a trace. A signal handler may ask for it. */
struct page_parts l_timeline_page(void);

/* The one that shows a profile; the same. */
struct page_parts l_flame_page(void);

#endif
