/* The Lua parts of the binding: text_<name> to text_<name>_end as they are, and
 * code_<name> to code_<name>_end as bytecode, which is empty unless the
 * Makefile has them compiled (PRECOMPILED). compiler is the banner of the Lua
 * that did. parts.c has their list. */
        .macro  embed name
        .hidden text_\name, text_\name\()_end, code_\name, code_\name\()_end
        .globl  text_\name, text_\name\()_end, code_\name, code_\name\()_end
text_\name:
        .incbin "lua_binding/\name\().lua"
text_\name\()_end:
        .byte   0
code_\name:
#ifdef PRECOMPILED
        .incbin "lua_binding/\name\().luac"
#endif
code_\name\()_end:
        .byte   0
        .endm

        .section .rodata
        .hidden compiler
        .globl  compiler
compiler:
#ifdef PRECOMPILED
        .incbin "lua_binding/compiler"
#endif
        .byte   0
        embed   class
        embed   greenlet
        embed   wait
        embed   hub
        embed   timeout
        embed   signal
        embed   report
        embed   waiter
        embed   handler
        embed   settings
        embed   module
        embed   monkey
        embed   waitable
        embed   event
        embed   lock
        embed   local
        embed   util
        embed   queue
        embed   select
        embed   mapping
        embed   pool
        embed   scope
        .section .note.GNU-stack, "", %progbits
