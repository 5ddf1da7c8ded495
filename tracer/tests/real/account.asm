; An account that signs nothing: what stands in place of its signature is called at NonceHolder while it is validated.
; It pays what it has to, or lets a paymaster pay, and executes what it is told, by system calls where ContractDeployer is
; called. It has no immutables.

.equ NONCE_HOLDER, 0x8003
.equ BOOTLOADER, 0x8001
.equ MSG_VALUE_SIMULATOR, 0x8009
.equ DEPLOYER, 0x8006
; Calldata: selector, two hashes, offset of the tuple, the tuple.
.equ TUPLE, 100
.equ TO, 100 + 64
.equ GAS_LIMIT, 100 + 96
.equ MAX_FEE, 100 + 160
.equ VALUE, 100 + 288
.equ DATA_OFFSET, 100 + 448
.equ SIGNATURE_OFFSET, 100 + 480
; Places on the stack.
.equ CALLDATA, 0
.equ STACK_SLOTS, 1

.equ CONSTRUCTOR_CALL, 1

.rodata
VALIDATE:
    .cell selector("validateTransaction(bytes32,bytes32,(uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256[4],bytes,bytes,bytes32[],bytes,bytes))")
PAY:
    .cell selector("payForTransaction(bytes32,bytes32,(uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256[4],bytes,bytes,bytes32[],bytes,bytes))")
EXECUTE:
    .cell selector("executeTransaction(bytes32,bytes32,(uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256[4],bytes,bytes,bytes32[],bytes,bytes))")
PAY_CALL:
    .cell system_call(0, 0)
FORWARD_CALL:
    .cell forward_call()
SYSTEM_FORWARD_CALL:
    .cell system_forward_call()
FORWARD:
    .cell forward()
ONE_WORD:
    .cell ret(0, 32)
NO_IMMUTABLES:
    .cell ret(0, 64)

.text
main:
    nop stack+=[STACK_SLOTS]
    and! CONSTRUCTOR_CALL, r2, r0
    jump.ne @constructed
    ptr.add r1, r0, stack[CALLDATA]
    ld r1, r2
    shr.s 224, r2, r2
    sub! @VALIDATE[0], r2, r0
    jump.eq @validate
    sub! @PAY[0], r2, r0
    jump.eq @pay
    sub! @EXECUTE[0], r2, r0
    jump.eq @execute
    ret.ok r0

constructed:
    add 32, r0, r1
    st.1 0, r1
    add @NO_IMMUTABLES[0], r0, r1
    ret.ok r1

validate:
    add SIGNATURE_OFFSET, r0, r2
    call @bytes
    sub! r3, r0, r0
    jump.eq @accept
    ptr.pack.s @SYSTEM_FORWARD_CALL[0], r1, r1
    add NONCE_HOLDER, r0, r2
    far_call r1, r2, @failed
accept:
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

execute:
    add VALUE, r0, r2
    call @field
    add r2, r0, r6
    add TO, r0, r2
    call @field
    add r2, r0, r4
    add DATA_OFFSET, r0, r2
    call @bytes
    add r6, r0, r3
    sub! r3, r0, r0
    jump.ne @execute_with_value
    sub.s! DEPLOYER, r4, r0
    jump.eq @execute_system_call
    ptr.pack.s @FORWARD_CALL[0], r1, r1
    far_call r1, r4, @failed
    ret.ok r0
execute_system_call:
    ptr.pack.s @SYSTEM_FORWARD_CALL[0], r1, r1
    far_call r1, r4, @failed
    ret.ok r0
execute_with_value:
    add 0, r0, r5
    ptr.pack.s @SYSTEM_FORWARD_CALL[0], r1, r1
    add MSG_VALUE_SIMULATOR, r0, r2
    far_call r1, r2, @failed
    ret.ok r0

failed:
    shr.s! 96, r1, r0
    ret.revert.eq r0
    ptr.pack.s @FORWARD[0], r1, r1
    ret.revert r1

field:                                  ; r2 := word of the calldata at r2
    ptr.add stack[CALLDATA], r0, r1
    ptr.add r1, r2, r1
    ld r1, r2
    ret
bytes:                                  ; r1, r3 := bytes whose offset stands at r2, and their length
    call @field
    add TUPLE, r2, r2
    ptr.add stack[CALLDATA], r0, r1
    ptr.add r1, r2, r1
    ld.inc r1, r3, r1
    shr.s 96, r1, r5                    ; what is left behind them: length - offset - theirs
    sub r5, r2, r5
    sub.s 32, r5, r5
    sub r5, r3, r5
    ptr.shrink r1, r5, r1
    ret
