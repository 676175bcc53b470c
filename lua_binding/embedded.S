/* The Lua parts of the binding, as they are. Each is text_<name> to
 * text_<name>_end; runtime.c has the list of those that run at the start, modules.c
 * that of the modules. */
        .macro  embed name
        .hidden text_\name, text_\name\()_end
        .globl  text_\name, text_\name\()_end
text_\name:
        .incbin "lua_binding/\name\().lua"
text_\name\()_end:
        .byte   0
        .endm

        .section .rodata
        embed   class
        embed   greenlet
        embed   wait
        embed   hub
        embed   timeout
        embed   signal
        embed   report
        embed   module
        embed   monkey
        embed   waitable
        embed   event
        embed   lock
        embed   local
        embed   util
        embed   queue
        embed   select
        .section .note.GNU-stack, "", %progbits
