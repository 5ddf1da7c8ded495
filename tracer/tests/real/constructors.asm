; A contract whose constructor does what the first word of its input says: 0 nothing, 1 reverts with that word, 2 takes
; all ergs, 3 returns no list of immutables, 4 keeps the second word in slot 0. Called later, it answers slot 0.

.equ CONSTRUCTOR_CALL, 1

.rodata
NO_IMMUTABLES:
    .cell ret(0, 64)
ANSWER:
    .cell ret(0, 32)

.text
main:
    and! CONSTRUCTOR_CALL, r2, r0
    jump.ne @constructor
    sload r0, r2
    st.1 0, r2
    add @ANSWER[0], r0, r1
    ret.ok r1
constructor:
    ld.inc r1, r2, r1
    sub.s! 1, r2, r0
    jump.eq @fail
    sub.s! 2, r2, r0
    jump.eq @burn
    sub.s! 3, r2, r0
    ret.ok.eq r0
    sub.s! 4, r2, r0
    jump.ne @constructed
    ld r1, r3
    sstore r0, r3
constructed:
    add 32, r0, r1
    st.1 0, r1
    add @NO_IMMUTABLES[0], r0, r1
    ret.ok r1
fail:
    st.1 0, r2
    add @ANSWER[0], r0, r1
    ret.revert r1
burn:
    invalid
