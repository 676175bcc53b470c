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
        embed   cmd, lexer
        embed   cmd, members
        embed   cmd, scalars
        embed   cmd, source
        embed   cmd, docs
        embed_text cmd, docstrings
        embed   cmd, find
        embed   cmd, listing
        embed   cmd, lookup
        embed   cmd, processes
        embed   cmd, status
        embed   cmd, text
        embed   cmd, tools
        embed   cmd, watch
        embed   cmd, why
        .section .note.GNU-stack, "", %progbits
