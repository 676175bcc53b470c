/*
 * annotate.h: what valgrind and AddressSanitizer must be told about stacks.
 *
 * Both follow the stack pointer. They need to know which memory is stack, that
 * a switch is not a function call gone wrong, and that the content of a slot
 * was replaced behind their backs. GREENLUA_VALGRIND and GREENLUA_ASAN are
 * build options (`make valgrind`, `make asan`); without them all of this is
 * nothing.
 */
#ifndef CORE_ANNOTATE_H
#define CORE_ANNOTATE_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define GREENLUA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GREENLUA_ASAN 1
#endif
#endif

#ifdef GREENLUA_VALGRIND
#include <valgrind/memcheck.h>
#include <valgrind/valgrind.h>
#define annotate_stack(low, top) VALGRIND_STACK_REGISTER(low, top)
#define annotate_stack_gone(id) VALGRIND_STACK_DEREGISTER(id)
#define annotate_undefined(low, bytes) (void)VALGRIND_MAKE_MEM_UNDEFINED(low, bytes)
#define annotate_noaccess(low, bytes) (void)VALGRIND_MAKE_MEM_NOACCESS(low, bytes)
#else
#define annotate_stack(low, top) 0
#define annotate_stack_gone(id) ((void)(id))
#define annotate_undefined(low, bytes) ((void)(low), (void)(bytes))
#define annotate_noaccess(low, bytes) ((void)(low), (void)(bytes))
#endif

#ifdef GREENLUA_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define NO_SANITIZE __attribute__((no_sanitize("address")))
#else
#define NO_SANITIZE
/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl*): in place of the sanitizer's own */
#define __asan_unpoison_memory_region(low, bytes) ((void)(low), (void)(bytes))
#endif

#endif
