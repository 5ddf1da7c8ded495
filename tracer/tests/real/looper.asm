; An account that uses more ergs for its validation than it needs. Slot 0 says how: 0 it does not, 1 a loop without end,
; 2 a call of itself that loops, after which it goes on, 3 calls of itself as deep as ergs allow.

.equ NONCE_HOLDER, 0x8003
.equ BOOTLOADER, 0x8001
.equ MSG_VALUE_SIMULATOR, 0x8009
.equ GAS_LIMIT, 100 + 96
.equ MAX_FEE, 100 + 160
.equ NONCE, 100 + 256
.equ CALLDATA, 0
.equ STACK_SLOTS, 1

.rodata
VALIDATE:
    .cell selector("validateTransaction(bytes32,bytes32,(uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256[4],bytes,bytes,bytes32[],bytes,bytes))")
PAY:
    .cell selector("payForTransaction(bytes32,bytes32,(uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256[4],bytes,bytes,bytes32[],bytes,bytes))")
LOOP:
    .cell selector("loop()")
RECURSE:
    .cell selector("recurse()")
INCREMENT_MIN_NONCE:
    .cell selector("incrementMinNonceIfEquals(uint256)") << 224
NONCE_CALL:
    .cell system_call(0, 36)
PAY_CALL:
    .cell system_call(0, 0)
SELF_CALL:
    .cell call(0, 4)
ONE_WORD:
    .cell ret(0, 32)

.text
main:
    nop stack+=[STACK_SLOTS]
    ptr.add r1, r0, stack[CALLDATA]
    ld r1, r2
    shr.s 224, r2, r2
    sub! @VALIDATE[0], r2, r0
    jump.eq @validate
    sub! @PAY[0], r2, r0
    jump.eq @pay
    sub! @LOOP[0], r2, r0
    jump.eq @loop
    sub! @RECURSE[0], r2, r0
    jump.eq @recurse
    ret.ok r0

loop:
    jump @loop
recurse:
    add 200, r0, r3
work:
    sub.s! 1, r3, r3
    jump.ne @work
    add @RECURSE[0], r0, r2
    call @itself
    ret.ok r0

validate:
    sload r0, r3
    sub.s! 1, r3, r0
    jump.eq @loop
    add @LOOP[0], r0, r2
    sub.s! 2, r3, r0
    jump.eq @call_itself
    add @RECURSE[0], r0, r2
    sub.s! 3, r3, r0
    jump.ne @accept
call_itself:
    call @itself
accept:
    add NONCE, r0, r2
    call @field
    st.1 4, r2
    add @INCREMENT_MIN_NONCE[0], r0, r2
    st.1 0, r2
    add @NONCE_CALL[0], r0, r1
    add NONCE_HOLDER, r0, r2
    far_call r1, r2, @failed
    add @VALIDATE[0], r0, r2
    shl.s 224, r2, r2
    st.1 0, r2
    add @ONE_WORD[0], r0, r1
    ret.ok r1

pay:
    add GAS_LIMIT, r0, r2
    call @field
    add r2, r0, r4
    add MAX_FEE, r0, r2
    call @field
    mul r2, r4, r3, r0
    add BOOTLOADER, r0, r4
    add 0, r0, r5
    add @PAY_CALL[0], r0, r1
    add MSG_VALUE_SIMULATOR, r0, r2
    far_call r1, r2, @failed
    ret.ok r0
failed:
    ret.revert r0

itself:                                 ; calls the function r2 of this contract, whatever comes of it
    shl.s 224, r2, r2
    st.1 0, r2
    add @SELF_CALL[0], r0, r1
    context.this r2
    far_call r1, r2, @called
called:
    ret
field:                                  ; r2 := word of the calldata at r2
    ptr.add stack[CALLDATA], r0, r1
    ptr.add r1, r2, r1
    ld r1, r2
    ret
