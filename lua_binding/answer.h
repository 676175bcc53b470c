/*
 * answer.h: telling another process of the same user what greenlets do.
 *
 * Who asks (cmd/ask.c) listens on a socket of the abstract namespace, whose name is
 * made of a random number, and sends that number along with SIGURG. The answer is
 * written to that socket, if it belongs to the same user: nothing lies in the file
 * system, and a program that nobody asks has no socket.
 */
#ifndef LUA_BINDING_ANSWER_H
#define LUA_BINDING_ANSWER_H

#include "lua_binding/runtime.h"
#include "lua_binding/stuck.h"

/* Somebody asks: binding.h has what the number means. Safe in signal handlers. */
void l_note_question(unsigned number);

/* Answer all questions that were noted. */
void l_answer_all(lua_State *L);

/* Answer all of them by this text. Safe in signal handlers. */
void l_answer_stuck(const struct text *text);

#endif
