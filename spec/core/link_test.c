#include "core/link.h"

#include "core/callback.h"
#include "spec/core/check.h"

struct named {
  struct link link;
  char name;
  struct named *adds, *removes; /* what its notification does */
};

static struct list links;
static char source[1];

static void notify(struct link *link, void *from) {
  struct named *named = container_of(link, struct named, link);
  CHECK(from == source);
  CHECK(list_empty(&link->node)); /* it is off the list already */
  note("%c", named->name);
  if (named->adds)
    list_append(&links, &named->adds->link.node);
  if (named->removes)
    list_remove(&named->removes->link.node);
}

static void init(struct named *named, char name) {
  *named = (struct named){.name = name};
  link_init(&named->link, notify);
}

static void order_of_asking(void) {
  struct named a, b, c;
  list_init(&links);
  links_notify(&links, source);
  CHECK_NOTES("");
  init(&a, 'a'), init(&b, 'b'), init(&c, 'c');
  list_append(&links, &b.link.node);
  list_append(&links, &a.link.node);
  list_append(&links, &c.link.node);
  links_notify(&links, source);
  CHECK_NOTES("b a c");
  CHECK(list_empty(&links));
  links_notify(&links, source);
  CHECK_NOTES("");
}

static void changed_meanwhile(void) {
  struct named a, b, c, d;
  list_init(&links);
  init(&a, 'a'), init(&b, 'b'), init(&c, 'c'), init(&d, 'd');
  a.adds = &d;
  a.removes = &b;
  list_append(&links, &a.link.node);
  list_append(&links, &b.link.node);
  list_append(&links, &c.link.node);
  links_notify(&links, source);
  CHECK_NOTES("a c d"); /* one added is notified in the same round, b is not */
  init(&a, 'a');
  c.adds = &a;
  list_append(&links, &c.link.node);
  links_notify(&links, source);
  CHECK_NOTES("c a"); /* added by the last one */
}

static void lists(void) {
  struct list head, a, b, c;
  list_init(&head), list_init(&a), list_init(&b), list_init(&c);
  CHECK(list_empty(&head));
  list_append(&head, &b);
  list_append(&head, &c);
  list_prepend(&head, &a);
  CHECK(head.next == &a && a.next == &b && b.next == &c && c.next == &head);
  CHECK(head.prev == &c && c.prev == &b && b.prev == &a && a.prev == &head);
  list_remove(&b);
  list_remove(&b); /* any number of times */
  CHECK(list_empty(&b) && a.next == &c && c.prev == &a);
  list_remove(&a);
  list_remove(&c);
  CHECK(list_empty(&head));
}

static void nothing(struct callback *callback) {
  (void)callback;
}

static void callbacks(void) {
  struct list queue;
  struct callback callback;
  list_init(&queue);
  callback_init(&callback, nothing);
  CHECK(!callback_pending(&callback) && callback.run == nothing);
  callback_stop(&callback);
  list_append(&queue, &callback.node);
  CHECK(callback_pending(&callback));
  callback_stop(&callback);
  CHECK(!callback_pending(&callback) && list_empty(&queue));
}

int main(void) {
  check_begin();
  order_of_asking();
  changed_meanwhile();
  lists();
  callbacks();
  return check_summary();
}
