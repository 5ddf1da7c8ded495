; What stands at 0x800f: `upgrade(address,bytes)` lets the force deployer, and nobody else, run a contract's code here.

.equ FORCE_DEPLOYER, 0x8007
.equ ACCOUNT_CODE_STORAGE, 0x8002
; Places on the stack.
.equ CALLDATA, 0
.equ CONTRACT, 1
.equ STACK_SLOTS, 2

.rodata
GET_RAW_HASH:
    .cell selector("getRawCodeHash(address)") << 224
CALL_36:
    .cell call(0, 36)
FORWARD_CALL:
    .cell forward_call()
FORWARD:
    .cell forward()

.text
main:
    nop stack+=[STACK_SLOTS]
    ptr.add r1, r0, stack[CALLDATA]
    context.caller r2
    sub.s! FORCE_DEPLOYER, r2, r0
    ret.revert.ne r0
    ; An address without code does nothing: that is no upgrade.
    ptr.add.s 4, r1, r1
    ld r1, r4
    add r4, r0, stack[CONTRACT]
    add @GET_RAW_HASH[0], r0, r5
    st.1 0, r5
    st.1 4, r4
    add @CALL_36[0], r0, r1
    add ACCOUNT_CODE_STORAGE, r0, r2
    far_call r1, r2, @failed
    ld r1, r2
    sub! r2, r0, r0
    ret.revert.eq r0
    ; What the contract is told stands at the end of the calldata.
    ptr.add stack[CALLDATA], r0, r1
    ptr.add.s 36, r1, r1
    ld r1, r2
    add 36, r2, r2
    ptr.add stack[CALLDATA], r0, r1
    ptr.add r1, r2, r1
    ptr.pack.s @FORWARD_CALL[0], r1, r1
    add stack[CONTRACT], r0, r4
    far_call.delegate r1, r4, @failed
    ret.ok r0
failed:
    shr.s! 96, r1, r0
    ret.revert.eq r0
    ptr.pack.s @FORWARD[0], r1, r1
    ret.revert r1
