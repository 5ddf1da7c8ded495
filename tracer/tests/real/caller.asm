; Calls what it is told to, and gives the answer back, be it good or bad.
;
;   call(uint256 kind, uint256 ergs, address to, uint256 value, bytes data)
;
; Kinds: 0 a plain call, 1 a delegate call, 2 a static call, 3 a system call, 4 with value. 0 ergs are all.
; Without calldata, as after a deployment, it returns no immutables.

.equ MSG_VALUE_SIMULATOR, 0x8009
.equ CALLDATA, 0
.equ KIND, 1
.equ STACK_SLOTS, 2

.rodata
FORWARD_CALL:
    .cell forward_call()
FORWARD:
    .cell forward()
NO_IMMUTABLES:
    .cell ret(0, 64)
ERGS_MASK:
    .cell 0xffffffff << 192

.text
main:
    nop stack+=[STACK_SLOTS]
    ptr.add r1, r0, stack[CALLDATA]
    shr.s! 96, r1, r0
    jump.eq @constructed
    ptr.add.s 4, r1, r1
    ld.inc r1, r2, r1
    add r2, r0, stack[KIND]
    ld.inc r1, r6, r1                   ; r6 := upper half of the ABI word
    shl.s 192, r6, r6
    add @FORWARD_CALL[0], r0, r7
    sub! r6, r0, r0
    jump.eq @all_ergs
    and @ERGS_MASK[0], r7, r8
    xor r7, r8, r7
    or r7, r6, r7
all_ergs:
    ld.inc r1, r4, r1                   ; to
    ld.inc r1, r3, r1                   ; value
    ld r1, r2
    add 4, r2, r2
    ptr.add stack[CALLDATA], r0, r1
    ptr.add r1, r2, r1
    ld.inc r1, r8, r1                   ; r8 := length of the data
    shr.s 96, r1, r9
    sub r9, r2, r9
    sub.s 32, r9, r9
    sub r9, r8, r9
    ptr.shrink r1, r9, r1
    add stack[KIND], r0, r2
    sub.s! 3, r2, r0
    jump.ge @system
    ptr.pack r1, r7, r1
    sub.s! 1, r2, r0
    jump.eq @delegate
    sub.s! 2, r2, r0
    jump.eq @static
    far_call r1, r4, @failed
    jump @answer
delegate:
    far_call.delegate r1, r4, @failed
    jump @answer
static:
    far_call.static r1, r4, @failed
    jump @answer
system:
    add 1, r0, r9
    shl.s 248, r9, r9
    or r7, r9, r7
    ptr.pack r1, r7, r1
    sub.s! 4, r2, r0
    add.eq MSG_VALUE_SIMULATOR, r0, r2
    add.ne r4, r0, r2
    add 0, r0, r5
    far_call r1, r2, @failed
answer:
    ptr.pack.s @FORWARD[0], r1, r1
    ret.ok r1
failed:
    shr.s! 96, r1, r0
    ret.revert.eq r0
    ptr.pack.s @FORWARD[0], r1, r1
    ret.revert r1
constructed:
    add 32, r0, r1
    st.1 0, r1
    add @NO_IMMUTABLES[0], r0, r1
    ret.ok r1
