/*
 * void switch_stack(void **from, void *to);
 * void *switch_prepare(void *top, void (*entry)(void *), void *arg);
 *
 * System V ABI: rbx, rbp, r12-r15 belong to the callee; from in rdi, to in rsi.
 * The frame that a stack which does not run ends in:
 *
 *     sp + 0   r15
 *     sp + 8   r14
 *     sp + 16  r13
 *     sp + 24  r12
 *     sp + 32  rbx
 *     sp + 40  rbp
 *     sp + 48  return address
 *
 * `ret`, not an indirect jump: nearly all switches are made by the same call
 * in stack.c, so the return predictor, which a jump would leave one entry too
 * deep, is right. endbr64 keeps the object usable under CET's branch tracking;
 * a shadow stack cannot follow us, and the note below does not claim it.
 */
        .text
        .globl  switch_stack
        .hidden switch_stack
        .type   switch_stack, @function
        .p2align 4
switch_stack:
        .cfi_startproc
        endbr64
        pushq   %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset rbp, -16
        pushq   %rbx
        .cfi_def_cfa_offset 24
        .cfi_offset rbx, -24
        pushq   %r12
        .cfi_def_cfa_offset 32
        .cfi_offset r12, -32
        pushq   %r13
        .cfi_def_cfa_offset 40
        .cfi_offset r13, -40
        pushq   %r14
        .cfi_def_cfa_offset 48
        .cfi_offset r14, -48
        pushq   %r15
        .cfi_def_cfa_offset 56
        .cfi_offset r15, -56

        movq    %rsp, (%rdi)
        movq    %rsi, %rsp

        popq    %r15
        .cfi_def_cfa_offset 48
        popq    %r14
        .cfi_def_cfa_offset 40
        popq    %r13
        .cfi_def_cfa_offset 32
        popq    %r12
        .cfi_def_cfa_offset 24
        popq    %rbx
        .cfi_def_cfa_offset 16
        popq    %rbp
        .cfi_def_cfa_offset 8
        ret
        .cfi_endproc
        .size   switch_stack, . - switch_stack

        .globl  switch_prepare
        .hidden switch_prepare
        .type   switch_prepare, @function
        .p2align 4
switch_prepare:
        .cfi_startproc
        endbr64
        andq    $-16, %rdi
        leaq    -72(%rdi), %rax         /* frame, then 16 bytes of nothing */
        leaq    switch_entry(%rip), %rcx
        movq    %rdx, 16(%rax)          /* r13: arg */
        movq    %rsi, 24(%rax)          /* r12: entry */
        movq    $0, 40(%rax)            /* rbp: the chain of frames ends */
        movq    %rcx, 48(%rax)
        movq    $0, 56(%rax)
        ret
        .cfi_endproc
        .size   switch_prepare, . - switch_prepare

/* The first frame of every stack: unwinding ends here. */
        .type   switch_entry, @function
        .p2align 4
switch_entry:
        .cfi_startproc
        .cfi_undefined rip
        endbr64
        andq    $-16, %rsp              /* a call's return address follows */
        movq    %r13, %rdi
        call    *%r12
        ud2
        .cfi_endproc
        .size   switch_entry, . - switch_entry

/* GNU property note: IBT yes (endbr64 above), SHSTK no. */
        .section .note.gnu.property, "a"
        .p2align 3
        .long   4
        .long   16
        .long   5
        .asciz  "GNU"
        .long   0xc0000002
        .long   4
        .long   1
        .long   0
        .section .note.GNU-stack, "", @progbits
