; An upgrade: puts the code of one contract at the address of another by force, and runs its constructor.
;
; Calldata: the one address, the other one.

.equ ACCOUNT_CODE_STORAGE, 0x8002
.equ DEPLOYER, 0x8006
.equ CALLDATA, 0
.equ STACK_SLOTS, 1

.rodata
GET_RAW_HASH:
    .cell selector("getRawCodeHash(address)") << 224
FORCE_DEPLOY:
    .cell selector("forceDeployOnAddresses((bytes32,address,bool,uint256,bytes)[])") << 224
CALL_36:
    .cell call(0, 36)
CALL:
    .cell call(0, 292)
FORWARD:
    .cell forward()

.text
main:
    nop stack+=[STACK_SLOTS]
    ptr.add r1, r0, stack[CALLDATA]
    ld r1, r4
    add @GET_RAW_HASH[0], r0, r5
    st.1 0, r5
    st.1 4, r4
    add @CALL_36[0], r0, r1
    add ACCOUNT_CODE_STORAGE, r0, r2
    far_call r1, r2, @failed
    ld r1, r3
    add @FORCE_DEPLOY[0], r0, r5
    st.1 0, r5
    add 32, r0, r5
    st.1 4, r5                          ; offset of the list
    add 1, r0, r6
    st.1 36, r6                         ; its length
    st.1 68, r5                         ; offset of its element
    st.1 100, r3
    ptr.add stack[CALLDATA], r0, r1
    ptr.add.s 32, r1, r1
    ld r1, r4
    st.1 132, r4
    st.1 164, r6                        ; with its constructor
    st.1 196, r0                        ; without value
    add 160, r0, r5
    st.1 228, r5                        ; offset of the constructor's input
    st.1 260, r0
    add @CALL[0], r0, r1
    add DEPLOYER, r0, r2
    far_call r1, r2, @failed
    ret.ok r0
failed:
    shr.s! 96, r1, r0
    ret.revert.eq r0
    ptr.pack.s @FORWARD[0], r1, r1
    ret.revert r1
