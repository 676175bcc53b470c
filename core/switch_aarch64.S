/*
 * void switch_stack(void **from, void *to);
 * void *switch_prepare(void *top, void (*entry)(void *), void *arg);
 *
 * AAPCS64: x19-x29 and the low halves of v8-v15 belong to the callee; the
 * return address is in x30, from in x0, to in x1. sp stays 16-byte aligned.
 * The frame that a stack which does not run ends in, 160 bytes:
 *
 *     sp + 0    d8  d9  d10 d11 d12 d13 d14 d15
 *     sp + 64   x19 x20 x21 x22 x23 x24 x25 x26 x27 x28
 *     sp + 144  x29 (frame pointer)  x30 (where to continue)
 *
 * bti c: an indirect call may land here. Return addresses are not signed: a
 * signature holds the stack pointer, which is the same after a restore, but
 * callers compiled with pac-ret sign their own.
 */
        .text
        .globl  switch_stack
        .hidden switch_stack
        .type   switch_stack, %function
        .p2align 4
switch_stack:
        .cfi_startproc
        hint    #34                     /* bti c */
        sub     sp, sp, #160
        .cfi_def_cfa_offset 160
        stp     d8,  d9,  [sp, #0]
        stp     d10, d11, [sp, #16]
        stp     d12, d13, [sp, #32]
        stp     d14, d15, [sp, #48]
        stp     x19, x20, [sp, #64]
        stp     x21, x22, [sp, #80]
        stp     x23, x24, [sp, #96]
        stp     x25, x26, [sp, #112]
        stp     x27, x28, [sp, #128]
        stp     x29, x30, [sp, #144]
        .cfi_offset x29, -16
        .cfi_offset x30, -8

        mov     x2, sp
        str     x2, [x0]
        mov     sp, x1

        ldp     d8,  d9,  [sp, #0]
        ldp     d10, d11, [sp, #16]
        ldp     d12, d13, [sp, #32]
        ldp     d14, d15, [sp, #48]
        ldp     x19, x20, [sp, #64]
        ldp     x21, x22, [sp, #80]
        ldp     x23, x24, [sp, #96]
        ldp     x25, x26, [sp, #112]
        ldp     x27, x28, [sp, #128]
        ldp     x29, x30, [sp, #144]
        add     sp, sp, #160
        .cfi_def_cfa_offset 0
        .cfi_restore x29
        .cfi_restore x30
        ret
        .cfi_endproc
        .size   switch_stack, . - switch_stack

        .globl  switch_prepare
        .hidden switch_prepare
        .type   switch_prepare, %function
        .p2align 4
switch_prepare:
        .cfi_startproc
        hint    #34
        and     x0, x0, #-16
        sub     x0, x0, #176            /* frame, then 16 bytes of nothing */
        stp     x1, x2, [x0, #64]       /* x19: entry, x20: arg */
        adr     x3, switch_entry
        stp     xzr, x3, [x0, #144]     /* x29 = 0: the chain of frames ends */
        stp     xzr, xzr, [x0, #160]
        ret
        .cfi_endproc
        .size   switch_prepare, . - switch_prepare

/* The first frame of every stack: unwinding ends here. */
        .type   switch_entry, %function
        .p2align 4
switch_entry:
        .cfi_startproc
        .cfi_undefined x30
        hint    #36                     /* bti j */
        mov     x0, x20
        blr     x19
        brk     #1
        .cfi_endproc
        .size   switch_entry, . - switch_entry

        .section .note.GNU-stack, "", %progbits
