/* The Lua parts of the program; parts.c has their list. */
#include "lua_binding/embed.inc"

        .section .rodata
        embed   cmd, console
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
        .section .note.GNU-stack, "", %progbits
