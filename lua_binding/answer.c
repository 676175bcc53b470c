#define _GNU_SOURCE /* struct ucred */
#include "lua_binding/answer.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "lua_binding/binding.h"

enum { MOST_QUESTIONS = 8, PATIENCE_SECONDS = 5 };

static atomic_uint questions[MOST_QUESTIONS]; /* 0: none */

void l_note_question(unsigned number) {
  for (int i = 0; i < MOST_QUESTIONS; i++)
    if (atomic_load(&questions[i]) == number)
      return;
  for (int i = 0; i < MOST_QUESTIONS; i++) {
    unsigned none = 0;
    if (atomic_compare_exchange_strong(&questions[i], &none, number))
      return;
  }
  /* Too many: who has got no answer asks again. */
}

/* The abstract name; its length. */
static socklen_t name_socket(struct sockaddr_un *address, unsigned number) {
  static const char name[] = BINDING_ASK_NAME;
  char *at = address->sun_path + sizeof name; /* after a zero and the name */
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path + 1, name, sizeof name - 1);
  for (int shift = 28; shift >= 0; shift -= 4)
    *at++ = "0123456789abcdef"[number >> shift & 15];
  return (socklen_t)(at - (char *)address);
}

/* Did somebody of our user ask? The name says nothing: anybody may take it. */
static bool is_trusted(int fd) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == geteuid();
}

/* Who asks must not stop us by reading nothing. Returns a descriptor, or -1. */
static int reach(unsigned number) {
  struct sockaddr_un address;
  struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
  socklen_t length = name_socket(&address, number);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -1;
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect(fd, (struct sockaddr *)&address, length) == 0 && is_trusted(fd))
    return fd;
  close(fd);
  return -1;
}

/* MSG_NOSIGNAL: who asks may have gone. */
static void send_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EINTR)
      return;
    if (sent > 0) {
      bytes += sent;
      length -= (size_t)sent;
    }
  }
}

static void answer(int fd, char kind, const char *text, size_t length) {
  send_all(fd, &kind, 1);
  send_all(fd, text, length);
}

void l_answer_stuck(const struct text *text) {
  for (int i = 0; i < MOST_QUESTIONS; i++) {
    unsigned number = atomic_exchange(&questions[i], 0);
    int fd = number ? reach(number) : -1;
    if (fd < 0)
      continue;
    answer(fd, BINDING_ANSWER_STUCK, text->bytes, text->length);
    close(fd);
  }
}

/* (descriptor, is it a tree that is wanted?) */
static int answer_one(lua_State *L) {
  size_t length;
  int fd = (int)lua_tointeger(L, 1);
  l_push_core(L, l_find_runtime(L), "dump");
  lua_getfield(L, -1, lua_toboolean(L, 2) ? "tree" : "list");
  lua_call(L, 0, 1);
  const char *text = luaL_checklstring(L, -1, &length);
  answer(fd, BINDING_ANSWER, text, length);
  return 0;
}

/* Connected first: it may take a while to put the answer together, and who asks is
 * not to give up. */
void l_answer_all(lua_State *L) {
  for (int i = 0; i < MOST_QUESTIONS; i++) {
    unsigned number = atomic_exchange(&questions[i], 0);
    int fd = number ? reach(number) : -1;
    if (fd < 0)
      continue;
    lua_pushcfunction(L, answer_one);
    lua_pushinteger(L, fd);
    lua_pushboolean(L, (number & BINDING_ASK_TREE) != 0);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK)
      lua_pop(L, 1);
    close(fd);
  }
}
