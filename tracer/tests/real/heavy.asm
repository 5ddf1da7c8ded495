; Makes pubdata.
;
;   messages(uint256 count, uint256 bytes)                  messages to L1 of so many zero bytes each
;   writes(uint256 first, uint256 count, uint256 value)     one value into many slots, one after the other

.equ L1_MESSENGER, 0x8008
.equ COUNT, 0
.equ LENGTH, 1
.equ STACK_SLOTS, 2

.rodata
MESSAGES:
    .cell selector("messages(uint256,uint256)")
WRITES:
    .cell selector("writes(uint256,uint256,uint256)")
SEND:
    .cell selector("sendToL1(bytes)") << 224
ALL_ERGS:
    .cell call(0, 68)

.text
main:
    nop stack+=[STACK_SLOTS]
    ld r1, r2
    shr.s 224, r2, r2
    ptr.add.s 4, r1, r1
    ld.inc r1, r3, r1
    ld.inc r1, r4, r1
    sub! @MESSAGES[0], r2, r0
    jump.eq @messages
    sub! @WRITES[0], r2, r0
    jump.ne @refuse
    ld r1, r5
    add r3, r4, r4
write:
    sub! r3, r4, r0
    jump.ge @done
    sstore r3, r5
    add 1, r3, r3
    jump @write

messages:
    add r3, r0, stack[COUNT]
    add 31, r4, r5                      ; padded to whole words
    shr.s 5, r5, r5
    shl.s 5, r5, r5
    shl.s 96, r5, r5
    add @ALL_ERGS[0], r5, r5
    add r5, r0, stack[LENGTH]
    add @SEND[0], r0, r6
    st.1 0, r6
    add 32, r0, r6
    st.1 4, r6
    st.1 36, r4
message:
    add stack[COUNT], r0, r5
    sub! 0, r5, r0
    jump.eq @done
    sub.s 1, r5, stack[COUNT]
    add stack[LENGTH], r0, r1
    add L1_MESSENGER, r0, r2
    far_call r1, r2, @refuse
    jump @message
done:
    ret.ok r0
refuse:
    ret.revert r0
