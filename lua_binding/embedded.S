/* The Lua parts of the binding; parts.c has their list. compiler is the banner of
 * the Lua that compiled them. The pages; pages.c knows them. */
#include "lua_binding/embed.inc"

        .section .rodata
        .hidden compiler
        .globl  compiler
compiler:
#ifdef PRECOMPILED
        .incbin "lua_binding/compiler"
#endif
        .byte   0
        embed   lua_binding, class
        embed   lua_binding, greenlet
        embed   lua_binding, wait
        embed   lua_binding, hub
        embed   lua_binding, timeout
        embed   lua_binding, signal
        embed   lua_binding, process
        embed   lua_binding, report
        embed   lua_binding, waits
        embed   lua_binding, cycle
        embed   lua_binding, waiter
        embed   lua_binding, handler
        embed   lua_binding, settings
        embed   lua_binding, dump
        embed   lua_binding, unobserved
        embed   lua_binding, module
        embed   lua_binding, monkey
        embed   lua_binding, waitable
        embed   lua_binding, event
        embed   lua_binding, lock
        embed   lua_binding, local
        embed   lua_binding, util
        embed   lua_binding, queue
        embed   lua_binding, select
        embed   lua_binding, mapping
        embed   lua_binding, pool
        embed   lua_binding, scope
        embed   lua_binding, trace
        embed   lua_binding, datafile
        embed   lua_binding, profile
        embed_page PAGES, timeline
        embed_page PAGES, flame
        .section .note.GNU-stack, "", %progbits
