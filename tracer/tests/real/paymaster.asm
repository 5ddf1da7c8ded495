; A paymaster. Slot 0 says what it does: 0 all right, 1 gives a context of two words, 2 answers another magic, 3 pays
; one wei too little, 4 pays one wei too much, 5 gives a context of 1,056 bytes, 6 and 7 say that the context is where
; no answer is, 8 answers one word, 9 reverts, 10 fails after the transaction, 11 takes all ergs after the transaction,
; 12 gives a context of 1,024 bytes.
; After a transaction it adds one to slot 1, and puts what it was told into slot 2 (the result), 3 (gas to be refunded
; at most) and 4 (bytes of context).

.equ BOOTLOADER, 0x8001
.equ MSG_VALUE_SIMULATOR, 0x8009
.equ GAS_LIMIT, 100 + 96
.equ MAX_FEE, 100 + 160
.equ CALLDATA, 0
.equ MODE, 1
.equ STACK_SLOTS, 2

.rodata
VALIDATE:
    .cell selector("validateAndPayForPaymasterTransaction(bytes32,bytes32,(uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256[4],bytes,bytes,bytes32[],bytes,bytes))")
POST:
    .cell selector("postTransaction(bytes,(uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256[4],bytes,bytes,bytes32[],bytes,bytes),bytes32,bytes32,uint8,uint256)")
PAY_CALL:
    .cell system_call(0, 0)
ONE_WORD:
    .cell ret(0, 32)
NO_CONTEXT:
    .cell ret(0, 96)
SHORT_CONTEXT:
    .cell ret(0, 160)
LONG_CONTEXT:
    .cell ret(0, 1152)
NOWHERE:
    .cell -1

.text
main:
    nop stack+=[STACK_SLOTS]
    ptr.add r1, r0, stack[CALLDATA]
    sload r0, r3
    add r3, r0, stack[MODE]
    ld r1, r2
    shr.s 224, r2, r2
    sub! @VALIDATE[0], r2, r0
    jump.eq @validate
    sub! @POST[0], r2, r0
    jump.eq @post
    ret.ok r0

validate:
    sub.s! 9, r3, r0
    ret.revert.eq r0
    add GAS_LIMIT, r0, r2
    call @field
    add r2, r0, r4
    add MAX_FEE, r0, r2
    call @field
    mul r2, r4, r3, r0
    add stack[MODE], r0, r5
    sub.s! 3, r5, r0
    sub.s.eq 1, r3, r3
    sub.s! 4, r5, r0
    add.eq 1, r3, r3
    add BOOTLOADER, r0, r4
    add 0, r0, r5
    add @PAY_CALL[0], r0, r1
    add MSG_VALUE_SIMULATOR, r0, r2
    far_call r1, r2, @burn
    ; The magic is the function's own selector; then offset and length of the context.
    add @VALIDATE[0], r0, r2
    shl.s 224, r2, r2
    add stack[MODE], r0, r5
    sub.s! 2, r5, r0
    add.eq 1, r2, r2
    st.1 0, r2
    add 64, r0, r2
    sub.s! 6, r5, r0
    add.eq @NOWHERE[0], r0, r2
    sub.s! 7, r5, r0
    add.eq 65, r0, r2
    st.1 32, r2
    add 0, r0, r2
    sub.s! 1, r5, r0
    add.eq 64, r0, r2
    sub.s! 5, r5, r0
    add.eq 1056, r0, r2
    sub.s! 12, r5, r0
    add.eq 1024, r0, r2
    st.1 64, r2
    add @NO_CONTEXT[0], r0, r1
    sub.s! 1, r5, r0
    add.eq @SHORT_CONTEXT[0], r0, r1
    sub.s! 5, r5, r0
    add.eq @LONG_CONTEXT[0], r0, r1
    sub.s! 12, r5, r0
    add.eq @LONG_CONTEXT[0], r0, r1
    sub.s! 8, r5, r0
    add.eq @ONE_WORD[0], r0, r1
    ret.ok r1

post:
    add 1, r0, r4
    sload r4, r5
    add 1, r5, r5
    sstore r4, r5
    add 4 + 128, r0, r2
    call @field
    add 2, r0, r4
    sstore r4, r2
    add 4 + 160, r0, r2
    call @field
    add 3, r0, r4
    sstore r4, r2
    add 4 + 192, r0, r2
    call @field
    add 4, r0, r4
    sstore r4, r2
    add stack[MODE], r0, r3
    sub.s! 10, r3, r0
    ret.revert.eq r0
    sub.s! 11, r3, r0
    jump.eq @burn
    ret.ok r0
burn:
    invalid

field:                                  ; r2 := word of the calldata at r2
    ptr.add stack[CALLDATA], r0, r1
    ptr.add r1, r2, r1
    ld r1, r2
    ret
