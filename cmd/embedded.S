/* The Lua parts of the program; parts.c has their list. */
#include "lua_binding/embed.inc"

        .section .rodata
        embed   cmd, console
        embed   cmd, display
        embed   cmd, evaluation
        embed   cmd, prompt
        embed   cmd, commands
        embed   cmd, complete
        embed   cmd, history
        embed   cmd, inspect
        embed   cmd, source
        .section .note.GNU-stack, "", %progbits
