#define _GNU_SOURCE /* memmem */
/*
 * pages.c: the pages of HTML that are assembled into the program: embedded.S.
 */
#include "lua_binding/pages.h"

#include <string.h>

/* Where a page's data goes: scripts/pages/assemble.lua sees to it that there is one. */
#define MARK "@TRACE@"

extern const char page_timeline[], page_timeline_end[];
extern const char page_flame[], page_flame_end[];

static struct page_parts divide(const char *page, const char *end) {
  const size_t mark_size = sizeof MARK - 1;
  const char *mark = memmem(page, (size_t)(end - page), MARK, mark_size);
  if (!mark)
    return (struct page_parts){page, 0, page, 0};
  const char *tail = mark + mark_size;
  return (struct page_parts){page, (size_t)(mark - page), tail, (size_t)(end - tail)};
}

struct page_parts l_timeline_page(void) {
  return divide(page_timeline, page_timeline_end);
}

struct page_parts l_flame_page(void) {
  return divide(page_flame, page_flame_end);
}
